import type { PredictionAnswer } from './answer.ts';
import type { Forecast } from './predict.ts';

/** One field of an answer in which two computations of it disagree. */
export interface FieldDifference {
  /** `lastClose`, `h7.change`, `h7.classes.probabilities.buy`, ... */
  readonly field: string;
  readonly served: unknown;
  readonly replayed: unknown;
}

/** The part of an answer that a second computation must give again. */
export type ReplayedAnswer = Forecast & Pick<PredictionAnswer, 'fallback' | 'fallbackReason'>;

/** An answer as it was stored: of whichever release, so nothing of it is taken for granted. */
export type StoredAnswer = Readonly<Record<string, unknown>>;

/** `forecast`: what Monte-Carlo samples add to an answer is left out. */
export type ComparedPart = 'all' | 'forecast';

/** Of a horizon: what only samples can say. */
const SAMPLED_FIELDS: ReadonlySet<string> = new Set([
  'confidence',
  'relativeStd',
  'probabilityUp',
  'interval80',
]);
/** Reasons to abstain that rest on samples. */
const SAMPLED_REASONS: ReadonlySet<unknown> = new Set(['low-confidence', 'confidence-failed']);

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const horizonsOf = (answer: StoredAnswer): readonly StoredAnswer[] => {
  const { horizons } = answer;
  return Array.isArray(horizons) ? horizons.filter(isRecord) : [];
};

/** Did Monte-Carlo samples go into an answer? Classes are as sure as their probabilities, without any. */
export const isSampled = (answer: StoredAnswer): boolean =>
  answer['confidenceFailed'] === true ||
  horizonsOf(answer).some(({ relativeStd }) => typeof relativeStd === 'number');

/**
 * Where a stored answer and a second computation of it disagree, field by field: numbers bit for bit (stored numbers keep
 * every bit of a double; -0 is stored as 0 and equals it). Ids, generation and the time of answering are no part of a
 * computation. A field that the stored answer does not have was not known to the release that gave it: no difference.
 */
export function differencesOf(
  served: StoredAnswer,
  replayed: ReplayedAnswer,
  part: ComparedPart = 'all',
): readonly FieldDifference[] {
  // As it would have been stored.
  const again = JSON.parse(JSON.stringify(replayed)) as Record<string, unknown>;
  const found: FieldDifference[] = [];
  const [before, after] = [comparable(served, part), comparable(again, part)];
  for (const field of Object.keys(after)) compare(field, before[field], after[field], found);
  return found;
}

/** Horizons by name, and of an answer without its samples what it would have been. */
function comparable(answer: StoredAnswer, part: ComparedPart): Record<string, unknown> {
  const { horizons: _, abstain, abstainReasons, confidenceFailed, ...rest } = answer;
  const byName = horizonsOf(answer).map((one): readonly [string, unknown] => [
    `h${String(one['horizon'])}`,
    part === 'all' || isRecord(one['classes'])
      ? one
      : Object.fromEntries(Object.entries(one).filter(([name]) => !SAMPLED_FIELDS.has(name))),
  ]);
  // Which there are: a horizon that is missing is no field that was not known yet.
  const horizons = horizonsOf(answer).map((one) => one['horizon']);
  const plain = { ...rest, horizons, ...Object.fromEntries(byName) };
  if (part === 'all') return { ...plain, abstain, abstainReasons, confidenceFailed };
  if (!Array.isArray(abstainReasons)) return plain;
  const reasons = abstainReasons.filter((reason) => !SAMPLED_REASONS.has(reason));
  return { ...plain, abstain: reasons.length > 0, abstainReasons: reasons };
}

function compare(field: string, served: unknown, replayed: unknown, to: FieldDifference[]): void {
  if (served === undefined) return;
  if (isRecord(served) && isRecord(replayed)) {
    for (const name of new Set([...Object.keys(served), ...Object.keys(replayed)])) {
      compare(`${field}.${name}`, served[name], replayed[name], to);
    }
    return;
  }
  if (JSON.stringify(served) === JSON.stringify(replayed)) return;
  to.push({ field, served, replayed: replayed ?? null });
}
