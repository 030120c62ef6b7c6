import { toApiError, problemBody } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { STALL_MS } from './limits.ts';
import { paced } from './paced.ts';
import { rangeQuestion, type RangeBody, type RangeQuestion } from './question.ts';
import { rangeRows, seenOf } from './rows.ts';
import type { RangeEnd, RangeRow } from './schemas.ts';

export const NDJSON = 'application/x-ndjson';
export const ARROW = 'application/vnd.apache.arrow.stream';

export interface RangeCall {
  readonly model: string;
  readonly body: RangeBody;
  /** Of the request: Arrow where it is named, else lines of JSON. */
  readonly accept: string | undefined;
  readonly requestId: string;
  /** Called once, when nothing is computed any more: at the end, at a failure, and when the caller went away, or took nothing. */
  readonly onEnd: () => void;
}

/**
 * The answers of a range as a stream that the reader paces: a chunk is computed when the one before it was taken, so
 * that memory does not grow with the range. Lines end with one that says `done`; a stream that was cut has none, and goes on
 * behind the `cursor` of its last row. Throws what is wrong with the question before anything is sent.
 */
export async function rangeResponse(
  parts: ApiParts,
  { model, body, accept, requestId, onEnd }: RangeCall,
): Promise<Response> {
  const question = await rangeQuestion(parts, model, body);
  const rows = rangeRows(parts, question);
  const isArrow = accept?.includes(ARROW) ?? false;
  const chunks = isArrow
    ? (await import('./arrow.ts')).arrowStream(rows, question.shape)
    : lines(parts, rows, requestId);
  return new Response(paced(chunks, { stopping: parts.stopping, stallMs: STALL_MS, onEnd }), {
    headers: {
      'content-type': isArrow ? ARROW : NDJSON,
      'cache-control': 'no-store',
      'x-ratchet-version': String(question.version),
      'x-ratchet-rows': String(rowsIn(question)),
    },
  });
}

/** Rows that are still to come. */
function rowsIn(question: RangeQuestion): number {
  const { instruments, asOf } = question;
  const { instrument, seen } = seenOf(question);
  return Math.max(0, (instruments.length - instrument) * asOf.length - seen);
}

const lineOf = (value: RangeRow | RangeEnd): string => `${JSON.stringify(value)}\n`;

/** A line a row, and a last one; a failure on the way is the last line, too. */
async function* lines(
  { log }: Pick<ApiParts, 'log'>,
  chunks: AsyncIterable<readonly RangeRow[]>,
  requestId: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const text = new TextEncoder();
  let [rows, failed] = [0, 0];
  try {
    for await (const chunk of chunks) {
      rows += chunk.length;
      failed += chunk.filter((row) => row.problem).length;
      yield text.encode(chunk.map(lineOf).join(''));
    }
    yield text.encode(lineOf({ done: true, rows, failed }));
  } catch (error) {
    const { problem, unexpected } = toApiError(error);
    if (unexpected) log.error({ err: error, requestId }, 'a range ended early');
    yield text.encode(lineOf({ done: false, problem: problemBody(problem, requestId) }));
  }
}
