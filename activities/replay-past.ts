import { lowerBound } from '../core/bars/build.ts';
import type { Bars } from '../core/bars/bars.ts';
import {
  causeOf,
  differencesOf,
  forecastRange,
  isSampled,
  predict,
  type FieldDifference,
  type NamedCause,
  type ReplayedAnswer,
} from '../core/predict/index.ts';
import type { ServableVersion } from '../registry/champions.ts';
import type { HeldPackage } from '../registry/past-answers.ts';
import { readServedBars, type ServedSource } from '../registry/served-bars.ts';
import {
  assumedBars,
  knownChanges,
  type AssumedBar,
  type ServedPrediction,
} from '../registry/served-predictions.ts';
import type { ActivityDeps } from './deps.ts';

/** Package and bars that a group's answers come from. */
export interface AnswerSource {
  readonly version: ServableVersion;
  readonly held: HeldPackage;
  readonly sources: readonly ServedSource[];
}

/** How far back an answer of a replica that was cut off is looked for, and in how many states of its bars. */
const BEHIND_MS = 7 * 86_400_000;
const STATES_TRIED = 8;
/** Predictions of a page for which that is done: many differences have one cause. */
const LOOKED_BEHIND = 50;
/** Instants of change, and late bars, that a page looks at. */
const CHANGES_MAX = 50_000;
const ASSUMED_MAX = 1_000;
/** States of the bars that are kept for the next prediction. */
const KEPT_BARS = 4;

/** How many of distinct ascending values are at most `value`. */
const upperBound = (sorted: Float64Array, value: number): number => {
  const at = lowerBound(sorted, value);
  return sorted[at] === value ? at + 1 : at;
};

const iso = (ms: number): string => new Date(ms).toISOString();

/** What a difference turns out to be. */
export type Explained =
  { readonly kind: 'late'; readonly byMs: number } | ({ readonly kind: 'different' } & NamedCause);

/** What the differences of a series already told. */
export interface SeriesMemory {
  /** Open times (ISO) of bars whose close is not what it was, ascending. */
  readonly altered: readonly string[];
  /** Last bar (ISO) of the newest answer that agrees. */
  readonly agreed: string | undefined;
}

/** The predictions of one page of a group, looked at one by one where the answers of the whole do not do. */
export class PageLook {
  readonly #deps: Pick<ActivityDeps, 'db' | 'codeVersion'>;
  readonly #of: AnswerSource;
  readonly #series: {
    readonly instrument: string;
    readonly timeframe: Bars['timeframe'];
    readonly sources: readonly ServedSource[];
  };
  readonly #page: readonly ServedPrediction[];
  readonly #lateMs: number;
  readonly #bars = new Map<number, Bars>();
  #changes: Float64Array | undefined;
  #assumed: readonly AssumedBar[] | undefined;
  #lookedBehind = 0;

  constructor(
    deps: Pick<ActivityDeps, 'db' | 'codeVersion'>,
    of: AnswerSource,
    page: { readonly instrument: string; readonly rows: readonly ServedPrediction[] },
    lateMs: number,
  ) {
    this.#deps = deps;
    this.#of = of;
    this.#page = page.rows;
    this.#lateMs = lateMs;
    const { timeframe } = of.held.opened.verified.preprocessing;
    this.#series = { instrument: page.instrument, timeframe, sources: of.sources };
  }

  /** What samples drawn again say otherwise; empty: nothing. */
  async samples({ asked, answer }: ServedPrediction): Promise<readonly FieldDifference[]> {
    const options = { asOf: asked, confidence: 'mc', fromFirstBar: true } as const;
    const forecast = await predict(this.#of.held.opened, await this.#barsAt(asked), options);
    return differencesOf(answer, { ...forecast, fallback: null, fallbackReason: null });
  }

  /** Late, or different, and why. */
  async explain(
    row: ServedPrediction,
    fields: readonly FieldDifference[],
    memory: SeriesMemory,
  ): Promise<Explained> {
    const { asked } = row;
    const changes = (this.#changes ??= await this.#readChanges());
    const now = upperBound(changes, asked);
    const late = upperBound(changes, asked - this.#lateMs);
    // Newest first: the state before each change is what a replica had that had not heard of it.
    for (let at = now - 1; at >= Math.max(late, now - STATES_TRIED); at--) {
      const until = changes[at]!;
      if (await this.#saysSo(row, until - 1)) return { kind: 'late', byMs: asked - until };
    }
    const arrivedLater = await this.#arrivedLater(row);
    const isOwn = fields.some(({ field }) => field === 'packageDigest') || arrivedLater;
    const cause = causeOf({
      instrument: this.#series.instrument,
      asOf: row.asOf.toISOString(),
      fields,
      arrivedLater,
      knownUntil: isOwn ? undefined : await this.#knownUntil(row, { changes, late }),
      servedBy: row.codeVersion,
      replayedBy: this.#deps.codeVersion,
      altered: memory.altered.findLast((bar) => Date.parse(bar) <= row.asOf.getTime()),
      agreed: memory.agreed,
    });
    return { kind: 'different', ...cause };
  }

  async #arrivedLater({ asked, at }: ServedPrediction) {
    this.#assumed ??= await assumedBars(this.#deps.db, this.#series, {
      known: Math.max(...this.#page.map((one) => one.asked)),
      arrived: Math.min(...this.#page.map((one) => one.at.getTime())),
      limit: ASSUMED_MAX,
    });
    const found = this.#assumed.find(
      ({ knownAt, arrivedAt }) => knownAt <= asked && arrivedAt > at.getTime(),
    );
    return found && { bar: iso(found.openTime), arrivedAt: iso(found.arrivedAt) };
  }

  /** Until when that was known which the answer is made from, where a state before lateness says the same. */
  async #knownUntil(
    row: ServedPrediction,
    { changes, late }: { readonly changes: Float64Array; readonly late: number },
  ): Promise<string | undefined> {
    if (this.#lookedBehind >= LOOKED_BEHIND) return undefined;
    this.#lookedBehind++;
    const first = upperBound(changes, row.asked - BEHIND_MS);
    for (let at = late - 1; at >= Math.max(first, late - STATES_TRIED); at--) {
      if (await this.#saysSo(row, changes[at]! - 1)) return iso(changes[at]! - 1);
    }
    return undefined;
  }

  /** Does the package say what was served from what was known at an instant, asked when it was asked? */
  async #saysSo({ asked, answer }: ServedPrediction, known: number): Promise<boolean> {
    const bars = await this.#barsAt(known);
    const at = { asOf: Float64Array.of(asked) };
    for await (const [one] of forecastRange(this.#of.held.opened, bars, at)) {
      if (!one || 'problem' in one) return false;
      return differencesOf(answer, replayedOf(one), partOf(answer)).length === 0;
    }
    return false;
  }

  async #barsAt(known: number): Promise<Bars> {
    const kept = this.#bars.get(known);
    if (kept) return kept;
    const { instrument, timeframe, sources } = this.#series;
    const range = { last: Number.MAX_SAFE_INTEGER, before: known };
    const read = await readServedBars(this.#deps.db, instrument, timeframe, sources, range);
    const bars = { ...read.bars, instrument };
    if (this.#bars.size >= KEPT_BARS) this.#bars.delete(this.#bars.keys().next().value!);
    this.#bars.set(known, bars);
    return bars;
  }

  #readChanges(): Promise<Float64Array> {
    const asked = this.#page.map((one) => one.asked);
    return knownChanges(this.#deps.db, this.#series, {
      from: Math.min(...asked) - Math.max(this.#lateMs, BEHIND_MS),
      to: Math.max(...asked),
      limit: CHANGES_MAX,
    });
  }
}

/** Samples are drawn again for few. */
export const partOf = (answer: ServedPrediction['answer']) =>
  isSampled(answer) ? 'forecast' : 'all';

/** An answer of a range as `predict` would have given it. */
export const replayedOf = ({
  forecast,
  fallback,
  fallbackReason,
}: Pick<ReplayedAnswer, 'fallback' | 'fallbackReason'> & {
  readonly forecast: Omit<ReplayedAnswer, 'fallback' | 'fallbackReason'>;
}): ReplayedAnswer => ({ ...forecast, fallback, fallbackReason });
