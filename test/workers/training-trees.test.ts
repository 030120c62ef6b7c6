import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { TrainingCallbacks, TrainingJob } from '../../activities/deps.ts';
import { encodePrepared } from '../../core/features/prepared.ts';
import { decodeBundle } from '../../core/models/bundle.ts';
import { runFitJob } from '../../core/models/fit-job.impl.ts';
import {
  encodeFrame,
  FrameReader,
  type Frame,
  type FromChild,
  type ToChild,
} from '../../workers/training-frames.ts';
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

/** The frames of a child whose worker reads nothing for so long, and how it ended. */
async function readLate(job: TrainingJob, waitMs: number) {
  const script = fileURLToPath(new URL('../../workers/train-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), script], {
    stdio: ['pipe', 'ignore', 'inherit', 'pipe'],
  });
  const { family, params, seed, multiplyByClose, prepared } = job;
  const sizes = { preparedBytes: prepared.length, checkpointBytes: 0, parentBytes: 0, members: [] };
  const asked = { type: 'job', family, params, seed, multiplyByClose, ...sizes } as const;
  for (const piece of encodeFrame<ToChild>(asked, prepared)) child.stdin!.write(piece);
  const ended = once(child, 'close');
  await pause(waitMs);
  const reader = new FrameReader<FromChild>();
  const frames: Frame<FromChild>[] = [];
  child.stdio[3]!.on('data', (chunk: Buffer) => frames.push(...reader.push(chunk)));
  const [exitCode] = (await ended) as [number | null];
  return { frames, exitCode };
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

    it('hands over what it learnt to a worker that is slow to read', async () => {
      // More than the kernel keeps between the two, so that it waits for its reader.
      const params = { rounds: 600, earlyStopping: { patience: 600 } };
      const { frames, exitCode } = await readLate(jobOf(family, params), 6_000);
      const { message, payload } = frames.at(-1)!;
      assert.deepEqual([message.type, exitCode], ['done', 0]);
      assert.ok(payload.length > 300_000, `${payload.length} bytes`);
      assert.ok(decodeBundle(payload).native);
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
