/** Input drift in unchanged and changed markets: how often the product's own reports ask for a retrain. */
import { DRIFTED_SHARE, inputDrift } from '../../core/drift/input-drift.ts';
import { MAX_WINDOWS, REFERENCE_WINDOWS, type DriftColumns } from '../../core/drift/windows.ts';
import { decideRetrain } from '../../core/lifecycle/retrain-rule.ts';
import { drawsOf, markets } from './markets.ts';
import { RULE, TRIAL_SESSIONS } from './drift-protocol.ts';

const WINDOW = 60;
const YEAR = 252;
const WARM_UP = 120;
const HISTORY = WINDOW * (REFERENCE_WINDOWS + MAX_WINDOWS + 1);
const DAY_MS = 86_400_000;

type Features = (returns: Float64Array, t: number) => readonly number[];

const sumOf = (x: Float64Array, t: number, n: number): number => {
  let sum = 0;
  for (let i = t - n + 1; i <= t; i++) sum += x[i]!;
  return sum;
};
const sdOf = (x: Float64Array, t: number, n: number): number => {
  let squares = 0;
  for (let i = t - n + 1; i <= t; i++) squares += x[i]! ** 2;
  return Math.sqrt(squares / n);
};

/** Momentum, lags, volatilities and positions: twelve of the kinds that feature sets are made of. */
const features: Features = (r, t) => {
  const [fast, slow] = [sdOf(r, t, 5), sdOf(r, t, 20)];
  const up = Array.from({ length: 10 }, (_, i) => (r[t - i]! > 0 ? 1 : 0) as number);
  return [
    r[t]!,
    r[t - 1]!,
    sumOf(r, t, 3),
    sumOf(r, t, 5),
    sumOf(r, t, 20),
    Math.abs(r[t]!),
    fast,
    slow,
    fast / slow,
    sumOf(r, t, 10) / (slow * Math.sqrt(10)),
    up.reduce((sum, one) => sum + one, 0) / up.length,
    Math.max(r[t]!, r[t - 1]!, r[t - 2]!, r[t - 3]!, r[t - 4]!),
  ];
};
const NAMES = Array.from({ length: 12 }, (_, i) => `f${i}`);

export interface InputCount {
  readonly design: string;
  readonly market: string;
  years: number;
  reports: number;
  /** Reports whose verdict is drift, and those where 20 % of the features alone would say so. */
  drifted: number;
  shareOnly: number;
  /** Stretches of reports that ask. */
  signals: number;
  retrains: number;
  /** Years with at least one. */
  found: number;
}

const designs = [
  { name: 'unchanged', factor: 1 },
  { name: 'volatility x3', factor: 3 },
] as const;

/** A year of daily reports after a history of 45 windows; the change comes with the year's first bar. */
export function simulateInputs(run: {
  readonly years: number;
  readonly seed: number;
  readonly progress?: (done: string) => void;
}): readonly InputCount[] {
  return designs.flatMap(({ name, factor }) =>
    markets.map((market, at) => {
      const zero = {
        years: 0,
        reports: 0,
        drifted: 0,
        shareOnly: 0,
        signals: 0,
        retrains: 0,
        found: 0,
      };
      const count: InputCount = { design: name, market: market.name, ...zero };
      for (let year = 0; year < run.years; year++) {
        const draws = drawsOf(run.seed * 1_000_000 + 500_000 + year * markets.length + at);
        const changed = WARM_UP + HISTORY;
        const returns = market
          .returns(draws, changed + YEAR)
          .map((r, t) => (t >= changed ? factor * r : r));
        observeYear(count, returns);
      }
      run.progress?.(`inputs, ${name}, ${market.name}`);
      return count;
    }),
  );
}

function observeYear(count: InputCount, returns: Float64Array): void {
  const rows = returns.length - WARM_UP;
  const width = NAMES.length;
  const values = new Float64Array(rows * width);
  for (let row = 0; row < rows; row++) values.set(features(returns, row + WARM_UP), row * width);
  const openTime = Float64Array.from({ length: rows }, (_, row) => row * DAY_MS);
  const until = (end: number): DriftColumns => ({
    names: NAMES,
    rows: end,
    openTime: openTime.subarray(0, end),
    values: values.subarray(0, end * width),
  });
  let [before, asking] = [false, false];
  let lastRetrain: number | null = null;
  const signalsBefore = count.signals;
  for (let day = 1; day <= YEAR; day++) {
    const { verdict, share } = inputDrift(until(HISTORY + day), {
      window: WINDOW,
      classifier: 'whenNeeded',
    });
    const drifted = verdict === 'drift';
    const asks = drifted && before;
    count.reports++;
    if (drifted) count.drifted++;
    if (share! >= DRIFTED_SHARE) count.shareOnly++;
    if (asks && !asking) count.signals++;
    if (asks && retrainsNow(day, lastRetrain)) {
      count.retrains++;
      lastRetrain = day;
    }
    [before, asking] = [drifted, asks];
  }
  count.years++;
  if (count.signals > signalsBefore) count.found++;
}

function retrainsNow(day: number, lastRetrain: number | null): boolean {
  const sinceRetrain = lastRetrain === null ? null : day - lastRetrain;
  const facts = {
    championVersion: 1,
    frozen: null,
    age: 0,
    sinceRetrain,
    retrainRunning: false,
    trialRunning: sinceRetrain !== null && sinceRetrain < TRIAL_SESSIONS,
    budgetUsedMinutes: 0,
  };
  return decideRetrain(facts, ['input-twice'], RULE).action === 'retrain';
}
