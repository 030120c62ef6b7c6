import { lowerBound } from '../../core/bars/index.ts';
import {
  CONTENT_TYPES,
  countedIn,
  encoderOf,
  lineOf,
  type RangeFormat,
  type RangeRow,
  type RangeSpan,
  type RowEncoder,
} from '../../core/ranges/index.ts';
import { rangeRows } from '../../registry/range-rows.ts';
import { problemBody, toApiError } from '../errors.ts';
import type { ApiParts } from '../parts.ts';
import { STALL_MS } from './limits.ts';
import { paced } from './paced.ts';
import type { RangeQuestion } from './question.ts';

export const NDJSON = CONTENT_TYPES.ndjson;
export const ARROW = CONTENT_TYPES.arrow;

/** Arrow where a request names it, else lines of JSON. */
export const formatOf = (accept: string | undefined): RangeFormat =>
  accept?.includes(ARROW) ? 'arrow' : 'ndjson';

export interface RangeCall {
  readonly question: RangeQuestion;
  readonly format: RangeFormat;
  readonly requestId: string;
  /** Called once, when nothing is computed any more: at the end, at a failure, and when the caller went away, or took nothing. */
  readonly onEnd: () => void;
}

/**
 * The answers of a range as a stream that the reader paces: a chunk is computed when the one before it was taken, so
 * that memory does not grow with the range. Lines end with one that says `done`; a stream that was cut has none, and goes on
 * behind the `cursor` of its last row.
 */
export async function rangeResponse(
  parts: ApiParts,
  { question, format, requestId, onEnd }: RangeCall,
): Promise<Response> {
  const { facts } = question;
  const encoder = await encoderOf(format, facts.shape);
  const encoded = encode(encoder, rowsBehind(parts, question));
  const chunks = format === 'arrow' ? encoded : sayingWhy(parts, encoded, requestId);
  return new Response(paced(chunks, { stopping: parts.stopping, stallMs: STALL_MS, onEnd }), {
    headers: {
      'content-type': CONTENT_TYPES[format],
      'cache-control': 'no-store',
      'x-ratchet-version': String(facts.version),
      'x-ratchet-rows': String(rowsIn(question)),
    },
  });
}

/** Where the rows that are still to come begin: at which instrument, and behind how many of its instants. */
function seenOf({ asOf, after }: RangeQuestion): {
  readonly instrument: number;
  readonly seen: number;
} {
  if (!after) return { instrument: 0, seen: 0 };
  return { instrument: after.instrument, seen: lowerBound(asOf, after.at + 1) };
}

/** Rows that are still to come. */
function rowsIn(question: RangeQuestion): number {
  const { instrument, seen } = seenOf(question);
  const { facts, asOf } = question;
  return Math.max(0, (facts.instruments.length - instrument) * asOf.length - seen);
}

function* spansBehind(question: RangeQuestion): Generator<RangeSpan> {
  const { facts, asOf } = question;
  const { instrument: first, seen } = seenOf(question);
  for (let instrument = first; instrument < facts.instruments.length; instrument++) {
    yield { instrument, from: instrument === first ? seen : 0, to: asOf.length };
  }
}

function rowsBehind(
  { serving, log }: Pick<ApiParts, 'serving' | 'log'>,
  question: RangeQuestion,
): AsyncGenerator<readonly RangeRow[], void, undefined> {
  const { facts, asOf } = question;
  const spans = spansBehind(question);
  return rangeRows(
    (past) => serving.past(past),
    facts,
    asOf,
    spans,
    (cause, at) => {
      const { problem, unexpected } = toApiError(cause);
      if (unexpected) log.error({ err: cause, model: facts.model, at }, 'a row of a range failed');
      const { status, code, detail } = problemBody(problem, '');
      return { status, code, detail };
    },
  );
}

async function* encode(
  encoder: RowEncoder,
  chunks: AsyncIterable<readonly RangeRow[]>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let [rows, failed] = [0, 0];
  // With the first rows, or alone where there are none.
  let { head } = encoder;
  for await (const chunk of chunks) {
    const counted = countedIn(chunk);
    rows += counted.rows;
    failed += counted.failed;
    yield Buffer.concat([head, encoder.rows(chunk)]);
    head = new Uint8Array();
  }
  yield Buffer.concat([head, encoder.tail({ rows, failed })]);
}

/** A failure on the way is the last line. */
async function* sayingWhy(
  { log }: Pick<ApiParts, 'log'>,
  lines: AsyncIterable<Uint8Array>,
  requestId: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* lines;
  } catch (error) {
    const { problem, unexpected } = toApiError(error);
    if (unexpected) log.error({ err: error, requestId }, 'a range ended early');
    yield Buffer.from(lineOf({ done: false, problem: problemBody(problem, requestId) }));
  }
}
