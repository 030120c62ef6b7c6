import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { qualityDocs } from '../../../core/quality/docs.ts';

test('docs/quality.md is what the catalogue says', () => {
  const file = join(import.meta.dirname, '..', '..', '..', 'docs', 'quality.md');
  assert.equal(
    readFileSync(file, 'utf8'),
    qualityDocs(),
    'run: npx tsx test/golden/write-quality-docs.ts',
  );
});
