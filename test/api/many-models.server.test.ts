/** More models than stay open: opened on use, closed for others, the same answers all the while. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { storePackage } from '../../registry/packages.ts';
import { registerVersion, reserveVersion } from '../../registry/models.ts';
import { eventually, openApiFixture, type ApiFixture } from '../support/api-fixture.ts';
import type { TestReplica } from '../support/api-fixture.ts';
import { makePackage } from '../support/model-package.ts';
import {
  addExperiment,
  addModel,
  crown,
  registration,
  reservation,
} from '../support/registry-facts.ts';

const MODELS = Array.from({ length: 12 }, (_, i) => `market-${String(i + 1).padStart(2, '0')}`);
const OPEN = 4;
type Horizons = { change: number }[];

let fixture: ApiFixture;
const digests = new Map<string, string>();
before(async () => {
  fixture = await openApiFixture(0);
  const { db } = fixture;
  for (const [i, model] of MODELS.entries()) {
    const n = 100 + i;
    await addModel(db, model);
    await addExperiment(db, n);
    const { version } = await reserveVersion(db, reservation(n, model));
    // Each with weights of its own, so that no answer can be taken for another's.
    const built = await makePackage({ model, version, seed: model, monteCarlo: true });
    const { uri } = await storePackage(db, fixture.artifacts, built.files);
    const facts = { manifestUri: uri, packageDigest: built.packageDigest };
    await registerVersion(db, { ...registration(version, model), ...facts });
    await crown(db, version, 1, model);
    digests.set(model, built.packageDigest);
  }
});
after(() => fixture.close());

const ask = (replica: TestReplica, model: string, body: object = {}) =>
  replica.call('POST', `/api/v1/ml-models/${model}/predict`, { confidence: 'none', ...body });

async function changesOf(replica: TestReplica): Promise<Map<string, number>> {
  const changes = new Map<string, number>();
  for (const model of MODELS) {
    const { status, body } = await ask(replica, model);
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body['model'], model);
    changes.set(model, (body['horizons'] as unknown as Horizons)[0]!.change);
    assert.ok(replica.slots.size <= OPEN, `${replica.slots.size} are open`);
  }
  return changes;
}

describe('a replica with more models than stay open', () => {
  let replica: TestReplica;
  let changes: Map<string, number>;
  before(async () => {
    replica = await fixture.open('many', { openModels: OPEN });
    await eventually('it knows all of them', () => replica.host.models.length === MODELS.length);
  });

  it('opens no more than it may, each answers for itself, the same each time', async () => {
    assert.ok(replica.slots.size <= OPEN, `${replica.slots.size} are open after the start`);
    changes = await changesOf(replica);
    assert.equal(new Set(changes.values()).size, MODELS.length);
    // Backwards: whatever was opened last is asked first, and closed models are opened again.
    assert.deepEqual(await changesOf(replica), changes);
    assert.equal(replica.parts.serving.readiness().ready, true);
  });

  it('requests for all of them at once: each is answered, by its own package', async () => {
    const asked = Array.from({ length: 5 }, () => MODELS).flat();
    const answers = await Promise.all(
      asked.map(async (model, i) => {
        // Days of the past are computed each time; the newest bar is answered from memory.
        const asOf = `2019-12-${String(2 + (i % 20)).padStart(2, '0')}`;
        return { model, ...(await ask(replica, model, i % 2 === 0 ? { asOf } : {})) };
      }),
    );
    for (const { model, status, body } of answers) {
      assert.deepEqual([status, body['model']], [200, model], JSON.stringify(body));
    }
    await eventually('what was closed is gone', () => replica.slots.size <= OPEN);
  });

  it('with store and database away, those that are closed are opened from its own disk', async () => {
    const away = (): Promise<never> => Promise.reject(new Error('the store is away'));
    const artifacts = { ...fixture.artifacts, get: away, open: away };
    const again = await fixture.open('many', { openModels: OPEN, artifacts });
    assert.equal(again.host.models.length, MODELS.length);
    assert.ok(again.slots.size <= OPEN);
    assert.deepEqual(await changesOf(again), changes);
    await again.stop();
  });

  it('an instrument that the model does not answer for is refused', async () => {
    const { status, body } = await ask(replica, MODELS[0]!, { instrument: 'KRW-BTC' });
    assert.deepEqual([status, body['code']], [422, 'predict.unknown-instrument']);
    assert.match(String(body['detail']), /market-01 answers for \^GSPC, not for KRW-BTC/);
  });

  it('one that does not load any more says so, the others answer; it is back once it loads', async () => {
    const model = MODELS[0]!;
    for (const other of MODELS.slice(1)) await ask(replica, other);
    const cached = join(fixture.folder, 'many', 'packages', digests.get(model)!);
    const stored = join(fixture.folder, 'artifacts', 'cas');
    const bytes = await readFile(join(cached, 'manifest.json'));
    const { files } = JSON.parse(bytes.toString()) as { files: { path: string; sha256: string }[] };
    const { sha256 } = files.find(({ path }) => path === 'model.onnx')!;
    await damage(join(cached, 'model.onnx'));
    const heal = await damage(join(stored, sha256.slice(0, 2), sha256));
    const refused = await ask(replica, model, { asOf: '2019-11-05' });
    assert.deepEqual([refused.status, refused.body['code']], [503, 'model.not-loaded']);
    assert.equal((await ask(replica, MODELS[1]!)).status, 200);
    await eventually('it is told', () =>
      replica.parts.serving.readiness().reasons.some((reason) => reason.startsWith(model)),
    );
    await heal();
    await eventually('it answers again', async () => (await ask(replica, model)).status === 200);
    await eventually('all is well', () => replica.parts.serving.readiness().ready);
  });

  it('keeps what it opened last on its disk, one folder a package', async () => {
    const folders = await readdir(join(fixture.folder, 'many', 'packages'));
    assert.deepEqual(folders.toSorted(), [...digests.values()].toSorted());
  });
});

/** Flips a bit of a file; gives back what puts it right. */
async function damage(path: string): Promise<() => Promise<void>> {
  const bytes = await readFile(path);
  const changed = Buffer.from(bytes);
  changed[bytes.length >> 1]! ^= 1;
  await writeFile(path, changed);
  return () => writeFile(path, bytes);
}
