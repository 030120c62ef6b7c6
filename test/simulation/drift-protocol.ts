/**
 * Protocol P2 (STATISTICS 4): how often the product's own loss monitor asks for a retrain of a model that is as good as
 * ever, and how soon it finds one that is not. Single-threaded, seeded: the same pairs and seed give the same counts.
 */
import type { Timeframe } from '../../core/bars/bars.ts';
import { calibrateCusum } from '../../core/drift/calibrate.ts';
import { startCusum, stepCusum } from '../../core/drift/cusum.ts';
import {
  blockOf,
  dailyMeans,
  ewmaVariance,
  lossVariance,
  normalisedLosses,
  settlingBars,
  varianceFloor,
} from '../../core/drift/normalised-loss.ts';
import type { Calibration } from '../../core/drift/schemas.ts';
import {
  decideRetrain,
  type RetrainReason,
  type RetrainRule,
} from '../../core/lifecycle/retrain-rule.ts';
import { labelsOf } from './designs.ts';
import { drawsOf, markets, signal, type Market } from './markets.ts';

export const HISTORY = 1000;
export const YEARS = 5;
/** Values after which a planted change comes. */
export const CHANGE_AT = 126;
const GRADUAL_VALUES = 60;
/** SD of a forecast: 2 % of the label's variance. */
const FORECAST_SD = Math.sqrt(0.02);
const DAY_MS = 86_400_000;
/** Bars before the first value, in which the variance finds its level. */
const WARM_UP = 240;

export interface Cell {
  readonly name: string;
  readonly timeframe: Timeframe;
  readonly horizon: number;
  /** Values a year: daily losses, or daily means of hourly ones. */
  readonly perYear: number;
}

export const cells: readonly Cell[] = [
  { name: 'daily, h = 1', timeframe: '1d', horizon: 1, perYear: 252 },
  { name: 'daily, h = 7', timeframe: '1d', horizon: 7, perYear: 252 },
  { name: 'daily, h = 30', timeframe: '1d', horizon: 30, perYear: 252 },
  { name: 'hourly, h = 1', timeframe: '1h', horizon: 1, perYear: 365 },
  { name: 'hourly, h = 12', timeframe: '1h', horizon: 12, perYear: 365 },
];

/** What happens after the history. */
export interface Design {
  readonly name: string;
  readonly docs: string;
  readonly kind: 'unchanged' | 'worse' | 'volatility';
  /** SDs that the losses rise by, `since` values after the change. */
  readonly rise?: (since: number) => number;
}

const step = (sds: number): Design => ({
  name: `${sds} SD, abrupt`,
  docs: `losses rise by ${sds} of their SD`,
  kind: 'worse',
  rise: () => sds,
});
const ramp = (sds: number): Design => ({
  name: `${sds} SD, gradual`,
  docs: `losses rise by ${sds} of their SD over ${GRADUAL_VALUES} values`,
  kind: 'worse',
  rise: (since) => sds * Math.min(1, (since + 1) / GRADUAL_VALUES),
});

export const designs: readonly Design[] = [
  { name: 'unchanged', docs: 'nothing changes', kind: 'unchanged' },
  step(0.5),
  ramp(0.5),
  step(1),
  ramp(1),
  {
    name: 'volatility x2',
    docs: 'returns and forecasts double: the market is wilder, the skill the same',
    kind: 'volatility',
  },
];

/**
 * `product`: what the monitor does. The others are what it must not be: `known` divides by the variance known at the
 * decision only, `raw` by nothing, `textbook` takes its threshold from a book.
 */
export type Method = 'product' | 'known' | 'raw' | 'textbook';
export const methods: readonly Method[] = ['product', 'known', 'raw', 'textbook'];

interface Series {
  readonly returns: Float64Array;
  readonly known: Float64Array;
}

const barsOf = ({ timeframe }: Cell, values: number): number =>
  timeframe === '1d' ? values : 24 * values;

export function seriesOf(market: Market, seed: number, cell: Cell): Series {
  const rows =
    WARM_UP + barsOf(cell, HISTORY + YEARS * cell.perYear) + settlingBars(cell.horizon) + 1;
  const draws = drawsOf(seed);
  return { returns: market.returns(draws, rows), known: signal(draws, rows) };
}

/**
 * Normalised losses of one series, one value a session. `factor` is what the volatility is multiplied by from
 * CHANGE_AT on.
 */
export function lossesOf(series: Series, cell: Cell, factor: number, method: Method): Float64Array {
  const { horizon, timeframe } = cell;
  const changed = WARM_UP + barsOf(cell, HISTORY + CHANGE_AT);
  const returns = series.returns.map((r, t) => (t > changed ? factor * r : r));
  const rows = returns.length - settlingBars(horizon) - 1;
  const label = labelsOf(returns, rows, horizon);
  const wild = (t: number): number => (t >= changed ? factor : 1);
  // The forecast misses what nobody can know, and half of the noise that it sees the signal through.
  const loss = label.map(
    (noise, t) => horizon * (noise + wild(t) * FORECAST_SD * 0.5 * series.known[t]!) ** 2,
  );
  const variance = varianceOf(returns, horizon, method).subarray(WARM_UP, rows);
  const all = normalisedLosses({
    losses: [{ horizon, weight: 1, loss: loss.subarray(WARM_UP) }],
    variance,
    floor: varianceFloor(variance.subarray(0, barsOf(cell, HISTORY))),
  });
  if (timeframe === '1d') return all;
  const hourMs = DAY_MS / 24;
  const times = all.map((_, i) => i * hourMs);
  return dailyMeans(times, all, all.length * hourMs).values;
}

function varianceOf(returns: Float64Array, horizon: number, method: Method): Float64Array {
  if (method === 'raw') return returns.map(() => 1);
  return method === 'known' ? ewmaVariance(returns) : lossVariance(returns, horizon);
}

/** One monitored stretch: when it alarmed and when the lifecycle retrained, in values since the history's end. */
export interface Watched {
  readonly alarms: readonly number[];
  readonly retrains: readonly number[];
}

export const RULE: RetrainRule = {
  every: null,
  cooldown: 21,
  maxAge: Infinity,
  budgetMinutes: 120,
};
/** A retrain ends in a shadow trial; an equal challenger is undecided until its last day. */
export const TRIAL_SESSIONS = 60;

/**
 * The monitor and the retrain rule, one value a session. The champion stays in every trial: nothing better exists.
 * Age and cadence ask for nothing here: what they start is no false alarm.
 */
export function watch(u: Float64Array, calibration: Calibration): Watched {
  const alarms: number[] = [];
  const retrains: number[] = [];
  const pending = new Set<RetrainReason>();
  let state = startCusum();
  for (let t = 0; t < u.length; t++) {
    const { state: next, alarm } = stepCusum(state, u[t]!, t * DAY_MS, calibration);
    state = next;
    if (alarm) {
      alarms.push(t);
      pending.add('loss');
    }
    const sinceRetrain = retrains.length === 0 ? null : t - retrains.at(-1)!;
    const facts = {
      championVersion: 1,
      frozen: null,
      age: 0,
      sinceRetrain,
      retrainRunning: false,
      trialRunning: sinceRetrain !== null && sinceRetrain < TRIAL_SESSIONS,
      budgetUsedMinutes: 0,
    };
    if (decideRetrain(facts, [...pending], RULE).action !== 'retrain') continue;
    retrains.push(t);
    pending.clear();
  }
  return { alarms, retrains };
}

export function calibrationOf(history: Float64Array, cell: Cell, seed: number): Calibration {
  const block = blockOf(cell.horizon, cell.timeframe);
  const result = calibrateCusum(history, { perYear: cell.perYear, block, seed });
  if (result.status === 'notCalibrated') throw new Error(result.reason);
  return result;
}

/** A threshold out of a book (k = .5, h = 5 SDs), made for independent normal values. */
const textbook = (calibration: Calibration): Calibration => ({ ...calibration, k: 0.5, c: 5 });

/** What came of all pairs of one design in one cell, one market and one method. */
export interface Count {
  readonly cell: Cell;
  readonly market: string;
  readonly design: Design;
  readonly method: Method;
  pairs: number;
  /** One entry a year and pair, year after year (unchanged only). */
  readonly retrains: number[];
  readonly alarms: number[];
  /** Pairs with an alarm within a year after the change (unchanged: in the same stretch). */
  alarmed: number;
  /** Values from the change to the first alarm, its settling included, of those that came within a year. */
  readonly delays: number[];
}

export interface Run {
  /** Pairs of each market. */
  readonly pairs: number;
  readonly seed: number;
  readonly cells: readonly Cell[];
  /** The planted mistakes are held against every n-th pair only: they are far outside. */
  readonly plantedEvery?: number;
  readonly progress?: (done: string) => void;
}

export function simulate(run: Run): readonly Count[] {
  const counts: Count[] = [];
  for (const cell of run.cells) {
    for (const [at, market] of markets.entries()) {
      const mine = methods.flatMap((method) =>
        designs.map((design) => emptyCount(cell, market.name, design, method)),
      );
      for (let pair = 0; pair < run.pairs; pair++) {
        const seed = run.seed * 1_000_000 + pair * markets.length + at;
        const watched = pair % (run.plantedEvery ?? 1) === 0 ? mine : mine.filter(isProduct);
        observe(watched, seriesOf(market, seed, cell), cell, seed);
      }
      counts.push(...mine);
      run.progress?.(`${cell.name}, ${market.name}`);
    }
  }
  return counts;
}

const isProduct = ({ method }: Count): boolean => method === 'product';

const emptyCount = (cell: Cell, market: string, design: Design, method: Method): Count => {
  const figures = { pairs: 0, retrains: [], alarms: [], alarmed: 0, delays: [] };
  return { cell, market, design, method, ...figures };
};

function observe(counts: readonly Count[], series: Series, cell: Cell, seed: number): void {
  // A threshold out of a book is held against the product's own losses: one calibration serves both.
  const sources = new Set(counts.map(({ method }) => sourceOf(method)));
  for (const source of sources) {
    const calm = lossesOf(series, cell, 1, source);
    const wild = lossesOf(series, cell, 2, source);
    const own = calibrationOf(calm.subarray(0, HISTORY), cell, seed);
    for (const count of counts.filter(({ method }) => sourceOf(method) === source)) {
      const { kind, rise } = count.design;
      const future = (kind === 'volatility' ? wild : calm).subarray(HISTORY);
      const length = kind === 'unchanged' ? future.length : CHANGE_AT + cell.perYear;
      const shifted = Float64Array.from({ length }, (_, t) =>
        rise && t >= CHANGE_AT ? future[t]! + rise(t - CHANGE_AT) * own.sd0 : future[t]!,
      );
      record(count, watch(shifted, count.method === 'textbook' ? textbook(own) : own));
    }
  }
}

const sourceOf = (method: Method): Method => (method === 'textbook' ? 'product' : method);

function record(count: Count, { alarms, retrains }: Watched): void {
  const { perYear } = count.cell;
  count.pairs++;
  if (count.design.kind === 'unchanged') {
    for (let year = 0; year < YEARS; year++) {
      const inYear = (at: number): boolean => Math.floor(at / perYear) === year;
      count.retrains.push(retrains.filter(inYear).length);
      count.alarms.push(alarms.filter(inYear).length);
    }
  }
  const first = alarms.find((at) => at >= CHANGE_AT && at < CHANGE_AT + perYear);
  if (first === undefined) return;
  count.alarmed++;
  count.delays.push(first - CHANGE_AT + waitOf(count.cell));
}

/** Values between a decision and the moment its loss is judged: they are part of the delay. */
const waitOf = ({ timeframe, horizon }: Cell): number =>
  timeframe === '1d' ? settlingBars(horizon) : Math.ceil(settlingBars(horizon) / 24);
