import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { withoutTensorflow } from '../support/tensorflow.ts';
import { fitContext } from '../support/fit-context.ts';
import { plantedPrepared } from '../support/planted-prepared.ts';
import { callbacks, isAlive, lstmJob, untilGone } from '../support/training-job.ts';
import type { TrainingCallbacks, TrainingJob } from '../../activities/deps.ts';
import { RatchetError } from '../../core/errors.ts';
import { decodeBundle } from '../../core/models/bundle.ts';
import { runFitJob } from '../../core/models/fit-job.impl.ts';
import { createTrainer, TrainingProcessError } from '../../workers/training-slot.ts';

const never = new AbortController().signal;

/** Trains in a child; `pid` becomes known before the first callback. */
function start(
  job: TrainingJob,
  changes: Partial<TrainingCallbacks> = {},
  signal: AbortSignal = never,
) {
  const child = { pid: 0 };
  const trainer = createTrainer({
    log: { debug: () => {} },
    onStart: (pid) => (child.pid = pid),
  });
  return { child, result: trainer.train(job, callbacks(changes), signal) };
}

describe('training child', { skip: withoutTensorflow }, () => {
  it('gives what the same fit gives in this process, and is gone afterwards', async () => {
    const prepared = plantedPrepared();
    const job = lstmJob({ epochs: 3 });
    const epochs: number[] = [];
    const { child, result } = start(job, { onEpoch: ({ epoch }) => epochs.push(epoch) });
    const bundle = decodeBundle(await result);
    assert.equal(isAlive(child.pid), false);
    assert.deepEqual(epochs, [1, 2, 3]);
    const here = await runFitJob(
      { ...job, prepared, parent: undefined, members: undefined },
      fitContext(prepared),
    );
    assert.equal(bundle.summary.weightsDigest, here.summary.weightsDigest);
    assert.deepEqual(bundle.probes, here.probes);
    assert.equal(bundle.libraries['node'], process.version);
    assert.ok(bundle.libraries['tensorflow']);
  });

  it('goes on from a checkpoint that it is given', async () => {
    let checkpoint: Uint8Array | undefined;
    const whole = start(lstmJob({ epochs: 6 }), {
      onCheckpoint: async (bytes, at) => {
        if (at.epoch === 4) checkpoint = bytes;
      },
    });
    const expected = decodeBundle(await whole.result);
    const epochs: number[] = [];
    const resumed = start(
      { ...lstmJob({ epochs: 6 }), checkpoint },
      { onEpoch: ({ epoch }) => epochs.push(epoch) },
    );
    const bundle = decodeBundle(await resumed.result);
    assert.deepEqual(epochs, [4, 5, 6]);
    assert.equal(bundle.summary.weightsDigest, expected.summary.weightsDigest);
  });

  it('is killed by a cancel within two seconds', async () => {
    const abort = new AbortController();
    let cancelledMs = 0;
    const onEpoch = (): void => {
      cancelledMs ||= performance.now();
      abort.abort(new Error('cancelled by the test'));
    };
    const { child, result } = start(lstmJob(), { onEpoch }, abort.signal);
    await assert.rejects(result, /cancelled by the test/);
    await untilGone(child.pid, 2000);
    assert.ok(performance.now() - cancelledMs < 2000);
  });

  it('is not even started when the cancel came first', async () => {
    const { child, result } = start(lstmJob(), {}, AbortSignal.abort(new Error('too late')));
    await assert.rejects(result, /too late/);
    assert.equal(child.pid, 0);
  });

  it('that dies is a failure worth another attempt, and says how it died', async () => {
    const { child, result } = start(lstmJob(), {
      onEpoch: () => process.kill(child.pid, 'SIGKILL'),
    });
    await assert.rejects(result, (error: unknown) => {
      assert.ok(error instanceof TrainingProcessError);
      assert.equal(error.code, 'training.process-died');
      assert.equal(error.permanent, false);
      assert.equal(error.details['signal'], 'SIGKILL');
      return true;
    });
  });

  it('that ends by an error of its own says which', async () => {
    const environment = { ...process.env, NODE_OPTIONS: '--require ./no-such-module.cjs' };
    const trainer = createTrainer({ log: { debug: () => {} }, environment });
    const result = trainer.train(lstmJob(), callbacks(), never);
    await assert.rejects(result, {
      code: 'training.process-died',
      message: /with exit code 1 before it was done: Error: Cannot find module '.*no-such-module/,
    });
  });

  it('that hangs is killed, after it was called alive for as long as it spoke', async () => {
    let alive = 0;
    let pid = 0;
    const trainer = createTrainer({
      log: { debug: () => {} },
      silenceLimitMs: 2500,
      onStart: (started) => (pid = started),
    });
    let stopped = false;
    const hung = trainer.train(
      lstmJob(),
      callbacks({
        onAlive: () => (alive += 1),
        onEpoch: ({ epoch }) => {
          if (epoch < 5 || stopped) return;
          stopped = true;
          process.kill(pid, 'SIGSTOP');
        },
      }),
      never,
    );
    await assert.rejects(hung, { code: 'training.process-hung', permanent: false });
    assert.ok(alive > 0);
    await untilGone(pid, 2000);
  });

  it('that runs out of memory says so by name', async () => {
    const trainer = createTrainer({
      log: { debug: () => {} },
      environment: { ...process.env, NODE_OPTIONS: '--max-old-space-size=24' },
    });
    const large = lstmJob({}, { rows: 4000, features: 40 });
    await assert.rejects(trainer.train(large, callbacks(), never), {
      code: 'training.out-of-memory',
      permanent: false,
    });
  });

  it('passes on what the fit failed with', async () => {
    const wrong = start(lstmJob({ lossWeights: [1, 1] }));
    await assert.rejects(wrong.result, { code: 'model.loss-weights', permanent: true });
    const unknown = start({ ...lstmJob(), family: 'nonesuch' });
    await assert.rejects(unknown.result, { code: 'model.unknown-family', permanent: true });
    const invalid = start(lstmJob({ epochs: -1 }));
    await assert.rejects(invalid.result, { code: 'input.invalid', message: /^epochs: / });
  });

  it('ends when its checkpoint is refused', async () => {
    const { child, result } = start(lstmJob(), {
      onCheckpoint: async () => {
        throw new RatchetError('training.fenced-off', 'a later attempt runs', { permanent: false });
      },
    });
    await assert.rejects(result, { code: 'training.fenced-off' });
    await untilGone(child.pid, 2000);
  });

  it('does not see the keys of databases and stores', async () => {
    const secret = 'RATCHET_S3_SECRET_KEY';
    const seen: string[] = [];
    const trainer = createTrainer({
      log: { debug: () => {} },
      environment: { ...process.env, [secret]: 'planted' },
      onStart: (pid) => seen.push(String(pid)),
    });
    const { readFile } = await import('node:fs/promises');
    let environment = '';
    const trained = trainer.train(
      lstmJob({ epochs: 1 }),
      callbacks({
        onCheckpoint: async () => {
          environment = await readFile(`/proc/${seen[0]}/environ`, 'utf8').catch(() => 'no /proc');
        },
      }),
      never,
    );
    await trained;
    assert.ok(environment.length > 0 && !environment.includes('planted'), environment);
  });

  it('ends within a second when its worker is killed', async () => {
    const script = fileURLToPath(new URL('../support/orphan-trainer.ts', import.meta.url));
    const worker = spawn(process.execPath, ['--import', 'tsx', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let pid = 0;
    for await (const line of createInterface({ input: worker.stdout })) {
      const message = JSON.parse(line) as { pid?: number; epoch?: number };
      pid ||= message.pid ?? 0;
      // Killed in the middle of the training, not while the child still loads.
      if (message.epoch === 1) worker.kill('SIGKILL');
    }
    const waitedMs = await untilGone(pid, 2000);
    assert.ok(waitedMs < 1000, `took ${waitedMs} ms`);
  });
});
