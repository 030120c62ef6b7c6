import type { Instants } from './instants.ts';
import type { PreparedSeries } from './prepared.ts';
import type { BacktestRules } from './rules.ts';

/** When decisions of an instrument can fill. */
interface Lateness {
  /** By bar: the first whose close a decision of it counts as made at; larger than its own where it had to wait. */
  readonly counted: Int32Array;
  /** Longest time from a fill until what was decided on is known, ms; 0: all is known by then. */
  readonly lateMs: number;
  /** Most bars that a decision waits. */
  readonly waits: number;
}

type Fill = Pick<BacktestRules['fill'], 'at' | 'knownWithin'>;

/**
 * A decision at the close of bar t is known `knownAfterMs` later. It fills at the first open (or close) of a later bar
 * by which it is known, or after which it is within `knownWithin` of that bar's duration: an open stands for the prices
 * of the first moments after it, and for no more.
 */
function latenessOf({ openAt, closeAt }: Instants, knownAfterMs: number, fill: Fill): Lateness {
  const rows = openAt.length;
  const counted = new Int32Array(rows);
  const fillAt = fill.at === 'nextOpen' ? openAt : closeAt;
  let [lateMs, waits, bar] = [0, 0, 0];
  for (let t = 0; t < rows; t++) {
    const known = closeAt[t]! + knownAfterMs;
    bar = Math.max(bar, t + 1);
    while (bar < rows && known - fillAt[bar]! > fill.knownWithin * (closeAt[bar]! - openAt[bar]!)) {
      bar++;
    }
    counted[t] = bar - 1;
    if (bar === rows) continue;
    lateMs = Math.max(lateMs, known - fillAt[bar]!);
    waits = Math.max(waits, counted[t]! - t);
  }
  return { counted, lateMs, waits };
}

const latenessIn = (series: PreparedSeries, fill: Fill): Lateness =>
  latenessOf(series, series.knownAfterMs ?? 0, fill);

/** The series with its targets and scores where the engine may act on them. */
export function asKnown(series: PreparedSeries, { fill }: BacktestRules): PreparedSeries {
  if (!series.knownAfterMs) return series;
  const { counted, waits } = latenessIn(series, fill);
  const { targets, emergencyScore } = series;
  // Longs are left at opens, whatever the fills.
  const scores =
    emergencyScore &&
    lastKnown(emergencyScore, latenessIn(series, { ...fill, at: 'nextOpen' }).counted);
  return {
    ...series,
    ...(waits > 0 && { targets: lastGiven(targets, counted) }),
    ...(scores && { emergencyScore: scores }),
  };
}

/** Of the targets that count at a bar the last that was given. */
function lastGiven(targets: Float64Array, counted: Int32Array): Float64Array {
  const out = new Float64Array(targets.length).fill(NaN);
  targets.forEach((target, t) => {
    if (!Number.isNaN(target)) out[counted[t]!] = target;
  });
  return out;
}

/** Of each bar what is known of the newest one that counts by then; NaN before the first. */
function lastKnown(scores: Float64Array, counted: Int32Array): Float64Array {
  const out = new Float64Array(scores.length);
  let [next, last] = [0, NaN];
  for (let bar = 0; bar < out.length; bar++) {
    while (next < scores.length && counted[next]! <= bar) last = scores[next++]!;
    out[bar] = last;
  }
  return out;
}

/** What a result says of an instrument whose bars are known late; absent: none are. */
export interface KnownLate {
  readonly lateMs?: number | undefined;
  readonly waits?: number | undefined;
}

export function knownLate(series: PreparedSeries, { fill }: BacktestRules): KnownLate {
  if (!series.knownAfterMs) return {};
  const { lateMs, waits } = latenessIn(series, fill);
  return { ...(lateMs > 0 && { lateMs }), ...(waits > 0 && { waits }) };
}

/** Notes on it; `later`: total return of the run, and of the same with every fill a bar later. */
export function knownNotes(
  instruments: readonly (KnownLate & { readonly instrument: string })[],
  later: readonly [number, number] | undefined,
): readonly string[] {
  const early = instruments.filter(({ lateMs }) => lateMs !== undefined);
  const waiting = instruments.filter(({ waits }) => waits !== undefined);
  const namesOf = (some: typeof early): string => some.map((one) => one.instrument).join(', ');
  const most = Math.max(...early.map(({ lateMs = 0 }) => lateMs));
  const bars = Math.max(...waiting.map(({ waits = 0 }) => waits));
  const beside =
    later &&
    ` With every fill a bar later the total return is ${percent(later[1])}, here ${percent(later[0])}.`;
  return [
    ...(early.length > 0
      ? [
          `Fills come up to ${Math.ceil(most / 60_000)} min before the bar that was decided on is known (${namesOf(early)}): live orders are that much later.${beside ?? ''}`,
        ]
      : []),
    ...(waiting.length > 0
      ? [
          `Decisions on ${namesOf(waiting)} fill up to ${bars === 1 ? 'a bar' : `${bars} bars`} later than the rule says: what they rest on is not known before.`,
        ]
      : []),
  ];
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
