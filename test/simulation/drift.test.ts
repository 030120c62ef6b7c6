/** A reduced protocol P2 (the whole one: `npm run simulate:drift`). Seeded: it passes or fails the same way each time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { alarmedShare, outside, ratesOf, select } from './drift-acceptance.ts';
import { cells, methods, simulate, YEARS } from './drift-protocol.ts';

const PAIRS = 12;
const reduced = cells.filter(({ timeframe, horizon }) => timeframe === '1d' && horizon < 30);
const counts = simulate({ pairs: PAIRS, seed: 11, cells: reduced });

test('a model that is as good as ever is left alone', () => {
  assert.deepEqual(outside(counts, 'product', YEARS), []);
});

describe('the same check fails a broken monitor', () => {
  test('one with a threshold out of a book', () => {
    const found = outside(counts, 'textbook', YEARS);
    assert.ok(
      found.filter((text) => text.includes('retrains a year')).length >= 6,
      found.join('; '),
    );
  });

  test('one that takes a wilder market for a worse model', () => {
    const found = outside(counts, 'raw', YEARS);
    const volatility = found.filter((text) => text.includes('volatility'));
    assert.equal(volatility.length, reduced.length, found.join('; '));
  });
});

test('a worse model is found, a much worse one sooner: a monitor that never speaks would pass the limits', () => {
  for (const cell of reduced) {
    const of = (design: string) => select(counts, { method: 'product', cell, design });
    assert.ok(alarmedShare(of('1 SD, abrupt')) > 0.95);
    assert.ok(alarmedShare(of('0.5 SD, abrupt')) > 3 * alarmedShare(of('unchanged')));
    const median = (design: string): number => {
      const delays = of(design)
        .flatMap((count) => count.delays)
        .sort((a, b) => a - b);
      return delays[delays.length >> 1]!;
    };
    assert.ok(median('1 SD, abrupt') < median('1 SD, gradual'));
  }
});

test('the calibration means what it says: an alarm in about one unchanged year of ten', () => {
  for (const cell of reduced) {
    const { alarmedYears } = ratesOf(
      select(counts, { method: 'product', cell, design: 'unchanged' }),
      YEARS,
    );
    // Of 240 years; the page has the rate of 5,000. A history of 1,000 values leaves it at up to .2.
    assert.ok(alarmedYears > 0.02 && alarmedYears < 0.27, `${cell.name}: ${alarmedYears}`);
  }
});

test('every method and design is counted', () => {
  assert.equal(counts.length, reduced.length * 4 * methods.length * 6);
  assert.ok(counts.every(({ pairs }) => pairs === PAIRS));
});
