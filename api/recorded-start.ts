import { createHash } from 'node:crypto';
import { ulid } from 'ulid';
import type { Log } from '../activities/deps.ts';
import { claimIdempotencyKey, storeIdempotentResponse } from '../registry/idempotency.ts';
import { inTransaction, type Db, type Trx } from '../registry/in-transaction.ts';
import { ApiError } from './errors.ts';
import type { Orchestrator } from './orchestrator.ts';

export interface RecordedStart {
  readonly idempotencyKey: string | undefined;
  readonly route: string;
  /** What the caller sent; the same key with another body is refused. */
  readonly body: unknown;
  /** Writes the row that names the workflow, under this id, and says under which one it is: an earlier row may do. */
  readonly insert: (trx: Trx, id: string) => Promise<string>;
  /** Has no workflow begun the row? Of one that has, no other is started, even if Temporal forgot it. */
  readonly isQueued: (id: string) => Promise<boolean>;
  /** Starts the workflow; doing it twice changes nothing. */
  readonly start: (id: string) => Promise<unknown>;
}

/**
 * Records what is to run and starts its workflow. Temporal is asked first: when it is away nothing is
 * written and the caller hears so. When it goes away in between, the row stays `queued` and the sweeper
 * starts it later; a repeat with the same Idempotency-Key gives the same id.
 *
 * @returns the id (a ULID) that names row and workflow
 */
export async function startRecorded(
  parts: { readonly db: Db; readonly orchestrator: Orchestrator; readonly log: Log },
  { idempotencyKey: key, route, body, insert, isQueued, start }: RecordedStart,
): Promise<string> {
  await parts.orchestrator.ping();
  const id = await inTransaction(parts.db, async (trx) => {
    const claim = { key: key ?? '', route, bodySha256: digestOf(body) };
    if (key !== undefined) {
      const claimed = await claimIdempotencyKey(trx, claim);
      if (claimed.kind === 'mismatch') throw keyReused();
      if (claimed.kind === 'repeat') return (claimed.response as { id: string }).id;
    }
    const made = await insert(trx, ulid());
    if (key !== undefined) await storeIdempotentResponse(trx, claim, { id: made });
    return made;
  });
  if (!(await isQueued(id))) return id;
  try {
    await start(id);
  } catch (error) {
    parts.log.warn({ err: error, id, route }, 'queued; it starts when Temporal is back');
  }
  return id;
}

export const digestOf = (body: unknown): string =>
  createHash('sha256')
    .update(JSON.stringify(body) ?? '')
    .digest('hex');

export const keyReused = (): ApiError =>
  new ApiError(
    'unprocessable',
    'idempotency.mismatch',
    'This Idempotency-Key was used with another body. Use a new key for a new request.',
  );
