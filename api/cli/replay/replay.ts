/**
 * A past period at speed: what schedules and callers would have sent, slot by slot, through the public API. The same
 * code runs as in live use; market time is data, so that a day takes seconds.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { ApiClient, Json } from '../http.ts';
import { segment } from '../options.ts';
import { CliError, EXIT } from '../output.ts';
import type { ReplaySlot } from './slots.ts';

export interface Replay {
  readonly client: ApiClient;
  readonly model: string;
  readonly instruments: readonly string[];
  readonly slots: readonly ReplaySlot[];
  /** Sessions from one drift report to the next. */
  readonly every: number;
  readonly signal: AbortSignal;
  readonly onSlot: (progress: ReplayProgress) => void;
}

export interface ReplayProgress {
  readonly slot: number;
  readonly slots: number;
  readonly asOf: string;
  readonly predictions: number;
  /** `watching`, `retraining`, `on-trial`, ... */
  readonly state: string;
}

/** Requests at once: enough to keep one replica busy. */
const AT_ONCE = 6;
const POLL_MS = 150;
const PATIENCE = 60;
const RETRY_MS = 1_000;
/** A retrain of a small model takes seconds, of a large one an hour: a step that takes longer is stuck. */
const STUCK_MS = 2 * 3_600_000;

/** Sends all slots, each after what the former caused has ended; returns how many predictions were made. */
export async function replay(run: Replay): Promise<number> {
  let predictions = 0;
  for (const [at, slot] of run.slots.entries()) {
    predictions += await predictAll(run, slot.closes);
    const asOf = new Date(slot.end).toISOString();
    await ask(run, 'settle', asOf);
    await until(run, asOf, isSettled);
    if (at % run.every === 0) await report(run, asOf);
    const explained = await until(run, asOf, isQuiet);
    const state = String(explained['state']);
    run.onSlot({ slot: at + 1, slots: run.slots.length, asOf, predictions, state });
  }
  return predictions;
}

const pathOf = ({ model }: Replay): string => `/api/v1/ml-models/${segment(model)}`;

async function predictAll(run: Replay, closes: readonly number[]): Promise<number> {
  const wanted = closes.flatMap((close) =>
    run.instruments.map((instrument) => ({ instrument, asOf: new Date(close).toISOString() })),
  );
  const queue = [...wanted];
  const lane = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      run.signal.throwIfAborted();
      await predictOne(run, next);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return wanted.length;
}

interface Asked {
  readonly instrument: string;
  readonly asOf: string;
}

/**
 * A server that is away for moments must not end a replay of months. Every bar is a caller of its own: a canary splits
 * its traffic by caller, and one caller alone would be all of it or nothing.
 */
async function predictOne(run: Replay, { instrument, asOf }: Asked): Promise<void> {
  const body = { instrument, asOf, confidence: 'none' };
  const headers = { 'x-routing-key': `replay/${asOf}/${instrument}` };
  for (let left = PATIENCE; ; left--) {
    try {
      await run.client.json('POST', `${pathOf(run)}/predict`, { body, headers });
      return;
    } catch (error) {
      const passes = error instanceof CliError && error.exitCode === EXIT.notRunning;
      if (!passes || left === 0) throw error;
      await pause(RETRY_MS, undefined, { signal: run.signal });
    }
  }
}

/** A former slot may still be ending: it is asked again then. */
async function ask(run: Replay, word: 'settle' | 'monitor', asOf: string): Promise<void> {
  for (const deadline = Date.now() + STUCK_MS; ;) {
    try {
      await run.client.json('POST', `${pathOf(run)}/${word}`, { body: { asOf } });
      return;
    } catch (error) {
      const running = error instanceof CliError && error.details['code'] === 'slot.running';
      if (!running || Date.now() > deadline) throw error;
      await pause(POLL_MS, undefined, { signal: run.signal });
    }
  }
}

/** A drift report, and what the lifecycle made of it where it asks for a retrain. */
async function report(run: Replay, asOf: string): Promise<void> {
  await ask(run, 'monitor', asOf);
  const explained = await until(run, asOf, (e) => reached(driftOf(e)?.['asOf'], asOf));
  const drift = driftOf(explained);
  if (!drift || (drift['signals'] as unknown[]).length === 0) return;
  await until(run, asOf, (e) => driftOf(e)?.['considered'] !== null);
}

const driftOf = (explained: Json): Json | null => explained['drift'] as Json | null;
const reached = (time: unknown, asOf: string): boolean =>
  typeof time === 'string' && Date.parse(time) >= Date.parse(asOf);

const isSettled = (explained: Json, asOf: string): boolean =>
  reached(explained['settledAsOf'], asOf) && reached(explained['asOf'], asOf);

/** Nothing that this slot caused is under way: no retrain, and a trial has looked. */
function isQuiet(explained: Json, asOf: string): boolean {
  if (!isSettled(explained, asOf) || explained['retrain'] !== null) return false;
  const trial = explained['trial'] as Json | null;
  return trial === null || trial['kind'] === 'manual' || reached(trial['lastAsOf'], asOf);
}

function until(
  run: Replay,
  asOf: string,
  isDone: (explained: Json, asOf: string) => boolean,
): Promise<Json> {
  return wait(run, `the slot ${asOf}`, async () => {
    const explained = await run.client.json('GET', `${pathOf(run)}/explain`);
    return isDone(explained, asOf) ? explained : undefined;
  });
}

async function wait<T>(
  { model, signal }: Replay,
  what: string,
  look: () => Promise<T | undefined>,
): Promise<T> {
  for (const deadline = Date.now() + STUCK_MS; Date.now() < deadline;) {
    const found = await look();
    if (found !== undefined) return found;
    await pause(POLL_MS, undefined, { signal });
  }
  throw new CliError(EXIT.failed, `${model}: nothing more happened while waiting for ${what}`, {
    hint: 'find out: ratchet doctor',
  });
}
