import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calendarFor } from '../../../core/calendar/index.ts';
import { buildFeatures } from '../../../core/features/build.ts';
import { featureSetOrThrow } from '../../../core/features/index.ts';
import { splitFolds, splitSchema } from '../../../core/splits/index.ts';
import { walkBars, withRows } from '../../support/made-bars.ts';

const LOOKBACK = 10;
const HORIZON = 5;
const BARS = 3200;
const set = featureSetOrThrow('technical-152');
const width = set.names.length;

for (const timeframe of ['1d', '1h'] as const) {
  const calendar = calendarFor(timeframe === '1d' ? 'nyse' : '24x7');
  const bars = walkBars(BARS, { timeframe });
  const values = buildFeatures(set, bars, calendar).values;
  const first = set.rowsBeforeWindow(LOOKBACK);
  const rows = Int32Array.from({ length: BARS - HORIZON - first }, (_, i) => first + i);
  const labelEnd = bars.openTime.map((_, row) => bars.openTime[row + HORIZON] ?? NaN);
  const { openTime } = bars;

  const folds = (embargo: string) =>
    splitFolds(splitSchema.parse({ kind: 'purgedKFold', folds: 3, embargo }), {
      ...{ rows, openTime, labelEnd },
      ...{ horizons: [HORIZON], reachBars: set.reachBars(LOOKBACK) },
    });

  /** Rows of train and valid after a test part with a bit in their window that its returns moved. */
  const touched = (embargo: string): number =>
    folds(embargo)
      .slice(0, -1)
      .map(({ train, valid, test: tested }) => {
        const [from, to] = [tested[0]!, tested.at(-1)! + HORIZON];
        // Every bar whose return a test label holds: a tenth higher, each by another amount.
        const changed = Object.fromEntries(
          Array.from({ length: to - from }, (_, i) => {
            const row = from + 1 + i;
            const factor = 1.1 + 0.02 * Math.sin(row);
            const [open, close] = [bars.open[row]! * factor, bars.close[row]! * factor];
            const [high, low] = [bars.high[row]! * factor, bars.low[row]! * factor];
            return [row, { open, close, high, low, volume: bars.volume[row]! * factor }];
          }),
        );
        const other = buildFeatures(set, withRows(bars, changed), calendar).values;
        const same = (end: number): boolean => {
          for (let at = (end - LOOKBACK + 1) * width; at < (end + 1) * width; at++) {
            if (!Object.is(values[at], other[at])) return false;
          }
          return true;
        };
        const later = [...train, ...valid].filter((row) => row > to);
        assert.ok(later.length > 100);
        return later.filter((row) => !same(row)).length;
      })
      .reduce((sum, n) => sum + n, 0);

  test(`${timeframe}: no bit of a later training window depends on a test return under strict`, () => {
    assert.equal(touched('strict'), 0);
    assert.ok(touched('auto') > 0, 'and without it some do');
  });
}
