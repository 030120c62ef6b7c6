import { sql } from 'kysely';
import { RatchetError } from '../core/errors.ts';
import type { ArtifactRef } from '../workflows/messages.ts';
import { inTransaction, type Db } from './in-transaction.ts';

/** The newest may be damaged; the one before it is then used. Older ones have no use. */
const KEPT_PER_FIT = 2;

/** Who writes checkpoints: an activity of one workflow run, and its attempt. */
export interface FitAttempt {
  /** Content key of the fit: family, hyperparameters, seed, prepared data, code. */
  readonly fitKey: string;
  readonly holder: string;
  readonly attempt: number;
}

export interface CheckpointRow {
  readonly id: string;
  /** Epoch to go on in, batches done of it. */
  readonly epoch: number;
  readonly batch: number;
  readonly artifact: ArtifactRef;
}

/** A later attempt of the same activity has begun: this one must write nothing any more. */
export class FencedOffError extends RatchetError {
  constructor({ fitKey, attempt }: FitAttempt, newest: number) {
    super(
      'training.fenced-off',
      `attempt ${attempt} was replaced by attempt ${newest} and may not write`,
      { permanent: false, details: { fitKey, attempt, newest } },
    );
  }
}

/** From now on only this attempt, or a later one, may write. Throws `training.fenced-off`. */
export async function raiseFence(db: Db, by: FitAttempt): Promise<void> {
  const row = await db
    .insertInto('fit_fence')
    .values({ fit_key: by.fitKey, holder: by.holder, attempt: by.attempt })
    .onConflict((oc) =>
      oc
        .columns(['fit_key', 'holder'])
        .doUpdateSet({ attempt: sql`greatest(fit_fence.attempt, excluded.attempt)` }),
    )
    .returning('attempt')
    .executeTakeFirstOrThrow();
  if (row.attempt > by.attempt) throw new FencedOffError(by, row.attempt);
}

/**
 * Publishes a checkpoint whose bytes are already stored. The fence is read and the row written under
 * one lock, so a late attempt that wakes up between the two cannot slip in. Drops rows that have
 * become too old. Throws `training.fenced-off`.
 */
export function publishCheckpoint(
  db: Db,
  by: FitAttempt,
  checkpoint: Omit<CheckpointRow, 'id'>,
): Promise<void> {
  return inTransaction(db, async (trx) => {
    const fence = await trx
      .selectFrom('fit_fence')
      .select('attempt')
      .where('fit_key', '=', by.fitKey)
      .where('holder', '=', by.holder)
      .forUpdate()
      .executeTakeFirst();
    if (fence?.attempt !== by.attempt) throw new FencedOffError(by, fence?.attempt ?? 0);
    const { artifact, epoch, batch } = checkpoint;
    await trx
      .insertInto('fit_checkpoint')
      .values({
        fit_key: by.fitKey,
        holder: by.holder,
        attempt: by.attempt,
        epoch,
        batch,
        artifact_uri: artifact.uri,
        artifact_sha256: artifact.sha256,
        artifact_bytes: artifact.bytes,
      })
      .execute();
    const kept = trx
      .selectFrom('fit_checkpoint')
      .select('id')
      .where('fit_key', '=', by.fitKey)
      .orderBy('epoch', 'desc')
      .orderBy('batch', 'desc')
      .orderBy('id', 'desc')
      .limit(KEPT_PER_FIT);
    await trx
      .deleteFrom('fit_checkpoint')
      .where('fit_key', '=', by.fitKey)
      .where('id', 'not in', kept)
      .execute();
  });
}

/** Checkpoints of a fit, the furthest first; among equals the latest written. */
export async function checkpointsOf(db: Db, fitKey: string): Promise<CheckpointRow[]> {
  const rows = await db
    .selectFrom('fit_checkpoint')
    .selectAll()
    .where('fit_key', '=', fitKey)
    .orderBy('epoch', 'desc')
    .orderBy('batch', 'desc')
    .orderBy('id', 'desc')
    .limit(KEPT_PER_FIT)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    epoch: row.epoch,
    batch: row.batch,
    artifact: {
      uri: row.artifact_uri,
      sha256: row.artifact_sha256,
      bytes: row.artifact_bytes,
    },
  }));
}

/**
 * Forgets a checkpoint that turned out damaged: left in place it would count as one of the kept and
 * push out good ones that are behind it.
 */
export async function discardCheckpoint(db: Db, id: string): Promise<void> {
  await db.deleteFrom('fit_checkpoint').where('id', '=', id).execute();
}
