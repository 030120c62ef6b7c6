/** The rows of a range, in the order in which they are written. */
import { BATCH_ROWS, rowOf, type RangeFacts, type RangeRow } from '../core/ranges/index.ts';
import type { RangeSpan, RowOf } from '../core/ranges/index.ts';
import type { PastAnswers, PastQuestion } from './past-answers.ts';

/** Who answers, chunk by chunk: `pastAnswers` on whatever holds packages and bars. */
export type AskPast = (question: PastQuestion) => AsyncGenerator<PastAnswers, void, undefined>;

/**
 * Rows of the instants of spans, each chunk computed when it is asked for. A chunk never holds rows of two instruments, and
 * wherever a span begins chunks end at the same instants: a range that is answered in parts is written as one that is not.
 */
export async function* rangeRows(
  ask: AskPast,
  facts: RangeFacts,
  asOf: Float64Array,
  spans: Iterable<RangeSpan>,
  problemOf: RowOf['problemOf'],
): AsyncGenerator<readonly RangeRow[], void, undefined> {
  const { model, version } = facts;
  for (const { instrument: position, from, to } of spans) {
    const instrument = facts.instruments[position]!;
    const of = { ...facts, position, instrument, problemOf };
    const asked = { model, version, instrument, asOf: asOf.subarray(from, to) };
    yield* inBatches(rowsOf(ask(asked), of), from);
  }
}

async function* rowsOf(
  answers: AsyncIterable<PastAnswers>,
  of: RowOf,
): AsyncGenerator<readonly RangeRow[], void, undefined> {
  for await (const chunk of answers) {
    yield chunk.answers.map((answer) => rowOf(of, chunk.version, answer));
  }
}

/** Cuts rows, the first of which stands at `at`, behind every `BATCH_ROWS`th of the range. */
async function* inBatches(
  chunks: AsyncIterable<readonly RangeRow[]>,
  at: number,
): AsyncGenerator<readonly RangeRow[], void, undefined> {
  let open: RangeRow[] = [];
  let left = BATCH_ROWS - (at % BATCH_ROWS);
  for await (const chunk of chunks) {
    for (const row of chunk) {
      open.push(row);
      if (open.length < left) continue;
      yield open;
      [open, left] = [[], BATCH_ROWS];
    }
  }
  if (open.length > 0) yield open;
}
