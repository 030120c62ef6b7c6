import { setImmediate } from 'node:timers/promises';
import { Option, type Command } from 'commander';
import { barCount, TIMEFRAMES } from '../../../core/bars/bars.ts';
import { calendars } from '../../../core/calendar/index.ts';
import { LEVELS } from '../../../core/features/index.ts';
import { ANCHOR_BARS, barPositions } from '../../../core/indicators/index.ts';
import {
  barsNeededFor,
  checkLookahead,
  checkWarmup,
  drawnRows,
  type Starts,
  type Subject,
} from '../../../core/lookahead/index.ts';
import { isoTime } from '../../../core/calendar/day.ts';
import { fraction, integer, list } from '../options.ts';
import { CliError, EXIT, type CliContext } from '../output.ts';
import { askedBars, barsWords, type BarsFacts, type BarsOptions } from './asked-bars.ts';
import type { AskedBars, Plan } from './plan.ts';
import { ALL, knownNames, targetOf, type TargetOptions } from './target.ts';
import { tellLookahead, tellWarmup, type LookaheadFinding, type WarmupFinding } from './words.ts';

const SEED_MAX = 2 ** 31 - 1;
const ROWS_SHOWN = 20;

type CheckOptions = BarsOptions & TargetOptions;
interface LookaheadOptions extends CheckOptions {
  readonly cuts: number;
}
interface WarmupOptions extends CheckOptions {
  readonly starts: number;
  readonly tolerance: number;
  readonly rows: number;
}

/** What a name or file stands for; a test gives definitions of its own. */
export type FindTarget = typeof targetOf;

/** `lookahead`, `warmup`. */
export function register(program: Command, ctx: CliContext, find: FindTarget = targetOf): void {
  checkCommand(program, 'lookahead')
    .description('name every column that reads bars it cannot know yet')
    .option('--cuts <n>', 'places at which later bars are taken away', integer(1, 10_000), 32)
    .action((targets: string[], options: LookaheadOptions) =>
      lookahead(ctx, targets, options, find),
    );
  checkCommand(program, 'warmup')
    .description('measure how many bars every column needs, beside what it declares')
    .option('--starts <n>', 'places at which histories begin', integer(1, 1000), 8)
    .option(
      '--tolerance <x>',
      'relative differences up to this are none; 0: every bit counts',
      fraction(0, 1),
      0,
    )
    .option('-n, --rows <n>', 'columns shown', integer(1, 10_000), ROWS_SHOWN)
    .action((targets: string[], options: WarmupOptions) => warmup(ctx, targets, options, find));
}

/** Exits with 1 where something is found. */
function checkCommand(program: Command, name: string): Command {
  return program
    .command(name)
    .argument('<target...>', `a feature set, label or strategy, a spec file, or "${ALL}"`)
    .option('-i, --instrument <id>', 'its newest frozen bars (default: simulated bars)')
    .addOption(new Option('--simulated', 'simulated bars').conflicts('instrument'))
    .addOption(
      new Option(
        '-t, --timeframe <length>',
        'of the bars (default: that of the file, else 1d)',
      ).choices(TIMEFRAMES),
    )
    .addOption(
      new Option(
        '--calendar <name>',
        'when they trade (default: by the bars; simulated: 1d nyse, 1h 24x7)',
      ).choices([...calendars.keys()]),
    )
    .option('--bars <n>', 'how many, the newest (default: as many as needed)', integer(10, 100_000))
    .option('--seed <n>', 'of all that is drawn', integer(0, SEED_MAX), 1)
    .addOption(new Option('--levels <units>', 'of a feature set that has them').choices(LEVELS))
    .option('--horizons <bars>', 'of a label, with commas', horizons)
    .addHelpText('after', `\nNames: ${knownNames().join(', ')}\nExit code 1: something was found.`);
}

const horizons = (text: string): number[] => list(text).map(integer(1, 250));

interface Opened {
  readonly plan: Plan;
  readonly subject: Subject;
}

interface Asking {
  readonly find: FindTarget;
  /** Bars that a plan needs at least. */
  readonly needed: (plan: Plan) => number;
  /** Absent: all plans are asked. */
  readonly kept?: (plan: Plan) => boolean;
}

async function opened(
  ctx: CliContext,
  targets: readonly string[],
  options: CheckOptions,
  { find, needed, kept = () => true }: Asking,
): Promise<AskedBars & { readonly facts: BarsFacts; readonly subjects: readonly Opened[] }> {
  const found = await Promise.all(targets.map((target) => find(target, options)));
  const plans = found.flatMap((target) => target.plans).filter(kept);
  if (plans.length === 0) throw new CliError(EXIT.usage, 'none of these declares what it needs');
  const timeframe = options.timeframe ?? found.find((each) => each.timeframe)?.timeframe;
  const asked = await askedBars(
    ctx,
    { ...options, ...(timeframe && { timeframe }) },
    plans,
    needed,
  );
  return { ...asked, subjects: plans.map((plan) => ({ plan, subject: plan.open(asked) })) };
}

/** Runs `check` of each subject; a person sees which one it is at, and may interrupt between two. */
async function each<Finding>(
  ctx: CliContext,
  subjects: readonly Opened[],
  check: (subject: Subject) => Finding,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { subject } of subjects) {
    if (ctx.interactive) ctx.out.progress(`${subject.kind} ${subject.name}`);
    await setImmediate();
    ctx.signal.throwIfAborted();
    findings.push(check(subject));
  }
  ctx.out.endProgress();
  return findings;
}

async function lookahead(
  ctx: CliContext,
  targets: readonly string[],
  options: LookaheadOptions,
  find: FindTarget,
): Promise<void> {
  const needed = (plan: Plan): number => firstCut(plan) + 1;
  const { bars, facts, subjects } = await opened(ctx, targets, options, { find, needed });
  const findings = await each(ctx, subjects, (subject): LookaheadFinding => {
    const cuts = cutsOf(subject, barCount(bars), options);
    return { subject, bars, ...checkLookahead(subject, bars, cuts) };
  });
  const columns = findings.reduce((sum, { changed }) => sum + changed.length, 0);
  ctx.out.data({
    bars: facts,
    cuts: options.cuts,
    found: columns,
    subjects: findings.map(({ changed, unchecked }, i) => ({
      ...factsOf(subjects[i]!),
      changed: changed.map(({ column, openTimes, readsAhead, largest }) => ({
        ...{ column, readsAhead, openTimes: openTimes.map(isoTime) },
        largest: { ...largest, row: undefined, openTime: isoTime(bars.openTime[largest.row]!) },
      })),
      unchecked,
    })),
  });
  if (!ctx.json) {
    ctx.out.line(`${barsWords(facts)}; cut at ${options.cuts} places`);
    tellStandIn(ctx, subjects);
    tellLookahead(ctx, findings);
  }
  if (columns > 0) process.exitCode = EXIT.failed;
}

async function warmup(
  ctx: CliContext,
  targets: readonly string[],
  options: WarmupOptions,
  find: FindTarget,
): Promise<void> {
  const needed = (plan: Plan): number => barsNeededFor(plan) + ANCHOR_BARS;
  const asked = await opened(ctx, targets, options, {
    ...{ find, needed },
    kept: ({ declaresHistory }) => declaresHistory,
  });
  const { bars, facts, subjects } = asked;
  const { tolerance } = options;
  const findings = await each(ctx, subjects, (subject): WarmupFinding => {
    const starts = startsOf(subject, asked, options.starts);
    return { subject, columns: checkWarmup(subject, bars, starts, { tolerance }) };
  });
  const understated = findings.flatMap(({ columns }) =>
    columns.filter((column) => column.understated.length > 0),
  );
  ctx.out.data({
    bars: facts,
    ...{ starts: options.starts, tolerance, found: understated.length },
    subjects: findings.map(({ columns }, i) => ({ ...factsOf(subjects[i]!), columns })),
  });
  if (!ctx.json) {
    ctx.out.line(`${barsWords(facts)}; histories from ${options.starts} places`);
    tellStandIn(ctx, subjects);
    tellWarmup(ctx, findings, options.rows);
  }
  if (understated.length > 0) process.exitCode = EXIT.failed;
}

const factsOf = ({ plan, subject }: Opened) => ({
  name: subject.name,
  kind: subject.kind,
  columnCount: subject.columns.length,
  standInModel: plan.asksModel,
});

function tellStandIn(ctx: CliContext, subjects: readonly Opened[]): void {
  const asking = subjects.filter(({ plan }) => plan.asksModel).map(({ subject }) => subject.name);
  if (asking.length === 0) return;
  ctx.out.line(`Answers of a seeded model stand in for those that ask one: ${asking.join(', ')}`);
}

/** Before the warm-up there is nothing to change. */
const firstCut = ({ columns }: Pick<Subject, 'columns'>): number =>
  2 + Math.max(...columns.map(({ warmupBars, aheadBars }) => warmupBars + aheadBars));

const cutsOf = (subject: Subject, rows: number, { cuts, seed }: LookaheadOptions) =>
  drawnRows({ from: firstCut(subject), to: rows - 1 }, cuts, seed);

/** Starts after which enough bars follow to forget all that is older. */
function startsOf(subject: Subject, { bars, calendar, seed }: AskedBars, count: number): Starts {
  const after = Math.max(...subject.columns.map((c) => c.memoryBars + c.aheadBars)) + 2;
  const to = barCount(bars) - after;
  const { anchors, index } = barPositions(bars.openTime, calendar, bars.timeframe);
  const reached = [...anchors].filter((row) => row <= to);
  // Where the bar of an anchor is missing and a policy fills it in, a history begins after its anchor.
  const whole = reached.filter((row) => index[row]! % ANCHOR_BARS === 0);
  const usable = whole.length > 0 ? whole : reached;
  const drawn = drawnRows({ from: 0, to: usable.length - 1 }, count, seed);
  return {
    anchors: drawn.map((i) => usable[i]!),
    others: drawnRows({ from: 1, to }, count, seed),
  };
}
