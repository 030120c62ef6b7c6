import { sliceBars, type Bars } from '../bars/bars.ts';
import { lowerBound } from '../bars/build.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { emergencyColumns } from '../signals/index.ts';
import { decide, needsModel, type StrategySpec } from '../strategies/index.ts';
import { portfolioTargets, type PortfolioSpec } from '../strategies/portfolio/index.ts';
import { alignAnswers, type AnswerColumns } from './answers.ts';
import { runBacktest } from './engine.ts';
import { evaluateBacktest } from './evaluate.ts';
import { BacktestFacts, yearOf, type Tries } from './facts.ts';
import { sharpeByBar } from './metrics/ratios.ts';
import type { BacktestResult } from './result.ts';
import type { BacktestRules } from './rules.ts';
import { startingAt, type InstrumentSeries } from './series.ts';

/** One instrument: its whole recorded history, so that strategies are warm when the period begins. */
export interface SimulatedInstrument {
  readonly bars: Bars;
  readonly calendar: Calendar;
  /** Of the model, where one is asked. */
  readonly answers?: AnswerColumns | undefined;
}

export interface Simulation {
  readonly instruments: readonly SimulatedInstrument[];
  /** By name; the first is the one that the result is about. */
  readonly strategies: Readonly<Record<string, StrategySpec>>;
  /** By name, after the strategies: how some of them share the money, `of` by their names. */
  readonly portfolios?: Readonly<Record<string, PortfolioOf>>;
  readonly rules: BacktestRules;
  /** Open times of the first and last bar that is decided on, ms UTC. */
  readonly from: number;
  readonly to: number;
  readonly paths: number;
  readonly seed: number;
  /** Sharpe ratios a bar of what was tried before under the same name: luck among many is not skill. */
  readonly earlierSharpes: readonly number[];
}

export interface PortfolioOf extends PortfolioSpec {
  readonly of: readonly string[];
}

export interface SimulatedStrategy {
  readonly name: string;
  readonly result: BacktestResult;
}

/**
 * Every strategy through the same period, instruments, rules and costs, an equal share of equity in each instrument; then the
 * portfolios, whose weights are decided anew from time to time (core/strategies/portfolio). Where no
 * rule says otherwise, a position is left at the next open when its emergency score is high (core/signals/emergency).
 * Pure and deterministic. `onStep` is called between strategies. Throws what `decide` and `evaluateBacktest` throw.
 */
export async function simulate(
  simulation: Simulation,
  onStep: () => Promise<void>,
): Promise<readonly SimulatedStrategy[]> {
  const { rules, paths, seed } = simulation;
  const all = new Map<string, readonly InstrumentSeries[]>();
  const wanted = new Map<string, readonly Wanted[]>();
  for (const [name, spec] of Object.entries(simulation.strategies)) {
    const of = wantedOf(simulation, spec);
    wanted.set(name, of);
    all.set(name, startingAt(equalShares(of), simulation.from));
    await onStep();
  }
  for (const [name, portfolio] of Object.entries(simulation.portfolios ?? {})) {
    all.set(name, startingAt(sharesOf(portfolio, wanted), simulation.from));
    await onStep();
  }
  const names = [...all.keys()];
  const tries = triesOf([...all.values()], rules, simulation.earlierSharpes);
  const results: SimulatedStrategy[] = [];
  for (const [i, name] of names.entries()) {
    const options = { tries, paths, seed, sensitivity: i === 0 };
    results.push({ name, result: evaluateBacktest(all.get(name)!, rules, options) });
    await onStep();
  }
  return results;
}

/** What a strategy wants of one instrument, at each of its bars up to the end of the period. */
interface Wanted extends Omit<InstrumentSeries, 'targets'> {
  readonly positions: Float64Array;
  /** Its emergency score knows what a model said. */
  readonly asks: boolean;
}

function wantedOf({ instruments, to }: Simulation, spec: StrategySpec): readonly Wanted[] {
  return instruments.map(({ bars: whole, calendar, answers }) => {
    const bars = sliceBars(whole, 0, lowerBound(whole.openTime, to + 1));
    const asks = answers !== undefined && needsModel(spec);
    const aligned = asks ? alignAnswers(bars, answers) : undefined;
    const input = { bars, calendar, ...(aligned && { model: aligned.model }) };
    const { positions } = decide(spec, input);
    const emergencyScore = emergencyColumns(bars, calendar, aligned?.lean).score;
    return { bars, calendar, positions, emergencyScore, asks };
  });
}

const equalShares = (wanted: readonly Wanted[]): readonly InstrumentSeries[] =>
  wanted.map(({ bars, calendar, positions, emergencyScore }) => ({
    bars,
    calendar,
    ...(emergencyScore && { emergencyScore }),
    targets: positions.map((position) => position / wanted.length),
  }));

/** What a portfolio wants of each instrument; of its strategies one that asks a model says what is an emergency. */
function sharesOf(
  { of, ...spec }: PortfolioOf,
  wanted: ReadonlyMap<string, readonly Wanted[]>,
): readonly InstrumentSeries[] {
  const columns = of.flatMap((name) =>
    wanted.get(name)!.map((one) => ({ ...one, name: `${name} ${one.bars.instrument}` })),
  );
  return portfolioTargets(columns, spec).instruments.map(({ bars, calendar, targets }) => {
    const own = columns.filter((column) => column.bars.instrument === bars.instrument);
    const { emergencyScore } = own.find(({ asks }) => asks) ?? own[0]!;
    return { bars, calendar, targets, ...(emergencyScore && { emergencyScore }) };
  });
}

/** How many were tried, these included, and how their Sharpe ratios spread. */
function triesOf(
  all: readonly (readonly InstrumentSeries[])[],
  rules: BacktestRules,
  earlier: readonly number[],
): Tries {
  const own = all.map((series) => {
    const run = runBacktest(series, rules);
    const kinds = series.map(({ bars, calendar }) => ({ calendar, timeframe: bars.timeframe }));
    return sharpeByBar.value(new BacktestFacts(run, yearOf(kinds, run.time)));
  });
  const sharpes = [...earlier, ...own].filter(Number.isFinite);
  if (sharpes.length < 2) return { count: 1 };
  const mean = sharpes.reduce((sum, x) => sum + x, 0) / sharpes.length;
  const squares = sharpes.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  return { count: sharpes.length, sharpeSd: Math.sqrt(squares / (sharpes.length - 1)) };
}
