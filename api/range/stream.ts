import { toApiError, problemBody } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { rangeQuestion, type RangeBody, type RangeQuestion } from './question.ts';
import { rangeRows, type RangeRow } from './rows.ts';

export const NDJSON = 'application/x-ndjson';
export const ARROW = 'application/vnd.apache.arrow.stream';

export interface RangeCall {
  readonly model: string;
  readonly body: RangeBody;
  /** Of the request: Arrow where it is named, else lines of JSON. */
  readonly accept: string | undefined;
  readonly requestId: string;
  /** Called once, when nothing is computed any more: at the end, at a failure, and when the caller went away. */
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
  return new Response(paced(chunks, parts.stopping, onEnd), {
    headers: {
      'content-type': isArrow ? ARROW : NDJSON,
      'cache-control': 'no-store',
      'x-ratchet-version': String(question.version),
      'x-ratchet-rows': String(rowsIn(question)),
    },
  });
}

/** Rows that are still to come. */
function rowsIn({ instruments, asOf, after }: RangeQuestion): number {
  const whole = instruments.length * asOf.length;
  if (!after) return whole;
  const done = asOf.filter((at) => at <= after.at).length;
  return Math.max(0, whole - after.instrument * asOf.length - done);
}

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
      yield text.encode(chunk.map((row) => `${JSON.stringify(row)}\n`).join(''));
    }
    yield text.encode(`${JSON.stringify({ done: true, rows, failed })}\n`);
  } catch (error) {
    const { problem, unexpected } = toApiError(error);
    if (unexpected) log.error({ err: error, requestId }, 'a range ended early');
    yield text.encode(
      `${JSON.stringify({ done: false, problem: problemBody(problem, requestId) })}\n`,
    );
  }
}

function paced(
  chunks: AsyncGenerator<Uint8Array, void, undefined>,
  stopping: AbortSignal,
  onEnd: () => void,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const next = stopping.aborted ? undefined : await chunks.next();
          if (next && !next.done) return controller.enqueue(next.value);
          // A process that stops cuts the stream: whoever reads it goes on elsewhere.
          if (next === undefined) {
            await chunks.return();
            controller.error(new Error('this server is stopping'));
          } else controller.close();
          onEnd();
        } catch (error) {
          onEnd();
          controller.error(error);
        }
        return undefined;
      },
      async cancel() {
        await chunks.return();
        onEnd();
      },
    },
    { highWaterMark: 1 },
  );
}
