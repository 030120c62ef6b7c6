import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { format } from 'prettier';
import { MEASURES } from './measures/catalogue.ts';
import { mergeResults, recordedResults, resultsTable, tableOf, type Recorded } from './record.ts';

const result = (name: string, ours: number): Recorded => ({
  ...{ name, unit: 'ms', better: 'lower', ours, peer: 2, peerName: 'slow', ratio: ours / 2 },
  ...{ target: 0.5, pass: ours <= 1, rounds: 5, broken: [], also: {} },
  oursSpread: { median: ours, lowest: ours, highest: ours },
  peerSpread: { median: 2, lowest: 2, highest: 2 },
  ...{ date: '2026-01-02', machine: '2 x one' },
});

const catalogue = [
  { name: 'b', docs: 'Second.' },
  { name: 'a', docs: 'First.' },
];

describe('recorded figures', () => {
  it('are the newest of each measure, in the order of the catalogue', () => {
    const older = [result('a', 1), result('b', 2), result('gone', 3)];
    const merged = mergeResults(catalogue, older, [result('a', 4)]);
    assert.deepEqual(
      merged.map(({ name, ours }) => [name, ours]),
      [
        ['b', 2],
        ['a', 4],
      ],
    );
  });

  it('say what is short', () => {
    const table = resultsTable(catalogue, [result('a', 1), result('b', 2)]);
    assert.match(table, /^Measured 2026-01-02, 2 x one\. /);
    assert.match(
      table,
      /\| `b` \| Second\. \| 2 ms \| slow: 2 ms \| \*\*short\*\* 1 \(≤ 0\.5\) \|/,
    );
    assert.match(table, /\| `a` \| First\. \| 1 ms \| slow: 2 ms \| 0\.5 \(≤ 0\.5\) \|/);
  });

  it('of every measure stand in the README', async () => {
    const results = recordedResults();
    assert.deepEqual(
      results.map(({ name }) => name),
      MEASURES.map(({ name }) => name),
    );
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const table = await format(resultsTable(MEASURES, results), { parser: 'markdown' });
    assert.equal(tableOf(readme), table.trim());
  });
});
