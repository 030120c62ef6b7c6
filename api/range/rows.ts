import type { Forecast, RangeAnswer } from '../../core/predict/index.ts';
import type { PastAnswers } from '../../registry/past-answers.ts';
import { problemBody, toApiError } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { cursorOf } from './cursor.ts';
import type { RangeQuestion } from './question.ts';

/** An answer of a range: what a prediction says, without what is the same in every row. */
export interface RangeRow {
  readonly cursor: string;
  readonly instrument: string;
  /** When it could be asked first (ISO); `asOf` of the prediction is the bar that it rests on. */
  readonly at: string;
  /** null: nothing served then. */
  readonly version: number | null;
  readonly prediction?: Omit<
    Forecast,
    'model' | 'version' | 'instrument' | 'packageDigest' | 'confidenceFailed'
  > & {
    readonly fallback: 'naive' | null;
    readonly fallbackReason: string | null;
  };
  readonly problem?: { readonly status: number; readonly code: string; readonly detail: string };
}

/** All rows behind `after`, instrument by instrument, in chunks; each computed when it is asked for. */
export async function* rangeRows(
  parts: Pick<ApiParts, 'serving' | 'log'>,
  { model, version, instruments, asOf, after }: RangeQuestion,
): AsyncGenerator<readonly RangeRow[], void, undefined> {
  for (const [position, instrument] of instruments.entries()) {
    if (after && position < after.instrument) continue;
    const seen = after && position === after.instrument ? after.at : -Infinity;
    const open = asOf.filter((at) => at > seen);
    const rowOf = (answers: PastAnswers) => (answer: RangeAnswer) =>
      row(parts, { version, position, instrument }, answers.version, answer);
    for await (const chunk of parts.serving.past({ model, version, instrument, asOf: open })) {
      yield chunk.answers.map(rowOf(chunk));
    }
  }
}

function row(
  { log }: Pick<ApiParts, 'log'>,
  of: { readonly version: number | 'then'; readonly position: number; readonly instrument: string },
  version: number | null,
  answer: RangeAnswer,
): RangeRow {
  const place = { version: of.version, instrument: of.position, at: answer.asOf };
  const at = new Date(answer.asOf).toISOString();
  const facts = { cursor: cursorOf(place), instrument: of.instrument, at, version };
  if ('problem' in answer) {
    const { problem, unexpected } = toApiError(answer.problem);
    if (unexpected) log.error({ err: answer.problem, ...facts }, 'a row of a range failed');
    const { status, code, detail } = problemBody(problem, '') as unknown as RangeRow['problem'] &
      object;
    return { ...facts, problem: { status, code, detail } };
  }
  const { fallback, fallbackReason } = answer;
  const {
    model: _m,
    version: _v,
    instrument: _i,
    packageDigest: _p,
    confidenceFailed: _c,
    ...said
  } = answer.forecast;
  return { ...facts, prediction: { ...said, fallback, fallbackReason } };
}
