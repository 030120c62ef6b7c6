import { sliceBars, type Bars } from '../bars/bars.ts';
import { lowerBound } from '../bars/build.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { emergencyColumns } from '../signals/index.ts';
import { decide, needsModel, type StrategySpec } from '../strategies/index.ts';
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
  readonly rules: BacktestRules;
  /** Open times of the first and last bar that is decided on, ms UTC. */
  readonly from: number;
  readonly to: number;
  readonly paths: number;
  readonly seed: number;
  /** Sharpe ratios a bar of what was tried before under the same name: luck among many is not skill. */
  readonly earlierSharpes: readonly number[];
}

export interface SimulatedStrategy {
  readonly name: string;
  readonly result: BacktestResult;
}

/**
 * Every strategy through the same period, instruments, rules and costs, an equal share of equity in each instrument. Where no
 * rule says otherwise, a position is left at the next open when its emergency score is high (core/signals/emergency).
 * Pure and deterministic. `onStep` is called between strategies. Throws what `decide` and `evaluateBacktest` throw.
 */
export async function simulate(
  simulation: Simulation,
  onStep: () => Promise<void>,
): Promise<readonly SimulatedStrategy[]> {
  const { rules, paths, seed } = simulation;
  const names = Object.keys(simulation.strategies);
  const all = new Map<string, readonly InstrumentSeries[]>();
  for (const name of names) {
    all.set(name, seriesOf(simulation, simulation.strategies[name]!));
    await onStep();
  }
  const tries = triesOf([...all.values()], rules, simulation.earlierSharpes);
  const results: SimulatedStrategy[] = [];
  for (const [i, name] of names.entries()) {
    const options = { tries, paths, seed, sensitivity: i === 0 };
    results.push({ name, result: evaluateBacktest(all.get(name)!, rules, options) });
    await onStep();
  }
  return results;
}

/** What one strategy wants of each instrument, from the first bar of the period on. */
function seriesOf(
  { instruments, from, to }: Simulation,
  spec: StrategySpec,
): readonly InstrumentSeries[] {
  const series = instruments.map(({ bars: whole, calendar, answers }): InstrumentSeries => {
    const bars = sliceBars(whole, 0, lowerBound(whole.openTime, to + 1));
    const asks = answers !== undefined && needsModel(spec);
    const aligned = asks ? alignAnswers(bars, answers) : undefined;
    const input = { bars, calendar, ...(aligned && { model: aligned.model }) };
    const { positions } = decide(spec, input);
    return {
      bars,
      calendar,
      targets: positions.map((position) => position / instruments.length),
      emergencyScore: emergencyColumns(bars, calendar, aligned?.lean).score,
    };
  });
  return startingAt(series, from);
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
