/**
 * Clients in a process of their own: ask every URL for predictions at a fixed rate, and print what was answered since the
 * last question whenever a line arrives. Ends with its standard input.
 * argv: JSON of LoadOrder.
 */
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

export interface LoadOrder {
  readonly urls: readonly string[];
  readonly key: string;
  readonly model: string;
  readonly instrument: string;
  readonly clients: number;
  /** Requests a second, of all clients together. */
  readonly perSecond: number;
}

export interface TimedAnswer {
  /** Place of the URL in the order. */
  readonly replica: number;
  /** 0: no answer. */
  readonly status: number;
  readonly version: number | undefined;
  /** When it had arrived, ms of wall time. */
  readonly atMs: number;
}

const GIVE_UP_MS = 10_000;

async function ask({ urls, key, model, instrument }: LoadOrder, replica: number) {
  const response = await fetch(`${urls[replica]}/api/v1/ml-models/${model}/predict`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ instrument, confidence: 'none' }),
    signal: AbortSignal.timeout(GIVE_UP_MS),
  });
  const body = (await response.json()) as { version?: number };
  return { status: response.status, version: body.version };
}

async function run(order: LoadOrder): Promise<void> {
  const { urls, clients, perSecond } = order;
  let answers: TimedAnswer[] = [];
  const begin = performance.now();
  const everyMs = (clients / perSecond) * 1_000;
  const client = async (index: number): Promise<never> => {
    for (let k = 0; ; k++) {
      const due = begin + (k + index / clients) * everyMs - performance.now();
      if (due > 0) await sleep(due);
      const replica = (index + k) % urls.length;
      const answer = await ask(order, replica).catch(() => ({ status: 0, version: undefined }));
      answers.push({ replica, ...answer, atMs: Date.now() });
    }
  };
  for (let index = 0; index < clients; index++) void client(index);
  for await (const _ of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(answers));
    answers = [];
  }
  process.exit(0);
}

await run(JSON.parse(process.argv[2]!) as LoadOrder);
