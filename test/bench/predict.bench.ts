/**
 * Predict requests a second of one API process over HTTP, `confidence: none`, a real package and real
 * PostgreSQL; the load comes from another process on the same machine.
 * Run: node --import tsx test/bench/predict.bench.ts [--json] [--trials]
 * `--trials`: the same load without a trial, with a shadow and with a canary, in turns; also a steady load
 * of clients that pause between requests, where waiting for another's work shows and saturation does not.
 */
import { fork } from 'node:child_process';
import { createServer, request, Agent } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import {
  ADMIN,
  INSTRUMENT,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { MODEL } from '../support/registry-facts.ts';
import { trialScene } from '../support/trial-scene.ts';

const SECONDS = 4;
const WARM_UP_SECONDS = 1;
const CLIENTS = [1, 8, 32];
const LOADS: readonly Load[] = CLIENTS.map((clients) => ({
  clients,
  pauseMs: 0,
  seconds: SECONDS,
}));
/** With trials: short and often, so that what else the machine does falls on all alike. */
const TURNS = 4;
const TRIAL_LOADS: readonly Load[] = [
  { clients: 8, pauseMs: 20, seconds: 2 },
  { clients: 8, pauseMs: 0, seconds: 2 },
];
const TRIALS = ['none', 'shadow', 'canary'] as const;

interface Load {
  readonly clients: number;
  /** Between an answer and the next request of the same client. */
  readonly pauseMs: number;
  readonly seconds: number;
}

interface Result {
  readonly clients: number;
  readonly pauseMs: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
}

/** One client: one connection, one request after the other. */
async function client(
  port: number,
  { until, pauseMs, name }: { until: number; pauseMs: number; name: number },
  times: number[],
): Promise<number> {
  const body = JSON.stringify({ instrument: INSTRUMENT, confidence: 'none' });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let failed = 0;
  const once = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${process.env['BENCH_KEY']}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        host: 'localhost',
        'x-routing-key': `client-${name}-${times.length % 20}`,
      };
      const path = `/api/v1/ml-models/${MODEL}/predict`;
      const sent = request({ port, path, method: 'POST', agent, headers }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      });
      sent.on('error', reject).end(body);
    });
  while (performance.now() < until) {
    const from = performance.now();
    if ((await once()) !== 200) failed++;
    times.push(performance.now() - from);
    if (pauseMs > 0) await pause(pauseMs);
  }
  agent.destroy();
  return failed;
}

async function load(port: number, { clients, pauseMs, seconds }: Load): Promise<Result> {
  const times: number[] = [];
  const until = performance.now() + seconds * 1000;
  const failed = await Promise.all(
    Array.from({ length: clients }, (_, name) => client(port, { until, pauseMs, name }, times)),
  );
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? Number.NaN;
  return {
    clients,
    pauseMs,
    requestsPerSecond: Math.round(times.length / seconds),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    failed: failed.reduce((sum, n) => sum + n, 0),
  };
}

/** The process that the load comes from, and one load of it. */
async function openLoad(port: number) {
  const child = fork(import.meta.filename, ['load', String(port)], {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, BENCH_KEY: ADMIN },
  });
  const run = (wanted: Load): Promise<Result> =>
    new Promise((resolve) => {
      child.once('message', (message) => resolve(message as Result));
      child.send(wanted);
    });
  await run({ clients: 4, pauseMs: 0, seconds: WARM_UP_SECONDS });
  return { run, close: () => child.disconnect() };
}

type Run = (wanted: Load) => Promise<Result>;

async function withTrials(fixture: ApiFixture, replica: TestReplica, run: Run) {
  const scene = trialScene(fixture, replica);
  const results: (Result & { readonly trial: string })[] = [];
  for (let n = 0; n < TURNS; n++) {
    for (const trial of TRIALS) {
      const id = trial === 'none' ? undefined : await scene.start(trial, 2, 0.5);
      for (const wanted of TRIAL_LOADS) results.push({ trial, ...(await run(wanted)) });
      if (id !== undefined) await scene.end(id);
    }
  }
  return results.sort(
    (a, b) =>
      b.pauseMs - a.pauseMs ||
      TRIALS.findIndex((t) => t === a.trial) - TRIALS.findIndex((t) => t === b.trial),
  );
}

async function main(): Promise<void> {
  const fixture = await openApiFixture();
  const replica = await fixture.open('a');
  await fixture.promote(1);
  await replica.replica.poll();
  const listener = getRequestListener(replica.app.fetch);
  const server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { run, close } = await openLoad(port);
  const results: Result[] = [];
  if (process.argv.includes('--trials')) results.push(...(await withTrials(fixture, replica, run)));
  else for (const wanted of LOADS) results.push(await run(wanted));
  close();
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(results)}\n`);
  else console.table(results);
  server.closeAllConnections();
  server.close();
  await fixture.close();
  await (await import('../support/postgres.ts')).sharedPostgres().then((pg) => pg.stop());
}

function runLoad(port: number): void {
  process.on('message', (wanted) => {
    void load(port, wanted as Load).then((result) => process.send?.(result));
  });
}

if (process.argv[2] === 'load') runLoad(Number(process.argv[3]));
else await main();
