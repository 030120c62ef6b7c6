/** Against other backtesting libraries over the bundled indices (test/golden/backtest.py). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import {
  BacktestFacts,
  backtestRules,
  buyAndHold,
  metricValues,
  runBacktest,
  type BacktestRun,
  type InstrumentSeries,
} from '../../../core/backtest/index.ts';
import { takeBars, type Bars } from '../../../core/bars/index.ts';
import { nasdaq, sp500 } from '../../support/example-bars.ts';
import { daily } from './scene.ts';

interface GoldenTrade {
  readonly column: number;
  readonly side: string;
  readonly entry: number;
  readonly exit: number;
  readonly entryPrice: number;
  readonly exitPrice: number;
  readonly netPnl: number;
  readonly grossPnl: number;
  readonly open: boolean;
}
interface GoldenRun {
  readonly feeBps: number;
  readonly slippageBps: number;
  readonly final: number;
  readonly every250: readonly number[];
  readonly trades: readonly GoldenTrade[];
}
type Targets = readonly (number | null)[];
interface Golden {
  readonly allIn: GoldenRun & {
    readonly figures: {
      readonly byPeer: Readonly<Record<string, readonly number[]>>;
      readonly recomputed: Readonly<Record<string, number>>;
      readonly deflatedOf20Tries: { count: number; sharpeSd: number; value: number };
    };
  };
  readonly hold: GoldenRun;
  readonly longShort: GoldenRun & { readonly targets: Targets };
  readonly pair: GoldenRun & { readonly rows: number; readonly targets: readonly Targets[] };
  readonly stops: {
    readonly stopLoss: number;
    readonly takeProfit: number;
    readonly trades: readonly GoldenTrade[];
  };
  readonly trailing: { readonly trailing: number; readonly trades: readonly GoldenTrade[] };
}

const file = new URL('../../golden/backtest.json', import.meta.url);
const golden = JSON.parse(readFileSync(file, 'utf8')) as Golden;

/** 1 where the mean of 10 closes is above that of 30, else `below`; NaN before both exist. */
function crossing({ close }: Bars, below: number): Float64Array {
  const mean = (t: number, window: number): number => {
    let sum = 0;
    for (let i = t - window + 1; i <= t; i++) sum += close[i]!;
    return sum / window;
  };
  return close.map((_, t) => (t < 29 ? NaN : mean(t, 10) > mean(t, 30) ? 1 : below));
}

const seriesOf = (bars: Bars, targets: Float64Array): InstrumentSeries => {
  return { bars, calendar: daily, targets };
};
const targetsOf = (targets: Targets): Float64Array => Float64Array.from(targets, (w) => w ?? NaN);
const rulesOf = ({ feeBps, slippageBps }: GoldenRun) =>
  backtestRules({ costs: { feeBps, slippageBps }, allowShort: true });

function close(a: number, b: number, what: string, tolerance = 1e-12): void {
  assert.ok(
    Math.abs(a - b) <= tolerance * Math.max(Math.abs(b), 1e-3),
    `${what}: ${a} is not ${b}`,
  );
}

function assertSame(run: BacktestRun, expected: GoldenRun, bars: Bars): void {
  close(run.equity.at(-1)!, expected.final, 'final equity');
  expected.every250.forEach((value, i) => close(run.equity[i * 250]!, value, `equity ${i * 250}`));
  assertTrades(run, expected.trades, bars, 1e-12);
}

function assertTrades(
  { trades, instruments }: BacktestRun,
  expected: readonly GoldenTrade[],
  { openTime }: Bars,
  tolerance: number,
): void {
  const facts = ({ side, entry, exit }: GoldenTrade): object => ({ side, entry, exit });
  const at = (time: number): number => openTime.indexOf(time);
  assert.deepEqual(
    trades.map(({ side, entryTime, exitTime }) => ({
      side,
      entry: at(entryTime),
      exit: at(exitTime),
    })),
    expected.map(facts),
  );
  trades.forEach((trade, i) => {
    const one = expected[i]!;
    close(trade.entryPrice, one.entryPrice, `entry of ${i}`, tolerance);
    close(trade.exitPrice, one.exitPrice, `exit of ${i}`, tolerance);
    // What is left of values 1,000 times larger: an absolute tolerance.
    if (one.netPnl !== undefined) assert.ok(Math.abs(trade.netPnl - one.netPnl) <= 1e-8);
    if (one.column !== undefined) assert.equal(instruments[one.column], trade.instrument);
  });
}

describe('vectorbt', () => {
  test('all of equity, long or flat, with fees and slippage', () => {
    const bars = sp500();
    const run = runBacktest([seriesOf(bars, crossing(bars, 0))], rulesOf(golden.allIn));
    assertSame(run, golden.allIn, bars);
  });

  test('buy-and-hold', () => {
    const bars = sp500();
    const run = buyAndHold([seriesOf(bars, crossing(bars, 0))], rulesOf(golden.hold));
    close(run.equity.at(-1)!, golden.hold.final, 'final equity');
  });

  test('target weights, long and short, with adds and cuts', () => {
    const bars = sp500();
    const targets = targetsOf(golden.longShort.targets);
    const run = runBacktest([seriesOf(bars, targets)], rulesOf(golden.longShort));
    assertSame(run, golden.longShort, bars);
  });

  test('two instruments on one account', () => {
    const [one, two] = [sp500(), nasdaq()];
    const common = (bars: Bars, other: Bars): Bars => {
      const times = new Set(other.openTime);
      const kept = [...bars.openTime.keys()].filter((t) => times.has(bars.openTime[t]!));
      return takeBars(bars, kept);
    };
    const pair = [common(one, two), common(two, one)];
    assert.equal(pair[0]!.openTime.length, golden.pair.rows);
    const series = pair.map((bars, i) => seriesOf(bars, targetsOf(golden.pair.targets[i]!)));
    assertSame(runBacktest(series, rulesOf(golden.pair)), golden.pair, pair[0]!);
  });
});

describe('backtesting.py', () => {
  const cases = {
    'stops and profit targets': {
      stops: { stopLoss: golden.stops.stopLoss, takeProfit: golden.stops.takeProfit },
      trades: golden.stops.trades,
      reasons: ['stopLoss', 'takeProfit', 'signal'],
    },
    'trailing stops': {
      stops: { trailing: golden.trailing.trailing },
      trades: golden.trailing.trades,
      reasons: ['trailingStop', 'signal'],
    },
  };
  for (const [name, { stops, trades, reasons }] of Object.entries(cases)) {
    test(`${name} inside bars, long and short`, () => {
      const bars = sp500();
      const run = runBacktest(
        [seriesOf(bars, crossing(bars, -1))],
        backtestRules({
          costScale: 0,
          allowShort: true,
          rebalance: 'changed',
          stops: { ...stops, reentry: 'changedSide' },
        }),
      );
      const ended = run.trades.filter(({ open }) => !open);
      assertTrades({ ...run, trades: ended }, trades, bars, 1e-12);
      assert.deepEqual(new Set(ended.map(({ exitReason }) => exitReason)), new Set(reasons));
    });
  }
});

describe('figures', () => {
  const bars = sp500();
  const series = [seriesOf(bars, crossing(bars, 0))];
  const rules = rulesOf(golden.allIn);
  const run = runBacktest(series, rules);
  const options = { barsPerYear: 252, daysPerYear: 252, benchmark: buyAndHold(series, rules) };
  const values = metricValues(new BacktestFacts(run, options));
  const { byPeer, recomputed, deflatedOf20Tries } = golden.allIn.figures;

  for (const [name, peers] of Object.entries(byPeer)) {
    test(`${name} of empyrical, quantstats, statsmodels or vectorbt`, () => {
      for (const value of peers) close(values[name]!, value, name, 1e-9);
    });
  }

  for (const [name, value] of Object.entries(recomputed)) {
    test(`${name} by its formula`, () => {
      // The normal distribution function has a relative error of 1e-7.
      close(values[name]!, value, name, name === 'deflatedSharpe' ? 1e-6 : 1e-9);
    });
  }

  test('deflatedSharpe of several tries', () => {
    const { value, ...tries } = deflatedOf20Tries;
    const deflated = metricValues(new BacktestFacts(run, { ...options, tries }));
    close(deflated['deflatedSharpe']!, value, 'deflatedSharpe', 1e-5);
  });
});
