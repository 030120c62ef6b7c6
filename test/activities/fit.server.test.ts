import assert from 'node:assert/strict';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CancelledFailure } from '@temporalio/common';
import { withoutTensorflow } from '../support/tensorflow.ts';
import { openFitFixture, type FitFixture } from '../support/fit-fixture.ts';
import { isAlive, untilGone } from '../support/training-job.ts';
import type { FitInput, FitResult } from '../../activities/contracts.ts';
import { decodeBundle } from '../../core/models/bundle.ts';
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import { checkpointsOf } from '../../registry/checkpoints.ts';
import { readEvents } from '../../registry/experiments.ts';

const NETWORK = { units: [8, 8], dense: [6], branch: 4, epochs: 8 };

describe('fit activity', { skip: withoutTensorflow }, () => {
  let fixture: FitFixture;
  before(async () => {
    fixture = await openFitFixture();
  });
  after(() => fixture.close());

  /** Kills the child once a checkpoint of `epoch` or later is durable; the attempt then fails. */
  async function crashAfter(input: FitInput, epoch: number): Promise<void> {
    let killed = false;
    const attempt = fixture.attempt(input, {
      onHeartbeat: ({ checkpoint }) => {
        if (killed || !checkpoint || checkpoint.epoch < epoch) return;
        killed = true;
        process.kill(attempt.pid(), 'SIGKILL');
      },
    });
    await assert.rejects(attempt.result, { code: 'training.process-died', permanent: false });
  }

  const fitKeyOf = async (): Promise<string> => {
    const { db } = fixture.database;
    const row = await db
      .selectFrom('fit_checkpoint')
      .select('fit_key')
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirstOrThrow();
    return row.fit_key;
  };

  /** The digest an uninterrupted fit of the same question gives. */
  async function wholeDigest(input: FitInput): Promise<string> {
    const other = await openFitFixture();
    try {
      const same = await other.ask(NETWORK, { seed: Number(input.experimentId.split('-')[1]) + 1 });
      return (await other.attempt(same).result).weightsDigest;
    } finally {
      await other.close();
    }
  }

  /** Data of its own for each test, so that none finds another's fit. */
  let asked = 0;
  const ask = (): Promise<FitInput> => fixture.ask(NETWORK, { seed: ++asked });

  it('stores a bundle, one event an epoch, and finds the same fit again', async () => {
    const input = await ask();
    const result = await fixture.attempt(input).result;
    const bundle = decodeBundle(await fixture.artifacts.get(result.fitted));
    assert.equal(bundle.summary.weightsDigest, result.weightsDigest);
    assert.deepEqual([result.attempt, result.resumedFromEpoch, result.cached], [1, null, false]);
    const events = await readEvents(fixture.database.db, input.experimentId, { kind: 'epoch' });
    assert.deepEqual(
      events.map(({ payload }) => payload['epoch']),
      [1, 2, 3, 4, 5, 6, 7, 8],
    );
    assert.ok(events.every(({ payload }) => Array.isArray(payload['validLossByHorizon'])));
    const again = fixture.attempt(input);
    assert.deepEqual(await again.result, { ...result, cached: true });
    assert.equal(again.pid(), 0, 'no child was started');
    const otherSeed = await fixture.attempt({ ...input, seed: 2 }).result;
    assert.equal(otherSeed.cached, false);
    assert.notEqual(otherSeed.weightsDigest, result.weightsDigest);
  });

  it('tells the loss curve of a fit that another experiment ran, marked, and only once', async () => {
    const { db } = fixture.database;
    const first = await ask();
    const result = await fixture.attempt(first).result;
    const second = { ...first, experimentId: (await ask()).experimentId };
    for (const _ of [1, 2]) {
      assert.deepEqual(await fixture.attempt(second).result, { ...result, cached: true });
    }
    const told = await readEvents(db, first.experimentId, { kind: 'epoch' });
    const cached = await readEvents(db, second.experimentId, { kind: 'epoch' });
    assert.deepEqual(
      cached.map(({ model, seed, stage, payload }) => ({ model, seed, stage, payload })),
      told.map(({ model, seed, stage, payload }) => {
        assert.equal(payload['cached'], undefined, 'who trained does not say cached');
        return { model, seed, stage, payload: { ...payload, cached: true } };
      }),
    );
    assert.equal(cached.length, 8);
    const notes = await readEvents(db, second.experimentId, { kind: 'note' });
    assert.deepEqual(
      notes.map(({ payload }) => [payload['cached'], payload['epochs']]),
      [[true, 8]],
    );
  });

  it('says that it lives while it waits for its data', { timeout: 60_000 }, async () => {
    const input = { ...(await ask()), family: 'ridge' };
    let heard = 0;
    let heardTwice = (): void => undefined;
    const twice = new Promise<void>((resolve) => (heardTwice = resolve));
    const waiting: ArtifactStore = {
      ...fixture.artifacts,
      get: async (reference) => {
        heard = 0;
        await twice;
        return fixture.artifacts.get(reference);
      },
    };
    const attempt = fixture.attempt(input, {
      artifacts: waiting,
      onHeartbeat: () => {
        if (++heard === 2) heardTwice();
      },
    });
    assert.equal((await attempt.result).attempt, 1);
  });

  it('ignores the seed where the family does', async () => {
    const input = { ...(await ask()), family: 'ridge' };
    const first = await fixture.attempt(input).result;
    const second = await fixture.attempt({ ...input, seed: 9 }).result;
    assert.deepEqual(second, { ...first, seed: 9, cached: true });
  });

  it('goes on from the newest checkpoint and ends with the same weights', async () => {
    const input = await ask();
    await crashAfter(input, 4);
    const result = await fixture.attempt(input, { attempt: 2 }).result;
    assert.equal(result.attempt, 2);
    assert.ok(result.resumedFromEpoch! >= 4, `resumed from ${result.resumedFromEpoch}`);
    assert.equal(result.weightsDigest, await wholeDigest(input));
    const events = await readEvents(fixture.database.db, input.experimentId, { kind: 'epoch' });
    assert.equal(events.length, 8, 'repeated epochs are told once');
  });

  it('falls back to the checkpoint before when the newest is cut short', async () => {
    const input = await ask();
    await crashAfter(input, 4);
    const [newest, before] = await checkpointsOf(fixture.database.db, await fitKeyOf());
    const { sha256 } = newest!.artifact;
    await truncate(join(fixture.root, 'cas', sha256.slice(0, 2), sha256), 500);
    const result = await fixture.attempt(input, { attempt: 2 }).result;
    assert.equal(result.resumedFromEpoch, before!.epoch);
    assert.equal(result.weightsDigest, await wholeDigest(input));
  });

  it('begins anew when no checkpoint is whole', async () => {
    const input = await ask();
    await crashAfter(input, 4);
    for (const { artifact } of await checkpointsOf(fixture.database.db, await fitKeyOf())) {
      const path = join(fixture.root, 'cas', artifact.sha256.slice(0, 2), artifact.sha256);
      await writeFile(path, Buffer.alloc(artifact.bytes));
    }
    const result = await fixture.attempt(input, { attempt: 2 }).result;
    assert.equal(result.resumedFromEpoch, null);
    assert.equal(result.weightsDigest, await wholeDigest(input));
  });

  it('lets a late attempt overwrite nothing', async () => {
    const input = await ask();
    let second: Promise<FitResult> | undefined;
    let stopped = false;
    const first = fixture.attempt(input, {
      onHeartbeat: ({ checkpoint }) => {
        if (stopped || !checkpoint) return;
        stopped = true;
        // As a worker that is frozen past its heartbeat time-out.
        process.kill(first.pid(), 'SIGSTOP');
        second = fixture.attempt(input, { attempt: 2 }).result;
        void second.finally(() => process.kill(first.pid(), 'SIGCONT'));
      },
    });
    await assert.rejects(first.result, { code: 'training.fenced-off' });
    const result = await second!;
    const rows = await fixture.database.db
      .selectFrom('fit_checkpoint')
      .select(['attempt', 'epoch'])
      .where('fit_key', '=', await fitKeyOf())
      .execute();
    assert.ok(
      rows.every(({ attempt }) => attempt === 2),
      JSON.stringify(rows),
    );
    assert.equal(result.weightsDigest, await wholeDigest(input));
  });

  it('records no result of an attempt that was replaced while it ran', async () => {
    const input = { ...(await ask()), family: 'ridge' };
    const { db } = fixture.database;
    const artifacts: ArtifactStore = {
      ...fixture.artifacts,
      async get(ref) {
        await db
          .updateTable('fit_fence')
          .set({ attempt: 2 })
          .where('holder', '=', `${input.experimentId}/run/1`)
          .execute();
        return fixture.artifacts.get(ref);
      },
    };
    const late = fixture.attempt(input, { artifacts });
    await assert.rejects(late.result, { code: 'training.fenced-off' });
    const second = await fixture.attempt(input, { attempt: 2 }).result;
    assert.deepEqual([second.attempt, second.cached], [2, false]);
  });

  it('is cancelled within two seconds and frees the core', async () => {
    const input = await fixture.ask(
      { ...NETWORK, epochs: 5000, earlyStopping: { patience: 5000 } },
      { seed: ++asked },
    );
    let cancelledMs = 0;
    const attempt = fixture.attempt(input, {
      onHeartbeat: ({ epoch }) => {
        if (epoch === 0 || cancelledMs > 0) return;
        cancelledMs = performance.now();
        attempt.cancel();
      },
    });
    await assert.rejects(attempt.result, CancelledFailure);
    await untilGone(attempt.pid(), 2000);
    assert.ok(performance.now() - cancelledMs < 2000);
    assert.equal(isAlive(attempt.pid()), false);
  });

  it('fails permanently on a loss weight too many', async () => {
    const input = await fixture.ask({ ...NETWORK, lossWeights: [1, 1] }, { seed: ++asked });
    await assert.rejects(fixture.attempt(input).result, {
      code: 'model.loss-weights',
      permanent: true,
    });
  });
});
