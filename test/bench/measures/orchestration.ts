/** What the workflows cost beside the work that they order, and how far more processes carry. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { on, once } from 'node:events';
import { join } from 'node:path';
import { projectRoot } from '../../../infra/project.ts';
import { workerFlags } from '../../../infra/stack/own.ts';
import { workflowIds } from '../../../workflows/messages.ts';
import { timesOf } from '../history.ts';
import { fixedPeer, spreadOf, type Measure } from '../measure.ts';
import { closeSharedStack, openStack, retire, sharedStack, type BenchStack } from '../stack.ts';
import {
  indexExperiment,
  smallExperiment,
  sweptExperiment,
  type IndexSize,
} from '../workload-specs.ts';

let seed = 0;

export const overhead: Measure = {
  name: 'overhead',
  docs: 'An experiment from bars to a served champion: from the first event of its history to the last, less the time in which an activity ran.',
  unit: 's',
  better: 'lower',
  target: 1,
  needsBuild: true,
  async open() {
    const stack = await sharedStack();
    const walls: number[] = [];
    return {
      ours: {
        name: 'ratchet',
        async round() {
          const { id } = await stack.complete(smallExperiment('overhead', ++seed));
          const { wallMs, activityMs } = await timesOf(stack.temporal, workflowIds.experiment(id));
          await retire(stack, 'overhead');
          walls.push(wallMs);
          return (wallMs - activityMs) / 1_000;
        },
        close: async () => undefined,
      },
      peers: [fixedPeer('promised', 2)],
      also: () => ({ 'the whole experiment, s': spreadOf(walls).median / 1_000 }),
    };
  },
};

/** Epochs as an early stop leaves them; ours takes some fifteen seconds of two cores that are free. */
const JOBS: IndexSize = { trainBars: 1_024, validBars: 256, epochs: 16 };

export const trainJobs: Measure = {
  name: 'train-jobs',
  docs:
    'Two symbols x two seeds of the index predictor, every dropout on, the same epochs: the whole experiment by the workflows, from ' +
    'request to end, processes started; Keras trains in processes that stand ready.',
  unit: 's',
  better: 'lower',
  target: 0.4,
  needsBuild: true,
  warmUp: false,
  async open({ peer }) {
    const stack = await sharedStack();
    const { trainBars, validBars, epochs } = JOBS;
    const keras = await peer('keras_jobs.py', [trainBars, validBars, epochs].map(String));
    return {
      ours: {
        name: 'ratchet',
        async round() {
          const seeds = [++seed, ++seed];
          const begin = performance.now();
          await stack.complete(indexExperiment(seeds, JOBS));
          const took = (performance.now() - begin) / 1_000;
          for (const symbol of ['gspc', 'ixic']) await retire(stack, `jobs-${symbol}`);
          return took;
        },
        close: async () => undefined,
      },
      peers: [keras],
    };
  },
};

const TRIALS = 30;

/** A worker process of the stack that is no part of it, with one training at a time. Resolves once it polls. */
async function startWorker(
  { stack }: BenchStack,
  queues: readonly string[],
): Promise<ChildProcess> {
  const script = join(projectRoot, 'dist/workers/run.js');
  const worker = spawn(process.execPath, [...workerFlags(queues), script, ...queues], {
    env: {
      ...process.env,
      ...stack.env,
      ...{ NODE_ENV: 'production', RATCHET_LOG_LEVEL: 'info', RATCHET_TRAINING_SLOTS: '1' },
      RATCHET_METRICS_PORT: '0',
      RATCHET_SIGNING_KEY_FILE: stack.keys.signing,
      RATCHET_VERIFY_KEY_FILE: stack.keys.verify,
    },
    // It ends with its standard input.
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let said = '';
  for await (const [chunk] of on(worker.stdout, 'data', { close: ['end'] })) {
    said += String(chunk);
    if (said.includes('"msg":"polling"')) break;
  }
  assert.ok(said.includes('"msg":"polling"'), `a worker ended: ${said}`);
  worker.stdout.resume();
  return worker;
}

async function end(worker: ChildProcess): Promise<void> {
  const ended = once(worker, 'exit');
  worker.kill('SIGTERM');
  await ended;
}

/** Trials per second of a search by so many training workers, which stand ready; nobody asks how far it is. */
async function searchRate(stack: BenchStack, workers: number): Promise<number> {
  const ready = Array.from({ length: workers }, () => startWorker(stack, ['training']));
  const training = await Promise.all(ready);
  try {
    const id = await stack.start(sweptExperiment('swept', ++seed, TRIALS));
    const ended: unknown = await stack.temporal.workflow.result(workflowIds.experiment(id));
    assert.equal((ended as { status?: unknown }).status, 'completed');
    const { wallMs } = await timesOf(stack.temporal, workflowIds.sweep(id, 'swept'));
    await retire(stack, 'swept');
    return (1_000 * TRIALS) / wallMs;
  } finally {
    await Promise.all(training.map(end));
  }
}

/**
 * Two cores bound it. With 6 epochs a trial took 1.9 to 2.05 s with one worker, for much of which the second core idled; with
 * two it cost 2.45 core seconds, of which its child 2.1 (.2 of them V8's compiler, on another core while there is one), its
 * worker .15, everything else .15 (Temporal .04, activities and API .06, PostgreSQL and the store .03), and no slot waited
 * for longer than 10 ms: 1.56 (with 2 epochs 1.54). What a trial costs beside its training weighs less the longer it is:
 * here it has 10. Whatever else runs on the machine takes from the two workers alone.
 */
export const sweepScaling: Measure = {
  name: 'sweep-scaling',
  docs: `Trials per second of a search of ${TRIALS} small networks of 10 epochs, two training workers that stand ready beside one.`,
  unit: 'trials/s',
  better: 'higher',
  target: 1.6,
  needsBuild: true,
  warmUp: false,
  async open() {
    await closeSharedStack();
    // No training worker of the stack's own may take a trial.
    const stack = await openStack(['postgres', 'temporal', 's3', 'api']);
    const general = await startWorker(stack, ['orchestration', 'general']);
    return {
      ours: {
        name: 'two workers',
        round: () => searchRate(stack, 2),
        async close() {
          await end(general);
          await stack.end();
        },
      },
      peers: [
        { name: 'one worker', round: () => searchRate(stack, 1), close: async () => undefined },
      ],
    };
  },
};
