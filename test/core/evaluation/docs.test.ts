import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { format } from 'prettier';
import { renderMetricDocs } from '../../../core/evaluation/docs.ts';

test('docs/metrics.md is what the catalogues say', async () => {
  const page = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
  const fresh = await format(renderMetricDocs(), { parser: 'markdown' });
  assert.equal(page, fresh, 'run: node --import tsx infra/write-docs.ts');
});
