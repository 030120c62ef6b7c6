import type { Sizer } from '../advice/sizer.ts';
import { sliceBars, type Bars } from '../bars/bars.ts';
import { lowerBound } from '../bars/build.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { emergencyColumns } from '../signals/index.ts';
import { adviceOf, decide, needsModel, type StrategySpec } from '../strategies/index.ts';
import { portfolioTargets, type PortfolioSpec } from '../strategies/portfolio/index.ts';
import { accountOf, type AccountAt } from './account.ts';
import { alignAnswers, type AnswerColumns } from './answers.ts';
import { runBacktest } from './engine.ts';
import { evaluateBacktest } from './evaluate.ts';
import { BacktestFacts, yearOf, type Tries } from './facts.ts';
import { sharpePerBar } from './metrics/moments.ts';
import type { BacktestResult } from './result.ts';
import type { BacktestRules } from './rules.ts';
import { tradedIn } from './traded.ts';
import { startingAt, type InstrumentSeries } from './series.ts';
import { answerCounts, unansweredText, type AnswerCounts } from './unanswered.ts';

/** One instrument: its whole recorded history, so that strategies are warm when the period begins. */
export interface SimulatedInstrument {
  readonly bars: Bars;
  readonly calendar: Calendar;
  /** From a bar's close until it is known, ms; see `InstrumentSeries`. */
  readonly knownAfterMs?: number;
  /** Of the model, where one is asked. */
  readonly answers?: AnswerColumns | undefined;
}

export interface Simulation {
  readonly instruments: readonly SimulatedInstrument[];
  /** By name; the first is the one that the result is about. */
  readonly strategies: Readonly<Record<string, StrategySpec>>;
  /** Who says the sizes of a strategy by name, of those that take advice; absent: the rule. */
  readonly sizers?: Readonly<Record<string, (instrument: string) => Sizer>>;
  /** By name, after the strategies: how some of them share the money, `of` by their names. */
  readonly portfolios?: Readonly<Record<string, PortfolioOf>>;
  readonly rules: BacktestRules;
  /** Open times of the first and last bar that is decided on, ms UTC. */
  readonly from: number;
  readonly to: number;
  readonly paths: number;
  readonly seed: number;
  /** Sharpe ratios by bar, annualised, of what was tried before under the same name: luck among many is not skill. */
  readonly earlierSharpes: readonly number[];
}

export interface PortfolioOf extends PortfolioSpec {
  readonly of: readonly string[];
}

export interface SimulatedStrategy {
  readonly name: string;
  readonly result: BacktestResult;
  /** Of one that takes advice: what stands beside it. */
  readonly twins?: SizeTwins;
}

/** The same positions at sizes that nobody advised, by the names of their results. */
export interface SizeTwins {
  /** Whole positions. */
  readonly fixed: string;
  /** At the mean advised size: what merely holding less would have brought. */
  readonly mean: string;
  /** Over bars of the period with a position that the rules let be held; 1 where there is none. */
  readonly meanSize: number;
}

/** Names of what stands beside a strategy that takes advice. */
export const twinNames = (name: string): Pick<SizeTwins, 'fixed' | 'mean'> => ({
  fixed: `${name}-fixed`,
  mean: `${name}-mean`,
});

/**
 * Every strategy through the same period, instruments, rules and costs, an equal share of equity in each instrument; then,
 * of those that take advice, the same positions at a fixed size and at the mean advised one; then the
 * portfolios, whose weights are decided anew from time to time (core/strategies/portfolio). Where the rules set an
 * `emergencyScore`, longs are left at it (core/signals/emergency). Instruments without bars in the period get no share, which
 * a note says. Pure and deterministic. `onStep` is called between strategies. Throws `backtest.period` where no instrument has
 * a bar in the period, and what `decide` and `evaluateBacktest` throw.
 */
export async function simulate(
  asked: Simulation,
  onStep: () => Promise<void>,
): Promise<readonly SimulatedStrategy[]> {
  const { traded, notes } = tradedIn(asked.instruments, asked);
  const simulation = { ...asked, instruments: traded };
  const { rules, paths, seed } = simulation;
  const all = new Map<string, readonly InstrumentSeries[]>();
  const wanted = new Map<string, readonly Wanted[]>();
  const add = async (name: string, of: readonly Wanted[]): Promise<void> => {
    wanted.set(name, of);
    all.set(name, startingAt(equalShares(of), simulation.from));
    await onStep();
  };
  for (const [name, spec] of Object.entries(simulation.strategies)) {
    await add(name, wantedOf(simulation, spec, simulation.sizers?.[name]));
  }
  const twins = new Map<string, SizeTwins>();
  for (const [name, spec] of Object.entries(simulation.strategies)) {
    const advice = adviceOf(spec);
    if (advice === undefined) continue;
    const whole = wantedOf(simulation, advice.of);
    const meanSize = meanSizeOf(simulation, wanted.get(name)!, whole);
    const { fixed, mean } = twinNames(name);
    twins.set(name, { fixed, mean, meanSize });
    await add(fixed, whole);
    await add(
      mean,
      whole.map((one) => ({ ...one, positions: atSize(one.positions, meanSize) })),
    );
  }
  for (const [name, portfolio] of Object.entries(simulation.portfolios ?? {})) {
    all.set(name, startingAt(sharesOf(portfolio, wanted), simulation.from));
    await onStep();
  }
  const names = [...all.keys()];
  const counts = answerCounts(simulation.instruments, simulation);
  const asking = (name: string): boolean =>
    (simulation.portfolios?.[name]?.of ?? [name]).some((of) =>
      wanted.get(of)!.some(({ asks }) => asks),
    );
  const tries = triesOf([...all.values()], rules, simulation.earlierSharpes);
  const results: SimulatedStrategy[] = [];
  for (const [i, name] of names.entries()) {
    const options = { tries, paths, seed, sensitivity: i === 0 };
    const result = evaluateBacktest(all.get(name)!, rules, options);
    const withNotes = { ...result, notes: [...notes, ...result.notes] };
    const own = twins.get(name);
    const told = asking(name) ? withAnswers(withNotes, counts) : withNotes;
    results.push({ name, result: told, ...(own && { twins: own }) });
    await onStep();
  }
  return results;
}

/** The first of its notes says how often there was no answer. */
function withAnswers(result: BacktestResult, counts: AnswerCounts | undefined): BacktestResult {
  if (counts === undefined) return result;
  const words = unansweredText(counts);
  const note = `N${words?.slice(1)}: there the fallback of the strategy decided, else it was flat.`;
  return { ...result, answers: counts, notes: [...(words ? [note] : []), ...result.notes] };
}

/** What a strategy wants of one instrument, at each of its bars up to the end of the period. */
interface Wanted extends Omit<InstrumentSeries, 'targets'> {
  readonly positions: Float64Array;
  /** Its emergency score knows what a model said. */
  readonly asks: boolean;
}

const atSize = (positions: Float64Array, size: number): Float64Array =>
  positions.map((position) => position * size);

/** Mean share of the whole positions that was advised. */
function meanSizeOf(
  { rules, from }: Simulation,
  advised: readonly Wanted[],
  whole: readonly Wanted[],
): number {
  let [sum, count] = [0, 0];
  whole.forEach(({ bars, positions }, i) => {
    for (let t = lowerBound(bars.openTime, from); t < positions.length; t++) {
      const position = positions[t]!;
      if (!(position > 0 || (rules.allowShort && position < 0))) continue;
      const size = advised[i]!.positions[t]! / position;
      if (!Number.isFinite(size)) continue;
      sum += size;
      count++;
    }
  });
  return count === 0 ? 1 : sum / count;
}

type Deciding = Pick<Simulation, 'instruments' | 'rules' | 'from' | 'to'>;

/** What advice knows of an account: of one that holds the whole positions, for that of the advised ones depends on the answer. */
function accountFor(simulation: Deciding, spec: StrategySpec): AccountAt | undefined {
  const advice = adviceOf(spec);
  if (advice?.account !== 'fixed') return undefined;
  const whole = equalShares(wantedOf(simulation, advice.of));
  return accountOf(startingAt(whole, simulation.from), simulation.rules);
}

function wantedOf(
  simulation: Deciding,
  spec: StrategySpec,
  sizerOf?: (instrument: string) => Sizer,
): readonly Wanted[] {
  const { instruments, to } = simulation;
  const account = accountFor(simulation, spec);
  return instruments.map(({ bars: whole, calendar, knownAfterMs, answers }) => {
    const bars = sliceBars(whole, 0, lowerBound(whole.openTime, to + 1));
    const asks = answers !== undefined && needsModel(spec);
    const aligned = asks ? alignAnswers(bars, answers) : undefined;
    const input = {
      ...{ bars, calendar },
      ...(aligned && { model: aligned.model }),
      ...(sizerOf && { sizer: sizerOf(bars.instrument) }),
      ...(account && { account: (at: number) => account(bars.instrument, at) }),
    };
    const { positions } = decide(spec, input);
    const emergencyScore = emergencyColumns(bars, calendar, aligned?.lean).score;
    return { bars, calendar, knownAfterMs, positions, emergencyScore, asks };
  });
}

const equalShares = (wanted: readonly Wanted[]): readonly InstrumentSeries[] =>
  wanted.map(({ bars, calendar, knownAfterMs, positions, emergencyScore }) => ({
    ...{ bars, calendar, knownAfterMs },
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
    const { emergencyScore, knownAfterMs } = own.find(({ asks }) => asks) ?? own[0]!;
    const score = emergencyScore && { emergencyScore };
    return { bars, calendar, knownAfterMs, targets, ...score };
  });
}

/**
 * How many were tried, these included, and how their Sharpe ratios a bar spread. `earlier` are annualised, perhaps of
 * other bars: all are put in the unit of this backtest's bars.
 */
function triesOf(
  all: readonly (readonly InstrumentSeries[])[],
  rules: BacktestRules,
  earlier: readonly number[],
): Tries {
  const own = all.map((series) => {
    const run = runBacktest(series, rules);
    const kinds = series.map(({ bars, calendar }) => ({ calendar, timeframe: bars.timeframe }));
    return new BacktestFacts(run, yearOf(kinds, run.time));
  });
  const toBar = 1 / Math.sqrt(own[0]?.barsPerYear ?? NaN);
  const sharpes = [
    ...earlier.map((ratio) => ratio * toBar),
    ...own.map(({ moments }) => sharpePerBar(moments)),
  ].filter(Number.isFinite);
  if (sharpes.length < 2) return { count: 1 };
  const mean = sharpes.reduce((sum, x) => sum + x, 0) / sharpes.length;
  const squares = sharpes.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  return { count: sharpes.length, sharpeSd: Math.sqrt(squares / (sharpes.length - 1)) };
}

/** What a strategy would ask about sizes, before anybody answers: its questions go to `sizerOf`, of all of the history. */
export function questionsOf(
  simulation: Deciding,
  spec: StrategySpec,
  sizerOf: (instrument: string) => Sizer,
): void {
  wantedOf(simulation, spec, sizerOf);
}
