/** A model's answers through the period of a backtest, as columns. */
import { barCount, type Bars } from '../bars/bars.ts';
import { labelKindOrThrow } from '../labels/index.ts';
import {
  CorruptBytesError,
  decodeSections,
  encodeSections,
  sectionOrThrow,
} from '../models/sections.ts';
import type { Preprocessing } from '../packages/manifest.ts';
import type { RangeAnswer } from '../predict/index.ts';
import { recommend, twoSidedScore } from '../signals/index.ts';
import type { ModelColumns } from '../strategies/index.ts';

/** One row a session that was asked about, in order of time. */
export interface AnswerColumns {
  /** Open time of the session's bar, ms UTC: the answer is known when its bar is, a while after its close. */
  readonly session: Float64Array;
  /** Who answered; 0: nobody served then. */
  readonly version: Int32Array;
  readonly score: Float64Array;
  readonly probabilityUp: Float64Array;
  readonly change: Float64Array;
  /** p(rise) - p(fall), what the emergency score reads; NaN of answers without probabilities. */
  readonly lean: Float64Array;
  readonly abstained: Uint8Array;
  readonly failed: Uint8Array;
  /** 1: the version had learnt from this bar or a later one, so that its answer proves nothing. */
  readonly inSample: Uint8Array;
}

const FLOATS = ['session', 'score', 'probabilityUp', 'change', 'lean'] as const;
const BYTES = ['abstained', 'failed', 'inSample'] as const;

export function emptyAnswers(rows: number): AnswerColumns {
  const floats = (): Float64Array => new Float64Array(rows).fill(NaN);
  const bytes = (): Uint8Array => new Uint8Array(rows);
  return {
    version: new Int32Array(rows),
    ...{ session: floats(), score: floats(), probabilityUp: floats(), change: floats() },
    lean: floats(),
    ...{ abstained: bytes(), failed: bytes(), inSample: bytes() },
  };
}

/** What answers are read by: the package that gave them. */
export interface AnswerReading {
  readonly version: number;
  readonly preprocessing: Preprocessing;
  /** ms UTC. */
  readonly trainedThrough: number;
  /** Which horizon; undefined: the first. */
  readonly horizon: number | undefined;
}

/** Writes one answer into a row. A fallback's answer is one of nobody: it says nothing of the future. */
export function writeAnswer(
  columns: AnswerColumns,
  row: number,
  answer: RangeAnswer,
  reading: AnswerReading | undefined,
): void {
  columns.version[row] = reading?.version ?? 0;
  if (reading === undefined || 'problem' in answer || answer.fallback !== null) {
    columns.failed[row] = 1;
    return;
  }
  const { preprocessing, horizon, trainedThrough } = reading;
  const { forecast } = answer;
  const at = forecast.horizons.findIndex((h) => horizon === undefined || h.horizon === horizon);
  const said = forecast.horizons[at];
  if (!said) {
    columns.failed[row] = 1;
    return;
  }
  const label = labelKindOrThrow(preprocessing.label.kind);
  const priors = preprocessing.classes?.priors[at];
  columns.change[row] = said.change;
  columns.probabilityUp[row] = said.probabilityUp ?? NaN;
  const recommended = recommend(label, said, priors, preprocessing.recommendation);
  columns.score[row] = recommended?.score ?? NaN;
  columns.lean[row] = twoSidedScore(recommended);
  columns.abstained[row] = forecast.abstain ? 1 : 0;
  columns.inSample[row] = columns.session[row]! <= trainedThrough ? 1 : 0;
}

/** One instrument's answers of several stretches, in order of time, as one. */
export function joinAnswers(parts: readonly AnswerColumns[]): AnswerColumns {
  const rows = parts.reduce((sum, { session }) => sum + session.length, 0);
  const joined = emptyAnswers(rows);
  let at = 0;
  for (const part of parts) {
    for (const name of [...FLOATS, ...BYTES, 'version'] as const) joined[name].set(part[name], at);
    at += part.session.length;
  }
  return joined;
}

/** The answers aligned with bars; a bar that nobody was asked about has none, and a session without a bar is left out. */
export function alignAnswers(
  { openTime }: Bars,
  answers: AnswerColumns,
): { readonly model: ModelColumns; readonly lean: Float64Array } {
  const rows = openTime.length;
  const aligned = emptyAnswers(rows);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    while (at < answers.session.length && answers.session[at]! < openTime[row]!) at++;
    if (answers.session[at] !== openTime[row]) continue;
    for (const name of FLOATS) aligned[name][row] = answers[name][at]!;
    for (const name of BYTES) aligned[name][row] = answers[name][at]!;
  }
  const { score, probabilityUp, change, abstained, failed, lean } = aligned;
  return { model: { score, probabilityUp, change, abstained, failed }, lean };
}

const KIND = 'backtest-answers';
const VERSION = 1;

/** Equal answers give equal bytes. */
export const encodeAnswers = (instrument: string, { version, ...columns }: AnswerColumns) =>
  encodeSections({
    kind: KIND,
    version: VERSION,
    meta: { instrument },
    sections: { ...columns, version },
  });

/** Throws `bytes.corrupt`. */
export function decodeAnswers(bytes: Uint8Array): AnswerColumns {
  const file = decodeSections(bytes, KIND, VERSION);
  const session = sectionOrThrow(file, 'session', Float64Array);
  const floats = (name: (typeof FLOATS)[number]) => sectionOrThrow(file, name, Float64Array);
  const octets = (name: (typeof BYTES)[number]) => sectionOrThrow(file, name, Uint8Array);
  const columns = {
    session,
    version: sectionOrThrow(file, 'version', Int32Array),
    ...{ score: floats('score'), probabilityUp: floats('probabilityUp'), change: floats('change') },
    lean: floats('lean'),
    ...{ abstained: octets('abstained'), failed: octets('failed'), inSample: octets('inSample') },
  };
  if (Object.values(columns).some(({ length }) => length !== session.length)) {
    throw new CorruptBytesError(KIND, 'its columns do not belong together');
  }
  return columns;
}

/** Bars of which the model was asked, and of those how many answers prove nothing. */
export function countAnswers(bars: Bars, { session, inSample, failed }: AnswerColumns) {
  const [first, last] = [bars.openTime[0] ?? Infinity, bars.openTime[barCount(bars) - 1] ?? 0];
  const rows = [...session.keys()].filter((at) => session[at]! >= first && session[at]! <= last);
  const count = (column: Uint8Array): number => rows.filter((at) => column[at] === 1).length;
  return { asked: rows.length, failed: count(failed), inSample: count(inSample) };
}
