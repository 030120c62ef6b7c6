import { barCount } from '../bars/bars.ts';
import { DAY_MS } from '../calendar/day.ts';
import { blockLength, bootstrapInterval, drawBlocks, type Interval } from '../metrics/bootstrap.ts';
import { isTradable } from '../outcomes/trading-cost.ts';
import { heldRules, heldSeries } from './benchmark.ts';
import { runPrepared, type FiguresRun } from './engine.ts';
import { BacktestFacts, yearOf, type Tries } from './facts.ts';
import { knownLate, knownNotes } from './known.ts';
import { metricValues } from './metrics/index.ts';
import { MIN_RETURNS } from './metrics/moments.ts';
import { sharpe } from './metrics/ratios.ts';
import { monteCarlo } from './monte-carlo.ts';
import { BACKTEST_FORMAT, type BacktestResult } from './result.ts';
import { drawdownCurve, listOf, monthlyReturns, type DrawdownSpan } from './returns.ts';
import { prepare, type Prepared, type PreparedSeries } from './prepared.ts';
import type { BacktestRules } from './rules.ts';
import { withScratch, type Scratch } from './scratch.ts';
import { SpareColumns } from '../spare-columns.ts';
import { sensitivityOver } from './sensitivity.ts';
import { costsOf, type InstrumentSeries } from './series.ts';

export interface EvaluateOptions {
  readonly riskFreePerYear?: number;
  /** For the deflated Sharpe ratio; one by default. */
  readonly tries?: Tries;
  /** Of the Sharpe ratio's interval; 0 leaves it out. 2,000 by default. */
  readonly resamples?: number;
  /** Paths of the Monte Carlo; 0, the default, leaves it out. */
  readonly paths?: number;
  readonly seed?: number;
  /** Also runs the other costs and delays; false by default. */
  readonly sensitivity?: boolean;
}

/** A result without its rows. */
export type BacktestFigures = Omit<BacktestResult, 'curve'>;

/**
 * Runs targets over bars with and without costs and beside buy-and-hold, and computes every figure of the catalogue.
 * Bars that warm a strategy up are to be cut off first (`startingAt`). The result is plain JSON.
 * Throws what `runBacktest` and `monteCarlo` throw.
 */
export const evaluateBacktest = (
  given: readonly InstrumentSeries[],
  rules: BacktestRules,
  options: EvaluateOptions = {},
): BacktestResult => evaluated(given, rules, options, curveOf);

/**
 * The same but for the rows: of many bars their lists are a quarter of the work, in vain where strategies are only compared.
 */
export function evaluateFigures(
  given: readonly InstrumentSeries[],
  rules: BacktestRules,
  options: EvaluateOptions = {},
): BacktestFigures {
  const { curve: _, ...figures } = evaluated(given, rules, options, () => undefined);
  return figures;
}

/** What is made of the rows of a run, and of those of buy-and-hold, before others take their place. */
type RowsTo<C> = (run: FiguresRun, held: FiguresRun) => C;

type Evaluated<C> = BacktestFigures & { readonly curve: C };

const evaluated = <C>(
  given: readonly InstrumentSeries[],
  rules: BacktestRules,
  options: EvaluateOptions,
  rowsTo: RowsTo<C>,
): Evaluated<C> =>
  columns.during((column) => {
    const prepared = prepare(given, column);
    const holding = heldSeries(prepared, column);
    return withScratch(prepared.time.length, (scratch) =>
      evaluatePrepared({ prepared, holding, rowsTo }, rules, options, scratch),
    );
  });

/** Instants, and what buy-and-hold wants: of an evaluation nothing but its result stays. */
const columns = new SpareColumns();

function evaluatePrepared<C>(
  given: {
    readonly prepared: Prepared;
    readonly holding: Prepared;
    readonly rowsTo: RowsTo<C>;
  },
  rules: BacktestRules,
  options: EvaluateOptions,
  scratch: Scratch,
): Evaluated<C> {
  const { prepared, holding, rowsTo } = given;
  const { series } = prepared;
  const { riskFreePerYear = 0, tries = { count: 1 }, seed = 1 } = options;
  const year = yearOf(
    series.map(({ bars, calendar }) => ({ calendar, timeframe: bars.timeframe })),
    prepared.time,
  );
  const shared = { ...year, riskFreePerYear, tries };
  /** One after the other in the same columns: of the first one its metrics are all that stays. */
  const factsUnder = (own: BacktestRules): { held: BacktestFacts; facts: BacktestFacts } => {
    const hold = runPrepared(holding, heldRules(own), scratch.hold);
    const returns = scratch.holdReturns;
    const held = new BacktestFacts(hold, { ...shared, benchmark: hold, returns });
    const run = runPrepared(prepared, own, scratch.run);
    const of = { ...shared, benchmark: held, returns: scratch.returns };
    return { held, facts: new BacktestFacts(run, of) };
  };
  const withoutCosts = metricValues(factsUnder({ ...rules, costScale: 0 }).facts);
  const { held, facts } = factsUnder(rules);
  const [run, benchmark] = [facts.run, held.run];
  const instruments = series.map((one) => factsOfInstrument(one, rules));
  const hypothetical = instruments.some((one) => one.hypothetical);
  const { paths = 0, resamples } = options;
  const sensitivity = options.sensitivity === true ? plain(sensitivityOver(prepared, rules)) : null;
  return {
    format: BACKTEST_FORMAT,
    instruments,
    rules,
    rows: run.time.length,
    ...year,
    riskFreePerYear,
    tries,
    ruined: run.ruined,
    hypothetical,
    finalEquity: run.equity.at(-1)!,
    metrics: metricValues(facts),
    withoutCosts,
    buyAndHold: metricValues(held),
    sharpeInterval: sharpeInterval(facts, seed, resamples),
    deepestDrawdown: spanOf(facts.drawdowns.deepest, run.time),
    longestDrawdown: spanOf(facts.drawdowns.longest, run.time),
    curve: rowsTo(run, benchmark),
    months: monthlyReturns(run.time, run.equity, run.initialEquity),
    trades: [...run.trades],
    monteCarlo: paths > 0 ? monteCarlo(facts, { paths, seed }) : null,
    sensitivity,
    notes: [
      ...notesOf(facts, hypothetical),
      ...knownNotes(instruments, aBarLater(sensitivity)),
      ...endedEarly(instruments, run),
    ],
  };
}

const curveOf = (run: FiguresRun, held: FiguresRun): BacktestResult['curve'] => ({
  time: listOf(run.time),
  equity: listOf(run.equity),
  drawdown: drawdownCurve(run.equity, run.initialEquity),
  exposure: listOf(run.exposure),
  costs: soFar(run.costs),
  // A full rotation trades twice what it turns over.
  turnover: soFar(run.traded, 0.5),
  buyAndHold: listOf(held.equity),
});

/** Running sums, each value times `scale`. */
function soFar(column: Float64Array, scale = 1): number[] {
  const out = listOf(column);
  let sum = 0;
  for (let t = 0; t < column.length; t++) out[t] = sum += scale * column[t]!;
  return out;
}

const plain = ({
  costs,
  delays,
}: ReturnType<typeof sensitivityOver>): BacktestResult['sensitivity'] => ({
  costs: [...costs],
  delays: [...delays],
});

/**
 * 95 % interval of the daily Sharpe ratio by the circular block bootstrap of days; blocks as for forecasts one bar
 * ahead. Formula: (mean - risk-free) / sqrt((mean of squares - mean^2) n / (n - 1)) x sqrt(days a year).
 */
export function sharpeInterval(facts: BacktestFacts, seed: number, resamples?: number): Interval {
  const { dailyReturns, daysPerYear, riskFreePerYear } = facts;
  const n = dailyReturns.length;
  const point = sharpe.value(facts);
  if (n < MIN_RETURNS || !Number.isFinite(point) || resamples === 0) {
    const value = Number.isFinite(point) ? point : null;
    return { value, low: null, high: null, tooFewBlocks: n < MIN_RETURNS };
  }
  const draws = drawBlocks({
    n,
    block: blockLength(n, 1, 1),
    seed,
    ...(resamples && { resamples }),
  });
  const groups = { count: n, group: Int32Array.from(dailyReturns.keys()) };
  const interval = bootstrapInterval(
    [dailyReturns, dailyReturns.map((r) => r * r)],
    ([mean = NaN, square = NaN]) => {
      const variance = ((square - mean * mean) * n) / (n - 1);
      return (
        ((mean - riskFreePerYear / daysPerYear) / Math.sqrt(variance)) * Math.sqrt(daysPerYear)
      );
    },
    groups,
    draws,
  );
  return { ...interval, value: point };
}

function factsOfInstrument(
  series: PreparedSeries,
  rules: BacktestRules,
): BacktestResult['instruments'][number] {
  const { bars, calendar } = series;
  return {
    instrument: bars.instrument,
    timeframe: bars.timeframe,
    calendar: calendar.name,
    bars: barCount(bars),
    from: bars.openTime[0]!,
    to: bars.openTime.at(-1)!,
    costs: costsOf(series, rules),
    hypothetical: !isTradable(bars.instrument),
    ...knownLate(series, rules),
  };
}

function spanOf(span: DrawdownSpan | null, time: Float64Array): BacktestResult['deepestDrawdown'] {
  if (span === null) return null;
  const { depth, peak, trough, end, bars, open } = span;
  return {
    depth,
    peak: peak < 0 ? null : time[peak]!,
    trough: time[trough]!,
    end: time[end]!,
    bars,
    open,
  };
}

/** As many trades as a share can be told from: below, the figures are said to be thin. */
const FEW_TRADES = 30;

function notesOf(facts: BacktestFacts, hypothetical: boolean): string[] {
  const { run } = facts;
  const ended = run.trades.filter(({ open }) => !open).length;
  return [
    ...(hypothetical ? ['Hypothetical: an instrument of this backtest cannot be traded.'] : []),
    ...(facts.coversYear ? [] : ['Less than a year: figures a year are no forecast of one.']),
    ...(ended < FEW_TRADES ? [`${ended} ended trades say little of a win rate.`] : []),
    ...(run.ruined ? ['Equity was gone; trading ended there.'] : []),
  ];
}

/** Total returns as it fills, and with every fill a bar later. */
function aBarLater(sensitivity: BacktestResult['sensitivity']): [number, number] | undefined {
  const [own, next] = sensitivity?.delays ?? [];
  return own && next && [own.totalReturn, next.totalReturn];
}

/** Longer than any market is closed. */
const ENDED_MS = 14 * DAY_MS;

/** Positions in instruments whose bars end before the others': nothing says what they are worth since. */
function endedEarly(
  instruments: BacktestResult['instruments'],
  { trades }: FiguresRun,
): readonly string[] {
  const last = Math.max(...instruments.map(({ to }) => to));
  return instruments
    .filter(({ to }) => last - to > ENDED_MS)
    .filter((one) => trades.some(({ open, instrument }) => open && instrument === one.instrument))
    .map(
      ({ instrument }) =>
        `The bars of ${instrument} end early: its position is held at their last close.`,
    );
}
