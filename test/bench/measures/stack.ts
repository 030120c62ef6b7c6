/** Starts and memory of the product's processes. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startApi, type ApiProcess } from '../../support/api-process.ts';
import { runCli } from '../../support/product.ts';
import { freePort } from '../../support/server-process.ts';
import { fixedPeer, spreadOf, type Measure } from '../measure.ts';
import { retire, sharedStack, type BenchStack } from '../stack.ts';
import { servedExperiment, wholeIndexExperiment } from '../workload-specs.ts';

const MB = 1e6;
const KB = 1024;
/** Requests to the API whose memory is measured: without samples, and with a hundred each. */
const PLAIN_REQUESTS = 400;
const SAMPLED_REQUESTS = 80;
/** A peak is noted by the kernel; this is how often the process is looked at before it is gone. */
const LOOK_MS = 20;

const SERVED = ['AAPL', 'BAC', 'SPY', 'GOOG'];
const modelOf = (instrument: string): string => `served-${instrument}`.toLowerCase();

let serving: BenchStack | undefined;

/** The shared stack once four champions serve on it. */
async function servingStack(): Promise<BenchStack> {
  const stack = await sharedStack();
  if (serving !== stack) await stack.complete(servedExperiment);
  serving = stack;
  return stack;
}

const seconds = (fromMs: number): number => (performance.now() - fromMs) / 1_000;

export const coldStart: Measure = {
  name: 'cold-start',
  docs: '`ratchet up --detach` on an empty state folder until it says ready: every server made, started and migrated.',
  unit: 's',
  better: 'lower',
  target: 1,
  needsBuild: true,
  open: async () => ({
    ours: {
      name: 'ratchet',
      async round() {
        const folder = mkdtempSync(join(tmpdir(), 'ratchet-bench-up-'));
        const state = join(folder, 'state');
        try {
          const begin = performance.now();
          const { code, stdout, stderr } = await runCli(state, ['up', '--detach']);
          const took = seconds(begin);
          assert.equal(code, 0, stdout + stderr);
          return took;
        } finally {
          await runCli(state, ['down']);
          rmSync(folder, { recursive: true, force: true });
        }
      },
      close: async () => undefined,
    },
    peers: [fixedPeer('promised', 15)],
  }),
};

async function ask(url: string, key: string, instrument: string, confidence: 'none' | 'mc') {
  const response = await fetch(`${url}/api/v1/ml-models/${modelOf(instrument)}/predict`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ instrument, confidence }),
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
}

/** Seconds from the start of a replica's process to its first prediction. */
async function firstPrediction(stack: BenchStack, port: number): Promise<number> {
  const begin = performance.now();
  const api = await startApi(stack.stack, port);
  try {
    await ask(api.url, stack.key, SERVED[0]!, 'none');
    return seconds(begin);
  } finally {
    await api.end();
  }
}

export const coldStartPredict: Measure = {
  name: 'cold-start-predict',
  docs: 'Start of an API process that served four models before -> its first prediction; beside it a new one, which fetches them.',
  unit: 's',
  better: 'lower',
  target: 1,
  needsBuild: true,
  async open() {
    const stack = await servingStack();
    const port = await freePort();
    const anew: number[] = [];
    await firstPrediction(stack, port);
    return {
      ours: {
        name: 'ratchet',
        async round() {
          anew.push(await firstPrediction(stack, await freePort()));
          return firstPrediction(stack, port);
        },
        close: async () => undefined,
      },
      peers: [fixedPeer('promised', 1)],
      also: () => ({ 'of a new replica, s': spreadOf(anew).median }),
    };
  },
};

/** A field of a process's status, e.g. VmRSS, bytes; undefined once it has ended. */
function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text);
    return found ? Number(found[1]) * KB : undefined;
  } catch {
    return undefined;
  }
}

interface Resident {
  readonly now: number;
  readonly peak: number;
}

/** MB. */
async function loaded(api: ApiProcess, key: string): Promise<Resident> {
  for (const [count, confidence] of [
    [PLAIN_REQUESTS, 'none'],
    [SAMPLED_REQUESTS, 'mc'],
  ] as const) {
    for (let k = 0; k < count; k += SERVED.length) {
      await Promise.all(SERVED.map((instrument) => ask(api.url, key, instrument, confidence)));
    }
  }
  const megabytes = (field: 'VmRSS' | 'VmHWM'): number => memoryOf(api.pid()!, field)! / MB;
  return { now: megabytes('VmRSS'), peak: megabytes('VmHWM') };
}

/** Each request is computed, though its question was asked before. */
const COMPUTED = { RATCHET_REMEMBERED_ANSWERS: '0' };

export const memory: Measure = {
  name: 'memory',
  docs: `Resident memory of an API process that serves four index predictors, after ${PLAIN_REQUESTS} predictions and ${SAMPLED_REQUESTS} with a hundred samples each, all of them computed.`,
  unit: 'MB',
  better: 'lower',
  target: 1,
  needsBuild: true,
  async open() {
    const stack = await servingStack();
    const { body } = await stack.request('GET', '/api/v1/ml-models');
    const models = body['items'];
    const port = await freePort();
    assert.equal(Array.isArray(models) && models.length, SERVED.length, 'no other model serves');
    const peaks: number[] = [];
    return {
      ours: {
        name: 'ratchet',
        async round() {
          const api = await startApi(stack.stack, port, COMPUTED);
          try {
            const { now, peak } = await loaded(api, stack.key);
            peaks.push(peak);
            return now;
          } finally {
            await api.end();
          }
        },
        close: async () => undefined,
      },
      peers: [fixedPeer('promised', 250)],
      also: () => ({ 'at most, MB': Math.max(...peaks) }),
    };
  },
};

/** Most memory that any training child had while `work` ran, bytes. */
async function peakOfChildren(worker: number, work: Promise<unknown>): Promise<number> {
  let peak = 0;
  let done = false;
  const ended = work.finally(() => (done = true));
  while (!done) {
    const children = readFileSync(`/proc/${worker}/task/${worker}/children`, 'utf8');
    for (const pid of children.split(' ').filter(Boolean)) {
      peak = Math.max(peak, memoryOf(Number(pid), 'VmHWM') ?? 0);
    }
    await pause(LOOK_MS);
  }
  await ended;
  return peak;
}

let trained = 0;

export const memoryTraining: Measure = {
  name: 'memory-training',
  docs: 'Most memory of the training child of the index predictor: 20 years of ^GSPC, 60 x 152, one epoch, through the workflow.',
  unit: 'MB',
  better: 'lower',
  target: 1,
  needsBuild: true,
  warmUp: false,
  async open() {
    const stack = await sharedStack();
    const { pid } = stack.stack.status().parts.find(({ name }) => name === 'training')!;
    return {
      ours: {
        name: 'ratchet',
        async round() {
          const peak = await peakOfChildren(pid!, stack.complete(wholeIndexExperiment(++trained)));
          await retire(stack, 'whole');
          return peak / MB;
        },
        close: async () => undefined,
      },
      peers: [fixedPeer('promised', 700)],
    };
  },
};
