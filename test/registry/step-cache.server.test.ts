import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openArtifactStore } from '../../registry/artifacts.ts';
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import { cachedStep, stepKey } from '../../registry/step-cache.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';

describe('cached steps', () => {
  let database: TestDatabase;
  let stateDir: string;
  let artifacts: ArtifactStore;
  before(async () => {
    database = await openTestDatabase();
    stateDir = await mkdtemp(join(tmpdir(), 'ratchet-steps-'));
    artifacts = openArtifactStore({ s3: undefined, stateDir });
  });
  after(async () => {
    await database.close();
    await rm(stateDir, { recursive: true, force: true });
  });
  const deps = () => ({ db: database.db, artifacts, codeVersion: 'v1' });

  test('run once for the same key, whatever the order of its members', async () => {
    let runs = 0;
    const compute = async () => ({ answer: ++runs });
    const first = await cachedStep(deps(), { step: 'a', key: [{ x: 1, y: 2 }] }, compute);
    const second = await cachedStep(deps(), { step: 'a', key: [{ y: 2, x: 1 }] }, compute);
    assert.deepEqual(first, { result: { answer: 1 }, cached: false });
    assert.deepEqual(second, { result: { answer: 1 }, cached: true });
  });

  test('run again for another step, key or code version', async () => {
    const base = { step: 'b', key: ['input'] };
    const compute = async () => 1;
    await cachedStep(deps(), base, compute);
    const others = [
      cachedStep(deps(), { ...base, step: 'c' }, compute),
      cachedStep(deps(), { ...base, key: ['other'] }, compute),
      cachedStep(deps(), { ...base, version: '2' }, compute),
      cachedStep({ ...deps(), codeVersion: 'v2' }, base, compute),
    ];
    for (const { cached } of await Promise.all(others)) assert.equal(cached, false);
  });

  test('run again when an artifact of the result is gone', async () => {
    const compute = async () => ({ deep: [{ ref: await artifacts.put(Buffer.from('bytes')) }] });
    const step = { step: 'd', key: [] };
    const { result } = await cachedStep(deps(), step, compute);
    assert.equal((await cachedStep(deps(), step, compute)).cached, true);
    await rm(join(stateDir, 'artifacts'), { recursive: true });
    assert.equal((await cachedStep(deps(), step, compute)).cached, false);
    assert.equal(await artifacts.has(result.deep[0]!.ref.sha256), true);
  });

  test('that fail are not remembered', async () => {
    const step = { step: 'e', key: [] };
    await assert.rejects(
      cachedStep(deps(), step, () => Promise.reject(new Error('vendor away'))),
      /vendor away/,
    );
    assert.equal((await cachedStep(deps(), step, async () => 2)).cached, false);
  });

  test('computed by many at once end with one row', async () => {
    const step = { step: 'f', key: [] };
    const results = await Promise.all(
      Array.from({ length: 10 }, () => cachedStep(deps(), step, async () => 'same')),
    );
    assert.ok(results.every(({ result }) => result === 'same'));
    assert.equal((await cachedStep(deps(), step, async () => 'other')).result, 'same');
  });

  test('refuse key parts that would make different inputs equal', () => {
    for (const part of [Number.NaN, new Date(), new Map(), new Float64Array(1), () => 1]) {
      assert.throws(() => stepKey('v1', { step: 'g', key: [{ part }] }));
    }
    assert.notEqual(
      stepKey('v1', { step: 'g', key: [1, '1'] }),
      stepKey('v1', { step: 'g', key: ['1', 1] }),
    );
  });
});
