import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Bars } from '../bars/bars.ts';
import { RatchetError } from '../errors.ts';
import type { FeatureMatrix } from '../features/index.ts';
import type { VerifiedPackage } from '../packages/verify.ts';
import type { FallbackReason } from './answer.ts';
import { cutterOf, type CutValues, type CutWindows, type WindowsRunner } from './cut-windows.ts';
import { fallbackReasonOf, hasFallback } from './fallback.ts';
import { windowShape, type OpenedPackage } from './opened.ts';
import {
  forecastFrom,
  instrumentOf,
  naiveForecast,
  windowValues,
  type Forecast,
} from './predict.ts';
import {
  endsOf,
  windowsOf,
  type AskedInstants,
  type Block,
  type MadeWindow,
} from './range-windows.ts';
import { checkInstrument, checkTimeframe } from './window.ts';

/** Answers that are given at once. */
const CHUNK = 64;

/**
 * Instants whose features are built at once: so many rows of 152 columns are 5 MB and a third of a second of this thread, and
 * what each block reads of the bars before it (memories, anchors) is little beside it.
 */
const BLOCK = 4_096;

/** What was answered at one instant of a range; `problem`: why nothing could be. */
export type RangeAnswer = { readonly asOf: number } & (
  | {
      readonly forecast: Forecast;
      readonly fallback: 'naive' | null;
      readonly fallbackReason: FallbackReason | null;
    }
  | { readonly problem: RatchetError }
);

/**
 * The answers of a package at many instants, chunk by chunk: each is what `predict` says at that instant without confidence,
 * from the bars known by then, for the features of one bar do not depend on later ones, and are built once for many.
 * `bars` are the recorded history (see `fromFirstBar`), and no bar of it may have been revised, or have come behind a later one,
 * between the first and the last instant (registry/knowledge.ts parts a range where one was). Memory: the bars, and the
 * features of one block of them.
 *
 * `elsewhere`: another thread that runs the graph where it can, over the windows of one chunk while the answers of the one before
 * it are made here.
 *
 * An instant that cannot be answered gives its problem (`predict.too-few-bars`, ...; see `windowFromBars`); a computation that
 * fails gives the declared fallback, marked. Throws `predict.unknown-instrument` and `predict.timeframe`.
 */
export async function* forecastRange(
  pkg: OpenedPackage,
  bars: Bars,
  asked: AskedInstants,
  elsewhere?: WindowsRunner,
): AsyncGenerator<readonly RangeAnswer[], void, undefined> {
  checkInstrument(pkg.verified, bars.instrument);
  checkTimeframe(pkg.verified, bars);
  const ends = endsOf(pkg.verified, bars, asked);
  const { fromFirstBar = true } = asked;
  for (let from = 0; from < asked.asOf.length; from += BLOCK) {
    const block = {
      asOf: asked.asOf.subarray(from, from + BLOCK),
      ends: ends.subarray(from, from + BLOCK),
      fromFirstBar,
    };
    yield* answersOf(pkg, bars, block, elsewhere);
  }
}

async function* answersOf(
  pkg: OpenedPackage,
  bars: Bars,
  block: Block,
  elsewhere: WindowsRunner | undefined,
): AsyncGenerator<readonly RangeAnswer[], void, undefined> {
  const { asOf } = block;
  const { windowAt, matrix } = windowsOf(pkg.verified, bars, block);
  const here = cutterOf(pkg.session, windowShape(pkg.verified));
  const begin = (from: number): Chunk => {
    const asked = Array.from(asOf.subarray(from, from + CHUNK), (at, i) =>
      attempt(at, () => windowAt(from + i)),
    );
    const windows = asked.flatMap((one) => ('window' in one ? [one.window] : []));
    const cut = windows.length > 0 ? cutOf(pkg.verified, matrix, windows) : undefined;
    const running = cut && elsewhere?.run(cut);
    // It is looked at when its turn comes.
    running?.catch(() => undefined);
    return { asked, windows, cut, running };
  };
  let ahead: Chunk | undefined = asOf.length > 0 ? begin(0) : undefined;
  try {
    for (let from = CHUNK; ahead !== undefined; from += CHUNK) {
      const now: Chunk = ahead;
      const values = await valuesOf(pkg, now, here);
      // While the answers of these are made here, the next ones are computed elsewhere.
      ahead = from < asOf.length ? begin(from) : undefined;
      let next = 0;
      // Windows and answers take this thread: whoever waits for one prediction comes in between.
      await nextTurn();
      yield now.asked.map((one) =>
        'window' in one ? answerOf(pkg.verified, one, values(next++)) : one,
      );
    }
  } finally {
    // A reader may have left meanwhile; then the package is let go.
    await ahead?.running?.catch(() => undefined);
  }
}

/** Instants whose answers are given at once. */
interface Chunk {
  readonly asked: readonly (Asked | { readonly asOf: number; readonly problem: RatchetError })[];
  readonly windows: readonly MadeWindow[];
  /** undefined: there is none. */
  readonly cut: CutWindows | undefined;
  /** undefined: it is computed here. */
  readonly running: Promise<Float64Array> | undefined;
}

/** The rows that windows are cut from; windows far from each other side by side, without what lies between them. */
function cutOf(
  pkg: VerifiedPackage,
  { values, names }: FeatureMatrix,
  windows: readonly MadeWindow[],
): CutWindows {
  const { lookback } = pkg.preprocessing;
  const width = names.length;
  const instrument = instrumentOf(pkg, windows[0]!);
  // Instants ascend, and so do the rows that are newest at them.
  const first = windows[0]!.row + 1 - lookback;
  const behind = windows.at(-1)!.row + 1;
  if (behind - first <= windows.length * lookback) {
    const ends = Int32Array.from(windows, ({ row }) => row - first);
    return { rows: values.slice(first * width, behind * width), ends, instrument };
  }
  const rows = new Float64Array(windows.length * lookback * width);
  windows.forEach(({ row }, i) => {
    const window = values.subarray((row + 1 - lookback) * width, (row + 1) * width);
    rows.set(window, i * window.length);
  });
  const ends = Int32Array.from(windows, (_, i) => (i + 1) * lookback - 1);
  return { rows, ends, instrument };
}

interface Asked {
  readonly asOf: number;
  readonly window: MadeWindow;
}

function attempt(
  asOf: number,
  window: () => MadeWindow,
): Asked | { readonly asOf: number; readonly problem: RatchetError } {
  try {
    return { asOf, window: window() };
  } catch (problem) {
    if (problem instanceof RatchetError) return { asOf, problem };
    throw problem;
  }
}

/** Forecast values by window; where the run of all fails each is asked alone, so that one takes no other with it. */
async function valuesOf(
  pkg: OpenedPackage,
  { windows, cut, running }: Chunk,
  here: CutValues,
): Promise<(at: number) => Float64Array | Error> {
  if (cut === undefined) return () => new Error('no window');
  try {
    const values = await (running ?? here(cut));
    const width = values.length / windows.length;
    return (at) => values.subarray(at * width, (at + 1) * width);
  } catch {
    const alone: (Float64Array | Error)[] = [];
    for (const window of windows) {
      const error = (cause: unknown): Error =>
        cause instanceof Error ? cause : new Error(String(cause));
      alone.push(await windowValues(pkg, [window]).catch(error));
    }
    return (at) => alone[at]!;
  }
}

function answerOf(
  pkg: VerifiedPackage,
  { asOf, window }: Asked,
  values: Float64Array | Error,
): RangeAnswer {
  try {
    if (values instanceof Error) throw values;
    const forecast = forecastFrom(pkg, window, values);
    return { asOf, forecast, fallback: null, fallbackReason: null };
  } catch (error) {
    if (!hasFallback(pkg)) return { asOf, problem: asProblem(pkg, error) };
    const forecast = naiveForecast(pkg, window);
    return { asOf, forecast, fallback: 'naive', fallbackReason: fallbackReasonOf(error) };
  }
}

const asProblem = ({ manifest }: VerifiedPackage, cause: unknown): RatchetError =>
  cause instanceof RatchetError
    ? cause
    : new RatchetError(
        'predict.inference-failed',
        `${manifest.model} ${manifest.version} could not compute a forecast`,
        { cause },
      );
