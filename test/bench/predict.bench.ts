/**
 * Predict requests a second of one API process over HTTP, `confidence: none`, a real package and real
 * PostgreSQL; the load comes from another process on the same machine.
 * Run: node --import tsx test/bench/predict.bench.ts [--json]
 */
import { fork } from 'node:child_process';
import { createServer, request, Agent } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { ADMIN, INSTRUMENT, openApiFixture } from '../support/api-fixture.ts';
import { MODEL } from '../support/registry-facts.ts';

const SECONDS = 4;
const WARM_UP_SECONDS = 1;
const CLIENTS = [1, 8, 32];

interface Result {
  readonly clients: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
}

/** One client: one connection, one request after the other. */
async function client(port: number, body: string, until: number, times: number[]): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let failed = 0;
  const once = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${process.env['BENCH_KEY']}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        host: 'localhost',
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
  }
  agent.destroy();
  return failed;
}

async function load(port: number, clients: number, body: string, seconds: number): Promise<Result> {
  const times: number[] = [];
  const until = performance.now() + seconds * 1000;
  const failed = await Promise.all(
    Array.from({ length: clients }, () => client(port, body, until, times)),
  );
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? Number.NaN;
  return {
    clients,
    requestsPerSecond: Math.round(times.length / seconds),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    failed: failed.reduce((sum, n) => sum + n, 0),
  };
}

async function main(): Promise<void> {
  const fixture = await openApiFixture(1);
  const replica = await fixture.open('a');
  await fixture.promote(1);
  await replica.replica.poll();
  const listener = getRequestListener(replica.app.fetch);
  const server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const child = fork(import.meta.filename, ['load', String(port)], {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, BENCH_KEY: ADMIN },
  });
  const results = await new Promise<Result[]>((resolve) => {
    child.once('message', (message) => resolve(message as Result[]));
  });
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(results)}\n`);
  else console.table(results);
  server.closeAllConnections();
  server.close();
  await fixture.close();
  await (await import('../support/postgres.ts')).sharedPostgres().then((pg) => pg.stop());
}

async function runLoad(port: number): Promise<void> {
  const body = JSON.stringify({ instrument: INSTRUMENT, confidence: 'none' });
  await load(port, 4, body, WARM_UP_SECONDS);
  const results: Result[] = [];
  for (const clients of CLIENTS) results.push(await load(port, clients, body, SECONDS));
  process.send?.(results);
  process.disconnect?.();
}

if (process.argv[2] === 'load') await runLoad(Number(process.argv[3]));
else await main();
