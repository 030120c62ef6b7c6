import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barCount, sliceBars, type Bars } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { indicatorInput, indicators, use } from '../../../core/indicators/index.ts';
import { buildLabels } from '../../../core/labels/index.ts';
import {
  checkLookahead,
  checkWarmup,
  drawnRows,
  lookaheadOf,
  warmupOf,
} from '../../../core/lookahead/index.ts';
import { otherFutures } from '../../../core/lookahead/other-future.ts';
import { nasdaq, sp500 } from '../../support/example-bars.ts';

const nyse = calendarFor('nyse');
const bars = sliceBars(sp500(), 0, 900);

const column = (name: string, params: object) => (of: Bars) =>
  use(indicators.get(name)!, params).compute(indicatorInput(of, nyse));

/** Mean of the closes of t-1..t+1: a smoother centred on its bar. */
const centred = ({ close }: Bars): Float64Array =>
  close.map((c, t) => ((close[t - 1] ?? c) + c + (close[t + 1] ?? c)) / 3);

test('a feature that reads the next bar is named, with the bars it was seen at', () => {
  const found = lookaheadOf(
    (of) => ({ honest: column('sma', { period: 20 })(of), centred: centred(of) }),
    bars,
    [100, 333, 899],
  );
  assert.deepEqual(
    found.map(({ column, rows }) => [column, rows]),
    [['centred', [99, 332, 898]]],
  );
  assert.equal(found[0]!.openTimes[1], bars.openTime[332]);
});

test('scaling by the mean of all bars changes every row', () => {
  const scaled = ({ close }: Bars) => {
    const mean = close.reduce((a, b) => a + b, 0) / close.length;
    return { scaled: close.map((c) => c / mean) };
  };
  const [found] = lookaheadOf(scaled, bars, [500]);
  assert.equal(found!.rows.length, 500);
});

test('a label may look ahead by its horizon and no further', () => {
  const label = (of: Bars) => {
    const { values } = buildLabels({ kind: 'forwardLogReturn', horizons: [7] }, of, nyse);
    return { y: values };
  };
  assert.deepEqual(lookaheadOf(label, bars, [200, 500], { aheadBars: 7 }), []);
  const [found] = lookaheadOf(label, bars, [200, 500], { aheadBars: 6 });
  assert.deepEqual(found!.rows, [193, 493]);
});

test('a column that comes and goes changes everywhere', () => {
  const moody = (of: Bars) => (barCount(of) > 600 ? { late: of.close } : {});
  const [found] = lookaheadOf(moody, bars, [300]);
  assert.deepEqual([found!.column, found!.rows.length], ['late', 300]);
});

test('cuts outside the bars and columns of another length are refused', () => {
  const close = (of: Bars) => ({ close: of.close });
  for (const cut of [0, 900, 1.5, NaN]) {
    assert.throws(() => lookaheadOf(close, bars, [cut]), { code: 'lookahead.cut' });
    assert.throws(() => warmupOf(close, bars, [cut]), { code: 'warmup.start' });
  }
  const short = (of: Bars) => ({ short: of.close.subarray(1) });
  assert.throws(() => lookaheadOf(short, bars, [5]), { code: 'lookahead.length' });
});

test('warm-up: a window of n bars needs n; a cumulative sum never forgets', () => {
  const warm = warmupOf(
    (of) => {
      let sum = 0;
      return {
        close: of.close,
        sma: column('sma', { period: 50 })(of),
        change: column('logReturn', { bars: 5 })(of),
        total: of.close.map((c) => (sum += c)),
      };
    },
    bars,
    [1, 100, 517],
  );
  assert.deepEqual(warm, { close: 1, sma: 50, change: 6, total: null });
});

test('warm-up of an average with a fading memory: by its tolerance, and never by bits', () => {
  const alpha = 2 / 11;
  const average = ({ close }: Bars) => {
    let value = close[0]!;
    return { ema: close.map((c) => (value += alpha * (c - value))) };
  };
  const of = (tolerance: number) => warmupOf(average, bars, [100, 300], { tolerance })['ema']!;
  // (1 - alpha)^n of a start that is about a percent off: 1e-5 after 34 bars, 1e-9 after 80.
  assert.ok(of(1e-5) > 20 && of(1e-5) < 45, `${of(1e-5)}`);
  assert.ok(of(1e-9) > 65 && of(1e-9) < 95, `${of(1e-9)}`);
});

test('an anchored indicator needs at most its memory and the way to the anchor', () => {
  const of = sliceBars(nasdaq(), 0, 1500);
  const bound = use(indicators.get('rsi')!, {});
  const warm = warmupOf(
    (b) => ({ rsi: bound.compute(indicatorInput(b, nyse)) }),
    of,
    [1, 77, 640],
    {
      tolerance: 0,
    },
  )['rsi']!;
  assert.ok(warm > bound.warmupBars && warm <= bound.memoryBars + 256 + 1, `${warm}`);
});

test('a decision that is seldom a close one: other later bars tell what cuts alone do not', () => {
  const spread = column('closeToSma', { period: 50 });
  /** In the market while the next close lies above its average. */
  const early = (of: Bars) => {
    const above = spread(of);
    return { position: above.map((_, t) => ((above[t + 1] ?? above[t]!) > 0 ? 1 : 0)) };
  };
  const cuts = drawnRows({ from: 100, to: 890 }, 6, 3);
  assert.deepEqual(lookaheadOf(early, bars, cuts), []);
  const [found] = lookaheadOf(early, bars, cuts, { otherFutures: true });
  assert.deepEqual(
    found!.rows,
    cuts.map((cut) => cut - 1),
  );
  assert.equal(found!.readsAhead, 1);
});

test('other later bars: the same before the cut, and nothing that is said of them later', () => {
  const macro = Float64Array.from(bars.close);
  for (const other of otherFutures({ ...bars, exogenous: { 'macro.close': macro } }, 500)) {
    assert.equal(barCount(other), 564);
    for (const values of [other.close, other.exogenous!['macro.close']!]) {
      assert.deepEqual(values.subarray(0, 500), bars.close.subarray(0, 500));
      assert.ok(Math.abs(Math.log(values[500]! / bars.close[500]!)) > 1);
    }
  }
});

test('drawn rows: within their limits, increasing, all where there are few', () => {
  assert.deepEqual(drawnRows({ from: 3, to: 6 }, 9, 1), [3, 4, 5, 6]);
  assert.deepEqual(drawnRows({ from: 1, to: 0 }, 9, 1), []);
  const drawn = drawnRows({ from: 10, to: 99 }, 30, 1);
  assert.deepEqual(drawn, drawnRows({ from: 10, to: 99 }, 30, 1));
  assert.notDeepEqual(drawn, drawnRows({ from: 10, to: 99 }, 30, 2));
  assert.equal(new Set(drawn).size, 30);
  assert.ok(drawn.every((row, i) => row >= 10 && row <= 99 && row > (drawn[i - 1] ?? 0)));
});

test('a column that never has a value is not checked, and not called wrong', () => {
  const empty = {
    ...{ name: 'mine', kind: 'feature set' },
    columns: ['none', 'close'].map((name) => ({
      ...{ name, aheadBars: 0, warmupBars: 0, memoryBars: 0, anchored: false },
    })),
    of: ({ close }: Bars) => ({ none: close.map(() => NaN), close }),
  };
  assert.deepEqual(checkLookahead(empty, bars, [100]), { changed: [], unchecked: ['none'] });
  const [none, close] = checkWarmup(empty, bars, { anchors: [], others: [100] });
  assert.deepEqual([none!.unchecked, none!.understated], [true, []]);
  assert.deepEqual(close!.measured, { warmupBars: 0, memoryBars: 0 });
});
