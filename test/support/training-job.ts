import { existsSync, readFileSync } from 'node:fs';
import type { TrainingCallbacks, TrainingJob } from '../../activities/deps.ts';
import { encodePrepared } from '../../core/features/prepared.ts';
import { plantedPrepared, type PlantedOptions } from './planted-prepared.ts';

/** A small network on planted data; thousands of epochs unless said otherwise. */
export function lstmJob(
  params: Readonly<Record<string, unknown>> = {},
  planted: PlantedOptions = {},
): TrainingJob {
  return {
    family: 'lstm-multi-horizon',
    params: {
      units: [8, 8],
      dense: [6],
      branch: 4,
      epochs: 5000,
      earlyStopping: { patience: 5000 },
      ...params,
    },
    seed: 1,
    prepared: encodePrepared(plantedPrepared(planted)),
    checkpoint: undefined,
    multiplyByClose: false,
  };
}

export function callbacks(changes: Partial<TrainingCallbacks> = {}): TrainingCallbacks {
  return { onEpoch: () => {}, onBatch: () => {}, onCheckpoint: async () => {}, ...changes };
}

/** Does a process of that id run? One that has ended and waits to be collected by init does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    // No /proc here (then kill's answer stands), or gone since.
    return !existsSync('/proc/self/status');
  }
}

/** Milliseconds until the process is gone; throws after `limitMs`. */
export async function untilGone(pid: number, limitMs: number): Promise<number> {
  const startMs = performance.now();
  while (isAlive(pid)) {
    const waitedMs = performance.now() - startMs;
    if (waitedMs > limitMs) throw new Error(`process ${pid} still runs after ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return performance.now() - startMs;
}
