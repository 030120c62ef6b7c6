import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { format } from 'prettier';
import { renderFeatureDocs } from '../../../core/features/docs.ts';
import { featureSets } from '../../../core/features/index.ts';

test('docs/features.md is what the catalogue says', async () => {
  const page = readFileSync(new URL('../../../docs/features.md', import.meta.url), 'utf8');
  const current = await format(renderFeatureDocs(featureSets.values()), { parser: 'markdown' });
  assert.equal(page, current, 'run: node --import tsx infra/write-docs.ts');
  for (const set of featureSets.values()) {
    for (const name of set.names) assert.ok(page.includes(`| \`${name}\` `), name);
  }
});
