import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ConfidenceMode, PredictionAnswer } from '../core/predict/index.ts';
import { ApiError, pointer, problemBody, toApiError } from './errors.ts';
import type { ApiParts } from './parts.ts';
import { batchItemSchema, type InputFields } from './prediction-schemas.ts';
import { inputOf } from './prediction-input.ts';
import { bodyProblem } from './secure.ts';
import type { ServedBatch } from './serving/serving.ts';

/** Items that are computed at once: two runs of the network; the rest of its queue is for other callers. */
const AT_ONCE = 64;
/** The same with Monte-Carlo samples, of which one thread computes all. */
const SAMPLED_AT_ONCE = 4;

/** What became of one item: its prediction, or the problem that a request for it alone would have had. */
export type BatchOutcome =
  | { readonly index: number; readonly prediction: PredictionAnswer }
  | { readonly index: number; readonly problem: Readonly<Record<string, unknown>> };

export interface BatchWork {
  /** As they came: each is checked by itself. */
  readonly items: readonly unknown[];
  readonly confidence: ConfidenceMode;
  readonly requestId: string;
  /** Aborted: nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** Answers each item, in their order. Throws `ApiError` only where the caller has gone. */
export async function answerBatch(
  parts: ApiParts,
  batch: ServedBatch,
  { items, confidence, requestId, signal }: BatchWork,
): Promise<BatchOutcome[]> {
  const outcomes = new Array<BatchOutcome>(items.length);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) {
      if (signal.aborted) throw gone();
      outcomes[index] = await answerItem(parts, batch, { index, item: items[index], requestId });
      // Checking and windows take this thread: whoever waits for one prediction comes in between.
      await nextTurn();
    }
  };
  const workers = Math.min(items.length, confidence === 'mc' ? SAMPLED_AT_ONCE : AT_ONCE);
  await Promise.all(Array.from({ length: workers }, work));
  return outcomes;
}

async function answerItem(
  parts: ApiParts,
  batch: ServedBatch,
  asked: { readonly index: number; readonly item: unknown; readonly requestId: string },
): Promise<BatchOutcome> {
  const { index, item, requestId } = asked;
  try {
    const input = inputOf(parsedItem(item), parts.clock());
    return { index, prediction: await batch.predict(input) };
  } catch (error) {
    const { problem, unexpected } = toApiError(error);
    if (unexpected) parts.log.error({ err: error, requestId, index }, 'an item of a batch failed');
    return { index, problem: problemBody(within(problem, index), requestId) };
  }
}

function parsedItem(item: unknown): InputFields {
  const parsed = batchItemSchema.safeParse(item);
  if (parsed.success) return parsed.data;
  throw bodyProblem(parsed.error, batchItemSchema);
}

/** The same problem, its fields named from the root of the body. */
function within(problem: ApiError, index: number): ApiError {
  if (problem.issues.length === 0) return problem;
  const at = pointer(['items', index]);
  return new ApiError(problem.kind, problem.code, problem.message, {
    issues: problem.issues.map(({ path, message }) => ({ path: `${at}${path}`, message })),
    details: problem.details,
  });
}

const gone = (): ApiError =>
  new ApiError('bad-request', 'request.aborted', 'The caller did not wait for the answer.');
