import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TrainingCallbacks, TrainingJob } from '../../activities/deps.ts';
import { encodePrepared } from '../../core/features/prepared.ts';
import { decodeBundle } from '../../core/models/bundle.ts';
import { runFitJob } from '../../core/models/fit-job.impl.ts';
import { createTrainer } from '../../workers/training-slot.ts';
import { fitContext } from '../support/fit-context.ts';
import { plantedPrepared } from '../support/planted-prepared.ts';
import { callbacks, isAlive, untilGone } from '../support/training-job.ts';
import { withoutTrees } from '../support/without-trees.ts';

const prepared = plantedPrepared({ labelKind: 'threeClass', rows: 600 });

const jobOf = (family: string, params: Record<string, unknown>): TrainingJob => ({
  family,
  params,
  seed: 3,
  prepared: encodePrepared(prepared),
  checkpoint: undefined,
  multiplyByClose: false,
});

function start(
  job: TrainingJob,
  changes: Partial<TrainingCallbacks> = {},
  signal = new AbortController().signal,
) {
  const child = { pid: 0 };
  const onStart = (pid: number): void => void (child.pid = pid);
  const trainer = createTrainer({ log: { debug: () => {} }, onStart });
  return { child, result: trainer.train(job, callbacks(changes), signal) };
}

const ENDLESS = { rounds: 10_000, learningRate: 1e-6, earlyStopping: { patience: 10_000 } };

for (const family of ['lightgbm', 'xgboost']) {
  describe(`boosting ${family} in the training child`, { skip: withoutTrees }, () => {
    it('gives what the same fit gives in this process', async () => {
      const job = jobOf(family, { rounds: 40 });
      const { child, result } = start(job);
      const bundle = decodeBundle(await result);
      assert.equal(isAlive(child.pid), false);
      const here = await runFitJob(
        { ...job, prepared, parent: undefined, members: undefined },
        fitContext(prepared),
      );
      assert.equal(bundle.summary.weightsDigest, here.summary.weightsDigest);
      assert.deepEqual(bundle.native, here.native);
      assert.match(bundle.libraries[family]!, /sha256:[0-9a-f]{16}$/);
    });

    it('is killed by a cancel within two seconds', async () => {
      const cancel = new AbortController();
      let cancelledMs = 0;
      const onBatch = (): void => {
        cancelledMs ||= performance.now();
        cancel.abort(new Error('cancelled by the test'));
      };
      const { child, result } = start(jobOf(family, ENDLESS), { onBatch }, cancel.signal);
      await assert.rejects(result, /cancelled by the test/);
      await untilGone(child.pid, 2000);
      assert.ok(performance.now() - cancelledMs < 2000);
    });

    it('starts anew after a crash and ends with the same trees', async () => {
      const job = jobOf(family, { rounds: 60, earlyStopping: { patience: 60 } });
      const epochs: number[] = [];
      const checkpoints: unknown[] = [];
      const crashing = start(job, {
        onEpoch: ({ epoch }) => {
          epochs.push(epoch);
          if (epoch === 20) process.kill(crashing.child.pid, 'SIGKILL');
        },
        onCheckpoint: async (_, at) => void checkpoints.push(at),
      });
      await assert.rejects(crashing.result, { code: 'training.process-died' });
      const again = decodeBundle(
        await start(job, { onEpoch: ({ epoch }) => epochs.push(epoch) }).result,
      );
      assert.equal(epochs.filter((epoch) => epoch === 1).length, 2);
      assert.deepEqual(checkpoints, []);
      const here = await runFitJob(
        { ...job, prepared, parent: undefined, members: undefined },
        fitContext(prepared),
      );
      assert.equal(again.summary.weightsDigest, here.summary.weightsDigest);
    });
  });
}
