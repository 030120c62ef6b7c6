import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import type { Kysely } from 'kysely';
import { randomFor } from '../../core/models/random.ts';
import { projectRoot } from '../../infra/project.ts';
import { openDatabase } from '../../registry/db.ts';
import type { Database } from '../../registry/tables.ts';
import { productMissing, smallSpec, startProduct } from '../support/product.ts';
import type { Product } from '../support/product.ts';
import { rounds } from '../support/rounds.ts';

const SEED = Number(process.env['RATCHET_FAULT_SEED'] ?? 20_261_121);
const ROUNDS = rounds(2, 5);
const EPOCHS = 12;
/** Seeds 1..ROUNDS are killed, the last one is stopped. */
const FROZEN = ROUNDS + 1;

const spec = (seeds: readonly number[]) => ({
  ...smallSpec,
  model: 'survivor',
  hyperparameters: {
    ...smallSpec.hyperparameters,
    epochs: EPOCHS,
    earlyStopping: { patience: EPOCHS },
  },
  baselines: [],
  seeds,
  forceRetrain: true,
});

interface Fit {
  readonly weightsDigest: string;
  readonly attempt: number;
  readonly resumedFromEpoch: number | null;
  readonly fitted: { readonly sha256: string };
}

interface EpochRow {
  readonly seed: number;
  readonly payload: { readonly epoch: number; readonly attempt: number; readonly seconds: number };
}

describe('the training worker is killed or frozen', { skip: productMissing }, () => {
  let product: Product;
  let db: Kysely<Database>;
  const whole = new Map<number, string>();

  before(async () => {
    product = await startProduct();
    db = openDatabase(product.stack.config.databaseUrl!);
    const seeds = Array.from({ length: FROZEN }, (_, i) => i + 1);
    const end = await product.run(spec(seeds));
    assert.equal(end.status, 'completed', end.message);
    for (const [seed, fit] of await fits(end.id)) whole.set(seed, fit.weightsDigest);
    assert.equal(new Set(whole.values()).size, FROZEN, 'each seed has weights of its own');
  });
  after(async () => {
    await db.destroy();
    await product.end();
  });

  const epochs = async (id: string): Promise<readonly EpochRow[]> => {
    const rows = await db
      .selectFrom('experiment_event')
      .select(['seed', 'payload'])
      .where('experiment_id', '=', id)
      .where('kind', '=', 'epoch')
      .orderBy('seq')
      .execute();
    return rows as unknown as readonly EpochRow[];
  };

  /** Results of the fits by seed, as the experiment's own history has them. */
  const fits = async (id: string): Promise<ReadonlyMap<number, Fit>> => {
    const { Client, Connection } = await import('@temporalio/client');
    const connection = await Connection.connect({
      address: product.stack.config.temporal.address,
    });
    try {
      const { events } = await new Client({ connection }).workflow
        .getHandle(`experiment/${id}`)
        .fetchHistory();
      const results = (events ?? []).flatMap((event) => {
        const data = event.activityTaskCompletedEventAttributes?.result?.payloads?.[0]?.data;
        if (!data?.length) return [];
        const result = JSON.parse(Buffer.from(data).toString()) as Fit & { seed?: number };
        return result.weightsDigest === undefined ? [] : [[result.seed!, result] as const];
      });
      return new Map(results);
    } finally {
      await connection.close();
    }
  };

  /** Nothing of earlier fits is left that a new one could be answered or go on from. */
  const forget = async (): Promise<void> => {
    await db.deleteFrom('step_cache').where('step', '=', 'fit').execute();
    await db.deleteFrom('fit_checkpoint').execute();
  };

  const trainingPid = (): number => {
    const part = product.stack.status().parts.find(({ name }) => name === 'training');
    return part?.pid ?? assert.fail('the training worker runs');
  };

  /** The moment at which `epoch` of `id` has ended, with how long an epoch takes. */
  const reached = (id: string, epoch: number) =>
    product.until(`epoch ${epoch}`, async () =>
      (await epochs(id)).find(({ payload }) => payload.epoch === epoch),
    );

  const random = randomFor(SEED);
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const epoch = 1 + Math.floor(random() * (EPOCHS - 3));
    const share = random() * 0.5;
    it(`kill -9 in epoch ${epoch + 1}: resumed there, same weights`, async (t) => {
      await forget();
      const id = await product.start(spec([seed]));
      const { payload } = await reached(id, epoch);
      await sleep(share * payload.seconds * 1000);
      process.kill(trainingPid(), 'SIGKILL');
      const seen = (await epochs(id)).at(-1)!.payload.epoch;
      const end = await product.until('the end', async () => {
        const { body } = await product.request('GET', `/api/v1/experiments/${id}`);
        return body['status'] === 'running' ? undefined : body;
      });
      assert.equal(end['status'], 'completed', String(end['message']));
      const rows = await epochs(id);
      const attemptOf = (n: number) => rows.find((row) => row.payload.epoch === n)?.payload.attempt;
      // What attempt 1 had told when it died, and what attempt 2 told next, enclose the moment.
      const last = Math.max(
        seen,
        ...rows.filter((r) => r.payload.attempt === 1).map((r) => r.payload.epoch),
      );
      t.diagnostic(
        `seed ${SEED}: killed inside epoch ${last + 1}, ${(share * 100).toFixed(0)} % into it or later`,
      );
      assert.ok(last < EPOCHS, 'killed before the training ended');
      assert.equal(attemptOf(last), 1);
      assert.equal(attemptOf(last + 1), 2, `epoch ${last + 1} was not over when the worker died`);
      const fit = (await fits(id)).get(seed)!;
      assert.ok(fit.attempt >= 2);
      assert.ok(
        [last, last + 1].includes(fit.resumedFromEpoch ?? 1),
        `went on in epoch ${fit.resumedFromEpoch}, killed in ${last + 1}`,
      );
      assert.equal(fit.weightsDigest, whole.get(seed));
      assert.deepEqual(
        rows.map((row) => row.payload.epoch),
        Array.from({ length: EPOCHS }, (_, i) => i + 1),
        'each epoch is told once',
      );
    });
  }

  it('SIGSTOP past the heartbeat time-out: the late attempt overwrites nothing', async () => {
    await forget();
    const frozen = trainingPid();
    const id = await product.start(spec([FROZEN]));
    await reached(id, 2);
    process.kill(frozen, 'SIGSTOP');
    const second = spawn(process.execPath, [join(projectRoot, 'dist/workers/run.js'), 'training'], {
      env: {
        ...process.env,
        ...product.stack.env,
        RATCHET_SIGNING_KEY_FILE: product.stack.keys.signing,
        RATCHET_METRICS_PORT: '0',
      },
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    try {
      const done = await product.until('the end by the second worker', async () => {
        const { body } = await product.request('GET', `/api/v1/experiments/${id}`);
        return body['status'] === 'running' ? undefined : body;
      });
      assert.equal(done['status'], 'completed', String(done['message']));
      const facts = async () => ({
        cache: await db.selectFrom('step_cache').selectAll().where('step', '=', 'fit').execute(),
        checkpoints: await db.selectFrom('fit_checkpoint').selectAll().orderBy('id').execute(),
        fence: await db.selectFrom('fit_fence').selectAll().execute(),
        versions: await db.selectFrom('model_version').selectAll().orderBy('version').execute(),
        events: await epochs(id),
      });
      const before = await facts();
      const fit = (await fits(id)).get(FROZEN)!;
      assert.ok(fit.attempt >= 2);
      assert.equal(fit.weightsDigest, whole.get(FROZEN));
      process.kill(frozen, 'SIGCONT');
      // The late attempt is over when its child is: the next fit gets the slot it held.
      await product.until('the late attempt to end', async () =>
        childrenOf(frozen) === 0 ? true : undefined,
      );
      assert.deepEqual(await facts(), before);
    } finally {
      second.stdin.end();
    }
  });
});

/** Training children of a worker process. */
function childrenOf(pid: number): number {
  const file = `/proc/${pid}/task/${pid}/children`;
  return readFileSync(file, 'utf8').trim().split(' ').filter(Boolean).length;
}
