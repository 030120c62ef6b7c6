import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { format } from 'prettier';
import { parse } from 'yaml';
import { parseStrategy, SpecError } from '../../../core/spec/index.ts';
import { EXAMPLE_STRATEGY, renderStrategyDocs } from '../../../core/spec/strategy-docs.ts';
import { needsModel, strategies } from '../../../core/strategies/index.ts';

function told(value: unknown, at?: readonly PropertyKey[]): readonly string[] {
  try {
    parseStrategy(value, at);
  } catch (error) {
    assert.ok(error instanceof SpecError);
    assert.equal(error.code, 'spec.invalid');
    return error.message.split('\n');
  }
  return [];
}

test('docs/strategies.md is what the catalogue says; each setting has a meaning', async () => {
  const want = await format(renderStrategyDocs(), { parser: 'markdown' });
  const page = new URL('../../../docs/strategies.md', import.meta.url);
  assert.equal(readFileSync(page, 'utf8'), want, 'run `node --import tsx infra/write-docs.ts`');
  for (const { name } of strategies) assert.ok(want.includes(`### ${name}\n`), name);
  const rows = want.split('\n').filter((row) => row.startsWith('| `'));
  assert.ok(rows.length > 40);
  for (const row of rows) assert.doesNotMatch(row, /\|\s+\|$/, row);
});

test("the page's example is a strategy", () => {
  const spec = parseStrategy(parse(EXAMPLE_STRATEGY));
  assert.equal(spec.kind, 'volatility-target');
  assert.ok(needsModel(spec));
});

test('a mistyped kind: the nearest one, wherever it stands', () => {
  assert.match(told({ kind: 'sma-crosss' })[0]!, /^kind: must be .* Did you mean "sma-cross"\?$/);
  const inside = { kind: 'hybrid', members: [{ strategy: { kind: 'model-filtre' } }] };
  assert.match(
    told(inside, ['backtest', 'strategy'])[0]!,
    /^backtest\.strategy\.members\[0\]\.strategy\.kind: .* Did you mean "model-filter"\?$/,
  );
});

test('a mistyped setting: the nearest of that kind, and of no other', () => {
  const of = { kind: 'volatility-target', of: { kind: 'rsi', perid: 3 } };
  assert.deepEqual(told({ kind: 'hybrid', members: [{ strategy: of }] }), [
    'members[0].strategy.of.perid: there is no such field. Did you mean "period"? ' +
      'Known: period, buyBelow, sellAbove, exitAt, holdBars, short, kind',
  ]);
});

test('all that is wrong is told, in places as deep as they are', () => {
  const spec = {
    kind: 'regime',
    calm: { kind: 'sma-cross', fast: 0, slow: 'long' },
    turbulent: { kind: 'model-signal', by: 'scores' },
    widow: 3,
  };
  const issues = told(spec);
  assert.equal(issues.length, 4, issues.join('\n'));
  assert.match(issues.join('\n'), /^turbulent\.by: .* Did you mean "score"\?$/m);
  assert.match(issues.join('\n'), /^widow: there is no such field. Did you mean "window"\?/m);
});

test('no strategy at all', () => {
  assert.deepEqual(told(7), ['spec: must be object, not number']);
  assert.match(told({})[0]!, /^kind: must be "buy-and-hold" or /);
});
