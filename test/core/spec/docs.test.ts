import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { format } from 'prettier';
import { modelFamilies } from '../../../core/models/index.ts';
import { renderSpecDocs } from '../../../core/spec/docs.ts';
import { specJsonSchema } from '../../../core/spec/json-schema.ts';

const docs = new URL('../../../docs/', import.meta.url);
const HOW = 'run `node --import tsx infra/write-docs.ts`';

test('docs/spec.md is what the schema says', async () => {
  const want = await format(renderSpecDocs(), { parser: 'markdown' });
  assert.equal(readFileSync(new URL('spec.md', docs), 'utf8'), want, HOW);
});

test('docs/spec.schema.json is current and knows every family', async () => {
  const schema = specJsonSchema();
  const want = await format(JSON.stringify(schema), { parser: 'json' });
  assert.equal(readFileSync(new URL('spec.schema.json', docs), 'utf8'), want, HOW);
  const families = (schema['properties'] as { family: { enum: string[] } }).family.enum;
  assert.deepEqual(
    families,
    modelFamilies.map((f) => f.name),
  );
});

test('README names every family', () => {
  const readme = readFileSync(new URL('../README.md', docs), 'utf8');
  const [, list] = /^- \*\*Families\.\*\*([^]*?)^- /m.exec(readme)!;
  const missing = modelFamilies.filter(({ name }) => !list!.includes(`\`${name}\``));
  assert.deepEqual(missing, []);
});

test('every field has a meaning', () => {
  const rows = renderSpecDocs()
    .split('\n')
    .filter((row) => row.startsWith('| `'));
  assert.ok(rows.length > 50);
  for (const row of rows) assert.doesNotMatch(row, /\|\s+\|$/, row);
});
