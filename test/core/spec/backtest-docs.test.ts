import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { format } from 'prettier';
import { renderBacktestDocs } from '../../../core/spec/backtest-docs.ts';

test('docs/backtests.md is what catalogue and schema say', async () => {
  const page = readFileSync(new URL('../../../docs/backtests.md', import.meta.url), 'utf8');
  const fresh = await format(renderBacktestDocs(), { parser: 'markdown' });
  assert.equal(page, fresh, 'run: node --import tsx infra/write-docs.ts');
});
