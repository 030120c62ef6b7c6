import type { FieldDifference } from './same-answer.ts';

/** Why a replay says something else than was served, as far as it can be told. */
export const PARITY_CAUSES = [
  /** The version's package is not the one that answered. */
  'other-package',
  /** The version, or its package, is not there any more. */
  'package-gone',
  /** The package cannot be verified or opened. */
  'package-damaged',
  /** The feature set that it was trained on computes otherwise now. */
  'features-changed',
  /** The serving process could not compute, and the replay can; or the other way round. */
  'fallback',
  /** Bars that count as known by then arrived only after the answer. */
  'arrived-later',
  /** What the replica knew was older than lateness allows. */
  'replica-behind',
  /** A bar that the answer was made from is not stored any more, or not known any more by then. */
  'bar-gone',
  /** A bar is stored with other values than the answer was made from. */
  'bar-altered',
  /** Another release of the code answered. */
  'other-code',
  /** The forecast agrees; only what samples say of it does not. */
  'samples',
  /** None of these. */
  'unknown',
] as const;
export type ParityCause = (typeof PARITY_CAUSES)[number];

/** A cause in words. */
export interface NamedCause {
  readonly cause: ParityCause;
  /** One sentence. */
  readonly words: string;
}

/** What is known of a prediction whose replay differs. */
export interface DifferenceFacts {
  readonly instrument: string;
  /** Open time of the last bar of the served answer, ISO. */
  readonly asOf: string;
  readonly fields: readonly FieldDifference[];
  /** Bars that count as known then, and arrived after the answer: the first of them, ISO times. */
  readonly arrivedLater?: { readonly bar: string; readonly arrivedAt: string } | undefined;
  /** The answer is that of what was known until then, ISO. */
  readonly knownUntil?: string | undefined;
  readonly servedBy: string | null;
  readonly replayedBy: string;
  /** A bar of the series that was found altered, within reach of the answer; ISO. */
  readonly altered?: string | undefined;
  /** Last bar of the newest answer of the series that agrees, ISO. */
  readonly agreed?: string | undefined;
}

const text = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');

/** The likely cause, from what is certain to what is left. */
export function causeOf(facts: DifferenceFacts): NamedCause {
  const { fields, instrument, asOf, servedBy, replayedBy } = facts;
  const of = (name: string): FieldDifference | undefined =>
    fields.find(({ field }) => field === name);
  const digest = of('packageDigest');
  if (digest) {
    const words = `Package ${short(digest.served)} answered; the version's package is ${short(digest.replayed)} now.`;
    return { cause: 'other-package', words };
  }
  if (facts.arrivedLater) {
    const { bar, arrivedAt } = facts.arrivedLater;
    const words = `The bar ${bar} of ${instrument} counts as known by then, but arrived only at ${arrivedAt}.`;
    return { cause: 'arrived-later', words };
  }
  if (facts.knownUntil !== undefined) {
    const words = `The replica answered from what was known at ${facts.knownUntil}.`;
    return { cause: 'replica-behind', words };
  }
  const fallback = of('fallback') ?? of('fallbackReason');
  if (fallback) {
    const words = `${fallback.field} was ${text(fallback.served)} when it was served, and is ${text(fallback.replayed)} now.`;
    return { cause: 'fallback', words };
  }
  return (
    barCause(facts, of) ??
    (servedBy !== null && servedBy !== replayedBy
      ? { cause: 'other-code', words: `Code ${servedBy} answered; ${replayedBy} replays.` }
      : leftOver({ instrument, asOf, fields, agreed: facts.agreed }))
  );
}

const short = (digest: unknown): string => text(digest).slice(0, 12);

function barCause(
  { instrument, asOf, altered }: DifferenceFacts,
  of: (name: string) => FieldDifference | undefined,
): NamedCause | undefined {
  const last = of('asOf');
  if (last) {
    const words = `The last bar of ${instrument} was ${text(last.served)} when it was served, and is ${text(last.replayed)} now.`;
    return { cause: 'bar-gone', words };
  }
  const close = of('lastClose');
  if (close) {
    const words = `The bar ${asOf} of ${instrument} closed at ${text(close.served)} when it was served; ${text(close.replayed)} is stored now.`;
    return { cause: 'bar-altered', words };
  }
  if (altered === undefined) return undefined;
  const words = `The bar ${altered} of ${instrument} is stored with other values than it was served with.`;
  return { cause: 'bar-altered', words };
}

/** Samples alone, or a change inside the window that no last bar shows. */
function leftOver({
  instrument,
  asOf,
  fields,
  agreed,
}: Pick<DifferenceFacts, 'instrument' | 'asOf' | 'fields' | 'agreed'>): NamedCause {
  const sampled = /^h\d+\.(confidence|relativeStd|probabilityUp|interval80)$/;
  const reasons = new Set(['abstain', 'abstainReasons', 'confidenceFailed']);
  if (fields.every(({ field }) => sampled.test(field) || reasons.has(field))) {
    return { cause: 'samples', words: 'The forecast agrees; what its samples say of it does not.' };
  }
  if (agreed !== undefined && agreed < asOf) {
    const words = `Answers up to the bar ${agreed} of ${instrument} agree: a bar after it, up to ${asOf}, is stored with other values.`;
    return { cause: 'bar-altered', words };
  }
  const words = `The same package and code from other values: a bar of ${instrument} up to ${asOf} was altered, or this machine computes otherwise.`;
  return { cause: 'unknown', words };
}

/** By the code of the problem that keeps a replay from answering at all. */
export function causeOfProblem(code: string, message: string): NamedCause {
  return { cause: CAUSE_BY_CODE[code] ?? causeOfCodeKind(code), words: message };
}

const CAUSE_BY_CODE: Readonly<Record<string, ParityCause>> = {
  'version.unknown': 'package-gone',
  'artifact.missing': 'package-gone',
  'artifact.corrupt': 'package-damaged',
  'package.features-changed': 'features-changed',
  'predict.too-few-bars': 'bar-gone',
  'predict.stale-source': 'bar-gone',
};

function causeOfCodeKind(code: string): ParityCause {
  return /^(package|onnx)\./.test(code) ? 'package-damaged' : 'unknown';
}
