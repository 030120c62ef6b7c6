/** The running API against malformed requests on every route that changes something. */
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { seeded } from '../support/made-bars.ts';
import { malformedRequest, writingRoutes } from '../support/malformed-requests.ts';
import type { MalformedRequest } from '../support/malformed-requests.ts';
import { assertNoCrash, assertNoSecret, logsOf, secretsOf } from '../support/leaks.ts';
import { productMissing, startProduct, type Product } from '../support/product.ts';
import { rounds } from '../support/rounds.ts';

const SEED = Number(process.env['RATCHET_TEST_SEED'] ?? 20_261_121);
const REQUESTS = rounds(200, 1_000);
/** What a heap may hold more after all of it; one leaked body a request would be more. */
const MEMORY_BYTES = 128 * 1024 * 1024;
const MIB = 1024 * 1024;

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

describe('malformed requests', { skip: productMissing }, () => {
  const agent = new Agent({ keepAlive: true });
  let product: Product;
  before(async () => {
    product = await startProduct(['postgres', 'temporal', 's3', 'api']);
    const made = await product.request('POST', '/api/v1/ml-models', {
      name: 'fuzz',
      instruments: ['^GSPC'],
    });
    assert.equal(made.status, 201);
  });
  after(async () => {
    agent.destroy();
    await product.end();
  });

  const send = ({ method, path, headers, body }: MalformedRequest): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(product.url);
      const authorization = `Bearer ${product.key}`;
      const length = String(body.length);
      const all = { authorization, 'content-length': length, ...headers };
      const sent = request({ agent, hostname, port, method, path, headers: all }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const type = response.headers['content-type'] ?? '';
          const text = Buffer.concat(chunks).toString('utf8');
          resolve({ status: response.statusCode ?? 0, type, text });
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });

  const metric = async (name: string): Promise<number> => {
    const { body } = await product.request('GET', '/metrics');
    const line = String(body['text'])
      .split('\n')
      .find((one) => one.startsWith(name) && !one.startsWith('#'));
    assert.ok(line, `${name} is among the metrics`);
    return Number(line.split(' ').at(-1));
  };
  const memory = (): Promise<number> => metric('process_resident_memory_bytes');
  const started = (): Promise<number> => metric('process_start_time_seconds');

  it(`answers ${REQUESTS} of them with a problem, never with 5xx (seed ${SEED})`, async (t) => {
    const { body: document } = await product.request('GET', '/openapi.json');
    const routes = writingRoutes(document);
    assert.ok(routes.length >= 10, `${routes.length} routes change something`);
    const random = seeded(SEED);
    const begun = await started();
    const warmUp = Math.ceil(REQUESTS / 4);
    let early = 0;
    const counts = new Map<number, number>();
    for (let n = 0; n < REQUESTS; n++) {
      if (n === warmUp) early = await memory();
      const asked = malformedRequest(random, n, routes);
      const { status, type, text } = await send(asked);
      const what = `seed ${SEED}, request ${n}: ${asked.method} ${asked.path.slice(0, 120)} ${JSON.stringify(asked.headers).slice(0, 120)} ${asked.body.toString('utf8').slice(0, 200)} -> ${status} ${text.slice(0, 300)}`;
      counts.set(status, (counts.get(status) ?? 0) + 1);
      assert.ok(status >= 200 && status < 500, what);
      if (status < 400) continue;
      assert.match(type, /^application\/problem\+json/, what);
      const problem = JSON.parse(text) as Record<string, unknown>;
      assert.equal(problem['status'], status, what);
      assert.ok(problem['requestId'] && problem['code'] && problem['detail'], what);
      assert.doesNotMatch(text, /node_modules|\.ts:\d|\.js:\d|at async/, what);
    }
    const grown = (await memory()) - early;
    const told = [...counts].sort(([a], [b]) => a - b).map(([status, n]) => `${status}: ${n}`);
    t.diagnostic(`seed ${SEED}, ${told.join(', ')}, memory ${(grown / MIB).toFixed(0)} MiB more`);
    assert.ok([...counts.keys()].some((status) => status >= 400));
    assert.ok(grown < MEMORY_BYTES, `memory grew by ${(grown / MIB).toFixed(0)} MiB`);
    assert.equal(await started(), begun, 'the process is the one that started');
  });

  it('logs no secret and no crash meanwhile', () => {
    const { stateDir } = product.stack.config;
    const logs = logsOf(stateDir);
    assert.ok([...logs.values()].join('').length > 1_000, 'there are logs to read');
    assertNoSecret(logs, secretsOf(stateDir));
    assertNoCrash(logs);
  });
});
