import { lowerBound } from '../../core/bars/index.ts';
import type { RangeAnswer } from '../../core/predict/index.ts';
import type { PastAnswers } from '../../registry/past-answers.ts';
import { problemBody, toApiError } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { cursorOf, type RangeIdentity } from './cursor.ts';
import type { RangeQuestion } from './question.ts';
import type { RangeRow } from './schemas.ts';

/** Where the rows that are still to come begin: at which instrument, and behind how many of its instants. */
export function seenOf({ asOf, after }: RangeQuestion): {
  readonly instrument: number;
  readonly seen: number;
} {
  if (!after) return { instrument: 0, seen: 0 };
  return { instrument: after.instrument, seen: lowerBound(asOf, after.at + 1) };
}

/** All rows behind `after`, instrument by instrument, in chunks; each computed when it is asked for. */
export async function* rangeRows(
  parts: Pick<ApiParts, 'serving' | 'log'>,
  question: RangeQuestion,
): AsyncGenerator<readonly RangeRow[], void, undefined> {
  const { model, version, instruments, asOf } = question;
  const { instrument: first, seen } = seenOf(question);
  for (const [position, instrument] of instruments.entries()) {
    if (position < first) continue;
    const open = position === first ? asOf.subarray(seen) : asOf;
    const rowOf = (answers: PastAnswers) => (answer: RangeAnswer) =>
      row(parts, { ...question, position, instrument }, answers.version, answer);
    for await (const chunk of parts.serving.past({ model, version, instrument, asOf: open })) {
      yield chunk.answers.map(rowOf(chunk));
    }
  }
}

function row(
  { log }: Pick<ApiParts, 'log'>,
  of: RangeIdentity & { readonly position: number; readonly instrument: string },
  version: number | null,
  answer: RangeAnswer,
): RangeRow {
  const { version: asked, knownBy, question } = of;
  const place = { version: asked, knownBy, question, instrument: of.position, at: answer.asOf };
  const at = new Date(answer.asOf).toISOString();
  const facts = { cursor: cursorOf(place), instrument: of.instrument, at, version };
  if ('problem' in answer) {
    const { problem, unexpected } = toApiError(answer.problem);
    if (unexpected) log.error({ err: answer.problem, ...facts }, 'a row of a range failed');
    const { status, code, detail } = problemBody(problem, '');
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
