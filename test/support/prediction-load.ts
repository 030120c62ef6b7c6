/** Clients that ask for predictions at a fixed rate, whatever the answers do. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface LoadTarget {
  readonly urls: readonly string[];
  readonly key: string;
  readonly model: string;
  readonly instrument: string;
}

export interface LoadAnswer {
  /** 0: no answer within ten seconds. */
  readonly status: number;
  readonly id: string | undefined;
  readonly recorded: boolean;
  readonly ms: number;
}

export interface PredictionLoad {
  readonly answers: readonly LoadAnswer[];
  /** Ends the clients, each after its last answer. */
  stop(): Promise<void>;
}

const GIVE_UP_MS = 10_000;

/** `clients` at once, in turn to every URL, together `perSecond` requests a second. */
export function startLoad(target: LoadTarget, clients: number, perSecond: number): PredictionLoad {
  const answers: LoadAnswer[] = [];
  let running = true;
  const begin = performance.now();
  const everyMs = (clients / perSecond) * 1000;
  const client = async (index: number): Promise<void> => {
    for (let k = 0; running; k++) {
      const due = begin + (k + index / clients) * everyMs - performance.now();
      if (due > 0) await sleep(due);
      answers.push(await ask(target, target.urls[(index + k) % target.urls.length]!));
    }
  };
  const done = Promise.all(Array.from({ length: clients }, (_, index) => client(index)));
  return {
    answers,
    stop: async () => {
      running = false;
      await done;
    },
  };
}

async function ask(target: LoadTarget, url: string): Promise<LoadAnswer> {
  const sent = performance.now();
  const answer = await post(target, url).catch(() => ({
    status: 0,
    id: undefined,
    recorded: false,
  }));
  return { ...answer, ms: performance.now() - sent };
}

async function post({ key, model, instrument }: LoadTarget, url: string) {
  const response = await fetch(`${url}/api/v1/ml-models/${model}/predict`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ instrument, confidence: 'none' }),
    signal: AbortSignal.timeout(GIVE_UP_MS),
  });
  const body = (await response.json()) as { id?: string; recorded?: boolean };
  return { status: response.status, id: body.id, recorded: body.recorded === true };
}

/** The value that `share` of the answers stay below, ms. */
export function quantile(answers: readonly LoadAnswer[], share: number): number {
  const sorted = answers.map(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}
