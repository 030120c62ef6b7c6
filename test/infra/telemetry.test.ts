import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { trace } from '@opentelemetry/api';
import { Counter } from 'prom-client';
import { readConfig } from '../../infra/config.ts';
import { createLogger, startTelemetry, withLogFields } from '../../infra/telemetry.ts';

const SECRET = 'canary-0123456789';

function logged(env: NodeJS.ProcessEnv, write: (log: ReturnType<typeof createLogger>) => void) {
  const lines: string[] = [];
  const log = createLogger('test', readConfig(env), { write: (line) => void lines.push(line) });
  write(log);
  return {
    text: lines.join(''),
    lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

describe('logs', () => {
  const env = {
    RATCHET_DATABASE_URL: `postgres://ratchet:${SECRET}@127.0.0.1:5432/ratchet`,
    RATCHET_S3_ENDPOINT: 'http://127.0.0.1:1',
    RATCHET_S3_ACCESS_KEY: `access-${SECRET}`,
    RATCHET_S3_SECRET_KEY: `s3-${SECRET}`,
  };

  test('hold no secret, however it got in', () => {
    const config = readConfig(env);
    const { text, lines } = logged(env, (log) => {
      log.info({ config }, 'whole configuration');
      log.info({ headers: { authorization: `Bearer ${SECRET}` } }, 'request');
      log.info({ password: SECRET, apiKey: SECRET }, 'fields');
      log.error({ err: new Error(`cannot reach ${config.databaseUrl}`) }, 'failed');
      log.warn({}, `other server postgres://someone:${SECRET}@db/x`);
      log.warn({}, `uploads with ${config.s3?.secretKey}`);
    });
    assert.equal(lines.length, 6);
    assert.ok(!text.includes(SECRET), text);
    assert.match(text, /postgres:\/\/\*\*\*@127\.0\.0\.1:5432/);
  });

  test('carry the ids of the work they belong to, across awaits, and of nothing else', async () => {
    const lines: Record<string, unknown>[] = [];
    const log = createLogger('test', readConfig({}), {
      write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>),
    });
    await Promise.all(
      ['a', 'b'].map((requestId) =>
        withLogFields({ requestId }, async () => {
          await Promise.resolve();
          withLogFields({ workflowId: `experiment/${requestId}` }, () => log.info({}, 'inner'));
        }),
      ),
    );
    log.info({}, 'outer');
    assert.deepEqual(
      lines.map(({ requestId, workflowId }) => [requestId, workflowId]),
      [
        ['a', 'experiment/a'],
        ['b', 'experiment/b'],
        [undefined, undefined],
      ],
    );
    assert.equal(lines[0]?.['process'], 'test');
  });

  test('follow the level that is configured', () => {
    const { lines } = logged({ RATCHET_LOG_LEVEL: 'warn' }, (log) => {
      log.info({}, 'not this');
      log.warn({}, 'this');
    });
    assert.deepEqual(
      lines.map((line) => line['msg']),
      ['this'],
    );
  });
});

describe('metrics', () => {
  test('are served on loopback under /metrics and nowhere else', async () => {
    const telemetry = await startTelemetry('test', readConfig({ RATCHET_LOG_LEVEL: 'silent' }));
    try {
      new Counter({
        name: 'ratchet_test_total',
        help: 'x',
        registers: [telemetry.registry],
      }).inc(3);
      const url = `http://127.0.0.1:${telemetry.metricsPort}`;
      const response = await fetch(`${url}/metrics`);
      const text = await response.text();
      assert.equal(response.status, 200);
      assert.match(text, /ratchet_test_total\{process="test"\} 3/);
      assert.match(text, /process_resident_memory_bytes/);
      assert.equal((await fetch(`${url}/`)).status, 404);
      assert.equal((await fetch(`${url}/metrics`, { method: 'POST' })).status, 404);
    } finally {
      await telemetry.shutdown();
    }
    await assert.rejects(fetch(`http://127.0.0.1:${telemetry.metricsPort}/metrics`));
  });
});

test('spans reach an OTLP receiver, and nothing is traced where none is configured', async () => {
  const plain = await startTelemetry('test', readConfig({}), { listen: false });
  assert.equal(plain.metricsPort, undefined);
  assert.deepEqual(plain.clientInterceptors, []);
  assert.deepEqual(plain.activityInterceptors, []);

  const bodies: { url: string | undefined; body: Buffer }[] = [];
  const receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      bodies.push({ url: request.url, body: Buffer.concat(chunks) });
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => {
    receiver.listen(0, '127.0.0.1', resolve);
  });
  try {
    const endpoint = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
    const config = readConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
    const telemetry = await startTelemetry('test', config, { listen: false });
    assert.equal(telemetry.clientInterceptors.length, 1);
    assert.equal(telemetry.activityInterceptors.length, 1);
    trace.getTracer('test').startSpan('planted span').end();
    await telemetry.shutdown();
    assert.equal(bodies[0]?.url, '/v1/traces');
    assert.match(bodies[0].body.toString('latin1'), /ratchet-test/);
    assert.match(bodies[0].body.toString('latin1'), /planted span/);
  } finally {
    receiver.close();
    receiver.closeAllConnections();
    trace.disable();
  }
});
