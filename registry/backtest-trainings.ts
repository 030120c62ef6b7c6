/** The experiments that train the folds of backtests, shared by all that train the same. */
import { createHash } from 'node:crypto';
import { RatchetError } from '../core/errors.ts';
import { canonicalJson, specHash, type ExperimentSpec } from '../core/spec/index.ts';
import type { Backtest } from './backtests.ts';
import { createExperiment, endExperiment, isTerminal } from './experiments.ts';
import { inTransaction, type Db, type Trx } from './in-transaction.ts';
import type { ExperimentStatus } from './tables.ts';

/** One that failed is not tried for ever. */
const ATTEMPTS = 100;

/**
 * The experiment that trains a fold, named by what it trains: another backtest with the same folds, or this one again, finds
 * it and costs nothing. One that failed or was cancelled gets a successor. From now on the backtest waits for it.
 * Errors: `backtest.ended`; `backtest.fold` of a training that failed too often.
 */
export async function joinTraining(
  db: Db,
  backtest: Pick<Backtest, 'id' | 'actor' | 'request_id'>,
  spec: ExperimentSpec,
  workflowIdOf: (experimentId: string) => string,
): Promise<string> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const id = contentId(`${canonicalJson(spec)}\n${attempt}`);
    const joined = await inTransaction(db, async (trx) => {
      await lockOpen(trx, backtest.id);
      await createExperiment(trx, {
        ...{ id, spec, actor: backtest.actor, name: spec.name, model: spec.model },
        specHash: specHash(spec),
        workflowId: workflowIdOf(id),
        requestId: backtest.request_id ?? undefined,
      });
      const status = await lockStatus(trx, id);
      if (status === 'failed' || status === 'cancelled') return false;
      await trx
        .insertInto('backtest_training')
        .values({ backtest_id: backtest.id, experiment_id: id })
        .onConflict((oc) => oc.doNothing())
        .execute();
      return true;
    });
    if (joined) return id;
  }
  throw new RatchetError('backtest.fold', `the training of ${spec.name} failed ${ATTEMPTS} times`);
}

/**
 * The backtest waits for it no longer. `unwanted`: no other open one does, so that it is to be stopped; one that nothing
 * has begun is ended here.
 */
export function leaveTraining(
  db: Db,
  { backtestId, experimentId }: { readonly backtestId: string; readonly experimentId: string },
): Promise<{ readonly unwanted: boolean }> {
  return inTransaction(db, async (trx) => {
    // Those that join or leave take turns: of two that leave, the second sees that it is the last.
    const status = await lockStatus(trx, experimentId);
    await trx
      .deleteFrom('backtest_training')
      .where('experiment_id', '=', experimentId)
      .where('backtest_id', '=', backtestId)
      .execute();
    const other = await trx
      .selectFrom('backtest_training')
      .innerJoin('backtest', 'backtest.id', 'backtest_training.backtest_id')
      .select('backtest.id')
      .where('experiment_id', '=', experimentId)
      .where('backtest.status', 'in', ['queued', 'running'])
      .limit(1)
      .executeTakeFirst();
    if (other || isTerminal(status)) return { unwanted: false };
    if (status === 'queued') {
      const message = 'the backtest that asked for it was cancelled';
      await endExperiment(trx, experimentId, { status: 'cancelled', message });
    }
    return { unwanted: true };
  });
}

async function lockOpen(trx: Trx, backtestId: string): Promise<void> {
  const row = await trx
    .selectFrom('backtest')
    .select('status')
    .where('id', '=', backtestId)
    .forShare()
    .executeTakeFirst();
  if (row?.status === 'queued' || row?.status === 'running') return;
  const message = `the backtest ${backtestId} has ended (${row?.status ?? 'unknown'})`;
  throw new RatchetError('backtest.ended', message);
}

async function lockStatus(trx: Trx, experimentId: string): Promise<ExperimentStatus> {
  const { status } = await trx
    .selectFrom('experiment')
    .select('status')
    .where('id', '=', experimentId)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow();
  return status;
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** 26 digits in the shape of a ULID (128 bits), from content instead of time and chance. */
function contentId(content: string): string {
  let bits = BigInt(`0x${createHash('sha256').update(content).digest('hex').slice(0, 32)}`);
  let id = '';
  for (let digit = 0; digit < 26; digit++) {
    id = CROCKFORD[Number(bits & 31n)]! + id;
    bits >>= 5n;
  }
  return id;
}
