/**
 * The training child: one fit on one core, alone in its process, so that a cancel can kill it, a crash
 * takes nothing else along and its memory goes back. Started by training-slot.ts; ends within a second
 * when its worker does.
 */
import { Socket } from 'node:net';
import { constants, cpus, setPriority } from 'node:os';
import { performance } from 'node:perf_hooks';
import { ZodError } from 'zod';
import { openEpisode } from '../core/backtest/episode.ts';
import { RatchetError } from '../core/errors.ts';
import { decodePrepared } from '../core/features/prepared.ts';
import { decodeBundle, encodeBundle } from '../core/models/bundle.ts';
import { runFitJob } from '../core/models/fit-job.impl.ts';
import { endWithParent } from '../infra/end-with-parent.ts';
import { isOutOfMemory } from './out-of-memory.ts';
import {
  encodeFrame,
  FrameReader,
  type Frame,
  type FromChild,
  type ToChild,
} from './training-frames.ts';

/** Descriptor that training-slot.ts opened for our frames. */
const CHANNEL = 3;
/** Far more often than any heartbeat time-out, far less often than batches. */
const ALIVE_INTERVAL_MS = 1000;
const BATCH_INTERVAL_MS = 50;

type Job = Extract<ToChild, { type: 'job' }>;

const channel = new Socket({ fd: CHANNEL, readable: false, writable: true });
const durable = new Map<number, () => void>();
let checkpoints = 0;

function send(message: FromChild, payload?: Uint8Array): void {
  for (const piece of encodeFrame(message, payload)) channel.write(piece);
}

const alive = setInterval(() => send({ type: 'alive' }), ALIVE_INTERVAL_MS);
alive.unref();

/** Sends the last message and goes once it is in the pipe; nothing may follow it, however slowly it is read. */
function finish(message: FromChild, payload?: Uint8Array): void {
  clearInterval(alive);
  send(message, payload);
  channel.end(() => process.exit(0));
}

function failureOf(error: unknown): FromChild {
  const { message } = error as Error;
  if (error instanceof RatchetError) {
    const { code, permanent, details } = error;
    return { type: 'failed', code, message, permanent, details };
  }
  const failed = { type: 'failed' as const, message, details: {} };
  if (error instanceof ZodError) {
    const issues = error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    return { ...failed, code: 'input.invalid', message: issues.join('; '), permanent: true };
  }
  const code = isOutOfMemory(message) ? 'training.out-of-memory' : 'training.failed';
  return { ...failed, code, permanent: false };
}

/** Resolves once the worker says that the checkpoint is durable. */
function saveCheckpoint(bytes: Uint8Array, at: { epoch: number; batch: number }): Promise<void> {
  const id = ++checkpoints;
  send({ type: 'checkpoint', id, at }, bytes);
  return new Promise((resolve) => durable.set(id, resolve));
}

/** "Same seed, same weights" holds within one of these: instruction set, runtime, one thread. */
const machineClass = (): Record<string, string> => ({
  node: process.version,
  machine: `${process.platform}-${process.arch}`,
  cpu: cpus()[0]?.model ?? 'unknown',
  threads: '1',
});

async function train(job: Job, payload: Uint8Array): Promise<Uint8Array> {
  const { family, params, seed, multiplyByClose, twin } = job;
  let at = 0;
  const next = (bytes: number): Uint8Array => payload.subarray(at, (at += bytes));
  const prepared = decodePrepared(next(job.preparedBytes));
  const checkpoint = job.checkpointBytes > 0 ? next(job.checkpointBytes) : undefined;
  const parent = job.parentBytes > 0 ? decodeBundle(next(job.parentBytes)) : undefined;
  const members = job.members.map(({ bytes, ...member }) => ({
    ...decodeBundle(next(bytes)),
    ...member,
  }));
  let batchSentMs = -Infinity;
  const bundle = await runFitJob(
    { family, params, seed, multiplyByClose, twin, prepared, parent, members },
    {
      openEpisode,
      signal: new AbortController().signal,
      now: () => performance.now(),
      rssBytes: () => process.memoryUsage.rss(),
      loadCheckpoint: async () => checkpoint,
      saveCheckpoint,
      onEpoch: (event) => send({ type: 'epoch', event }),
      onBatch: (at) => {
        const nowMs = performance.now();
        if (nowMs - batchSentMs < BATCH_INTERVAL_MS) return;
        batchSentMs = nowMs;
        send({ type: 'batch', at });
      },
    },
  );
  return encodeBundle({ ...bundle, libraries: { ...bundle.libraries, ...machineClass() } });
}

function receive({ message, payload }: Frame<ToChild>): void {
  if (message.type === 'durable') {
    durable.get(message.id)?.();
    durable.delete(message.id);
    return;
  }
  train(message, payload).then(
    (bundle) => finish({ type: 'done' }, bundle),
    (error: unknown) => finish(failureOf(error)),
  );
}

// Serving and the workers' own threads go first.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
endWithParent();
const reader = new FrameReader<ToChild>();
process.stdin.on('data', (chunk: Buffer) => reader.push(chunk).forEach(receive));
