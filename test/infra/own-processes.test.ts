import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { apiSpec, workerSpecs } from '../../infra/stack/own.ts';
import type { Ports } from '../../infra/stack/ports.ts';

const built = existsSync(join(import.meta.dirname, '../../dist/workers/run.js'));

const keys = { signing: 's.pem', verify: 'v.pem', admin: 'a.key', packages: 'p.key' };
const ports = { api: 1, generalMetrics: 2, trainingMetrics: 3 } as Ports;

test(
  'what the API is given of endpoints that advise no worker is given by that',
  { skip: built ? false : 'dist/ is not built: npm run build' },
  () => {
    const secrets = { GROQ_API_KEY: 'gsk_x' };
    const specs = [...workerSpecs({}, keys, ports, {}), apiSpec({}, keys, ports, secrets)];
    const given = specs.filter(({ env }) => JSON.stringify(env).includes('gsk_x'));
    assert.deepEqual(
      given.map(({ name }) => name),
      ['api'],
    );
  },
);

test(
  'only the worker that delivers is given the secrets of webhooks',
  { skip: built ? false : 'dist/ is not built: npm run build' },
  () => {
    const secrets = { RATCHET_WEBHOOK_SECRET_OPS: 'whsec_x' };
    const specs = [...workerSpecs({}, keys, ports, secrets), apiSpec({}, keys, ports)];
    const given = specs.filter(({ env }) => JSON.stringify(env).includes('whsec_x'));
    assert.deepEqual(
      given.map(({ name, args }) => [name, args.includes('general')]),
      [['worker', true]],
    );
    assert.equal(specs.length, 3);
  },
);
