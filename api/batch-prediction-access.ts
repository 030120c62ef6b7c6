import { z } from '@hono/zod-openapi';
import { RANGE_FORMATS } from '../core/ranges/index.ts';
import { batchPredictionOrThrow, type BatchPrediction } from '../registry/batch-predictions.ts';
import { hasScope, mayUseModel, type Caller } from './auth.ts';
import { notFound } from './errors.ts';
import type { ApiParts } from './parts.ts';
import { iso } from './schemas.ts';

export const BATCH_PREDICTIONS = '/api/v1/batch-predictions';
export const BATCH_STATUSES = ['queued', 'running', 'completed', 'failed', 'cancelled'] as const;

export const batchPredictionSchema = z
  .object({
    id: z.string(),
    model: z.string(),
    version: z.int().or(z.literal('then')).describe('`then`: whichever served at each time.'),
    format: z.enum(RANGE_FORMATS),
    status: z.enum(BATCH_STATUSES),
    message: z.string().nullable().describe('Why it failed.'),
    rows: z.int().describe('That it will have.'),
    rowsDone: z.int(),
    failed: z.int().describe('Of those that are done, rows with a problem.'),
    parts: z.int().describe('Computed one by one, each once.'),
    partsDone: z.int(),
    bytes: z.number().nullable().describe('Of `GET .../rows`, once it is completed.'),
    sha256: z.string().nullable().describe('Of these bytes.'),
    createdAt: z.string(),
    finishedAt: z.string().nullable(),
  })
  .openapi('BatchPrediction');

export const batchPredictionView = (
  row: BatchPrediction,
): z.infer<typeof batchPredictionSchema> => ({
  ...{ id: row.id, model: row.model, version: row.version ?? 'then', format: row.format },
  ...{ status: row.status, message: row.message, rows: row.rows, rowsDone: row.rows_done },
  ...{ failed: row.failed_rows, parts: row.parts, partsDone: row.parts_done },
  ...{ bytes: row.bytes, sha256: row.sha256 },
  createdAt: row.created_at.toISOString(),
  finishedAt: iso(row.finished_at),
});

/** One that the caller asked for, or any of an admin; others learn nothing, not even that it exists. */
export async function batchPredictionFor(
  { db }: Pick<ApiParts, 'db'>,
  caller: Caller,
  id: string,
): Promise<BatchPrediction> {
  const row = await batchPredictionOrThrow(db, id);
  const isTheirs = row.key_id === caller.keyId || hasScope(caller, 'admin');
  if (isTheirs && mayUseModel(caller, row.model)) return row;
  throw notFound('batch-prediction.unknown', `there is no batch prediction ${id}`);
}
