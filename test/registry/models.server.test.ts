import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { listAudit } from '../../registry/audit.ts';
import { findFittingVersion } from '../../registry/fitting-version.ts';
import {
  compareVersions,
  createModel,
  ensureModel,
  getModel,
  getVersion,
  listModels,
  listVersions,
  registerVersion,
  reserveVersion,
  updateModel,
} from '../../registry/models.ts';
import { deleteVersion, retireModel } from '../../registry/retirement.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { openTestDatabase } from '../support/postgres.ts';
import {
  addExperiment,
  addModel,
  addVersion,
  crown,
  MODEL,
  registration,
  reservation,
} from '../support/registry-facts.ts';

const asker = { actor: 'key-1' };
const close: (() => Promise<void>)[] = [];
after(() => Promise.all(close.map((end) => end())));

const fresh = async (): Promise<Db> => {
  const database = await openTestDatabase({ max: 20 });
  close.push(database.close);
  await addModel(database.db);
  return database.db;
};

describe('version numbers', () => {
  test('50 concurrent reservations of different runs: 1..50, no double, no gap', async () => {
    const db = await fresh();
    const reserved = await Promise.all(
      Array.from({ length: 50 }, (_, n) => reserveVersion(db, reservation(n))),
    );
    const numbers = reserved.map(({ version }) => version).sort((a, b) => a - b);
    assert.deepEqual(
      numbers,
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
  });

  test('50 concurrent reservations of one run: one number, one row', async () => {
    const db = await fresh();
    const reserved = await Promise.all(
      Array.from({ length: 50 }, () => reserveVersion(db, reservation(1))),
    );
    assert.deepEqual(new Set(reserved.map(({ version }) => version)), new Set([1]));
    const rows = await db.selectFrom('model_version').select('version').execute();
    assert.equal(rows.length, 1);
  });

  test('a deleted number never comes again', async () => {
    const db = await fresh();
    assert.equal(await addVersion(db, 1), 1);
    await deleteVersion(db, MODEL, 1, asker);
    assert.equal(await addVersion(db, 2), 2);
  });

  test('a model that does not exist has none', async () => {
    const db = await fresh();
    await assert.rejects(reserveVersion(db, reservation(1, 'no-such-model')), {
      code: 'model.unknown',
    });
  });
});

describe('registration', () => {
  test('50 concurrent registrations of one run: one version, one message, one record', async () => {
    const db = await fresh();
    await addExperiment(db, 1);
    await reserveVersion(db, reservation(1));
    const results = await Promise.all(
      Array.from({ length: 50 }, () => registerVersion(db, registration(1))),
    );
    assert.equal(results.filter(({ changed }) => changed).length, 1);
    const messages = await db.selectFrom('outbox').selectAll().execute();
    assert.deepEqual(
      messages.map(({ kind, payload }) => ({ kind, payload })),
      [{ kind: 'version-registered', payload: { model: MODEL, version: 1 } }],
    );
    const records = await listAudit(db, { limit: 100, object: `version/${MODEL}/1` });
    assert.equal(records.length, 1);
  });

  test('another package under the same number is refused', async () => {
    const db = await fresh();
    await addVersion(db, 1);
    const other = { ...registration(1), packageDigest: 'f'.repeat(64) };
    await assert.rejects(registerVersion(db, other), { code: 'version.conflict' });
    assert.equal((await getVersion(db, MODEL, 1))?.package_digest, registration(1).packageDigest);
  });

  test('a number that nobody reserved, or that was deleted, is refused', async () => {
    const db = await fresh();
    await assert.rejects(registerVersion(db, registration(9)), { code: 'version.unknown' });
    await addVersion(db, 1);
    await deleteVersion(db, MODEL, 1, asker);
    await assert.rejects(registerVersion(db, registration(1)), { code: 'version.deleted' });
  });

  test('metrics that are not finite are null; bytes are numbers', async () => {
    const db = await fresh();
    await reserveVersion(db, reservation(1));
    const metrics = { good: 0.25, bad: Number.NaN, worse: Number.POSITIVE_INFINITY, none: null };
    await registerVersion(db, { ...registration(1), metrics, packageBytes: 5_000_000_000 });
    const row = await getVersion(db, MODEL, 1);
    assert.deepEqual(row?.metrics, { good: 0.25, bad: null, worse: null, none: null });
    assert.equal(row?.package_bytes, 5_000_000_000);
  });

  test('a failure after the change leaves neither version, message nor record', async () => {
    const db = await fresh();
    await reserveVersion(db, reservation(1));
    const outcome = db.transaction().execute(async (trx) => {
      await registerVersion(trx, registration(1));
      throw new Error('the process died here');
    });
    await assert.rejects(outcome, /died here/);
    assert.equal(await getVersion(db, MODEL, 1), undefined);
    assert.deepEqual(await db.selectFrom('outbox').selectAll().execute(), []);
    assert.deepEqual(await listAudit(db, { limit: 10, object: `version/${MODEL}/1` }), []);
  });
});

describe('versions', () => {
  test('are compared by a metric in its direction, the ones without it last', async () => {
    const db = await fresh();
    for (const n of [1, 2, 3]) await addVersion(db, n);
    await reserveVersion(db, reservation(4));
    await registerVersion(db, { ...registration(4), metrics: { other: 1 } });
    await crown(db, 2, 1);
    const lower = await compareVersions(db, MODEL, 'h7.rmse', 'lower');
    assert.deepEqual(
      lower.map(({ version }) => version),
      [3, 2, 1, 4],
    );
    assert.equal(lower[1]?.champion, true);
    assert.equal(lower[3]?.value, null);
    const higher = await compareVersions(db, MODEL, 'h7.rmse', 'higher');
    assert.deepEqual(
      higher.map(({ version }) => version),
      [1, 2, 3, 4],
    );
    const inherited = await compareVersions(db, MODEL, 'constructor', 'lower');
    assert.ok(inherited.every(({ value }) => value === null));
  });

  test('are listed newest first in pages; deleted and reserved ones are not', async () => {
    const db = await fresh();
    for (const n of [1, 2, 3, 4]) await addVersion(db, n);
    await reserveVersion(db, reservation(5));
    await deleteVersion(db, MODEL, 3, asker);
    const first = await listVersions(db, MODEL, { limit: 2 });
    assert.deepEqual(
      first.map(({ version }) => version),
      [4, 2],
    );
    const second = await listVersions(db, MODEL, { limit: 2, before: 2 });
    assert.deepEqual(
      second.map(({ version }) => version),
      [1],
    );
  });

  test('the champion cannot be deleted, nor a version that is being promoted', async () => {
    const db = await fresh();
    for (const n of [1, 2]) await addVersion(db, n);
    await crown(db, 1, 1);
    await assert.rejects(deleteVersion(db, MODEL, 1, asker), { code: 'version.champion' });
    const promotion = { id: 'p', model: MODEL, version: 2, expected_generation: 1 };
    const why = { status: 'announced' as const, actor: 'a', reason: 'r' };
    await db
      .insertInto('promotion')
      .values({ ...promotion, ...why })
      .execute();
    await assert.rejects(deleteVersion(db, MODEL, 2, asker), { code: 'version.promoting' });
    await assert.rejects(deleteVersion(db, MODEL, 7, asker), { code: 'version.unknown' });
  });
});

describe('registered models', () => {
  test('are created once, changed, retired and brought back, each with a record', async () => {
    const db = await fresh();
    const model = { name: 'other', instruments: ['^IXIC'], timeframe: '1d' };
    await createModel(db, model, asker);
    await assert.rejects(createModel(db, model, asker), { code: 'model.exists' });
    const changed = await updateModel(db, 'other', { description: 'new words' }, asker);
    assert.equal(changed.description, 'new words');
    assert.deepEqual(changed.instruments, ['^IXIC']);
    await retireModel(db, 'other', { force: false, ...asker });
    assert.equal(await getModel(db, 'other'), undefined);
    await assert.rejects(updateModel(db, 'other', {}, asker), { code: 'model.unknown' });
    await createModel(db, { ...model, description: 'again' }, asker);
    assert.equal((await getModel(db, 'other'))?.description, 'again');
    const records = await listAudit(db, { limit: 10, object: 'model/other' });
    assert.deepEqual(
      records.map(({ action }) => action),
      ['model.create', 'model.delete', 'model.update', 'model.create'],
    );
  });

  test('keep their scope: an experiment for other instruments is refused', async () => {
    const db = await fresh();
    const same = { name: MODEL, instruments: ['^GSPC'], timeframe: '1d' };
    assert.equal((await ensureModel(db, same, asker)).name, MODEL);
    await assert.rejects(ensureModel(db, { ...same, instruments: ['^IXIC'] }, asker), {
      code: 'model.scope',
      message: /\^GSPC.*\^IXIC/,
    });
    await assert.rejects(ensureModel(db, { ...same, timeframe: '1h' }, asker), {
      code: 'model.scope',
    });
  });

  test('that serve are retired only by force, which ends the champion', async () => {
    const db = await fresh();
    await addVersion(db, 1);
    await crown(db, 1, 1);
    await assert.rejects(retireModel(db, MODEL, { force: false, ...asker }), {
      code: 'model.serving',
    });
    await retireModel(db, MODEL, { force: true, ...asker });
    const state = await db.selectFrom('model_state').selectAll().executeTakeFirstOrThrow();
    assert.deepEqual([state.generation, state.champion_version], [2, null]);
    const open = await db
      .selectFrom('champion')
      .select('version')
      .where('valid_to', 'is', null)
      .execute();
    assert.deepEqual(open, []);
  });

  test('are listed by name in pages', async () => {
    const db = await fresh();
    for (const name of ['a', 'b', 'c']) {
      await createModel(db, { name, instruments: ['X'], timeframe: '1d', group: 'g' }, asker);
    }
    const page = await listModels(db, { limit: 2, group: 'g' });
    assert.deepEqual(
      page.map(({ name }) => name),
      ['a', 'b'],
    );
    const rest = await listModels(db, { limit: 2, group: 'g', after: 'b' });
    assert.deepEqual(
      rest.map(({ name }) => name),
      ['c'],
    );
  });
});

describe('a fitting version', () => {
  const query = {
    model: MODEL,
    specHash: 'spec-hash',
    datasetHash: 'bars-99',
    newestBar: new Date('2030-01-01T00:00:00Z'),
    maxAgeSessions: 126,
    ageInSessions: () => 126,
  };

  test('has the same spec and is young enough, or was trained on the same bars', async () => {
    const db = await fresh();
    for (const n of [1, 2]) await addVersion(db, n);
    assert.equal((await findFittingVersion(db, query))?.version, 2);
    const old = { ...query, ageInSessions: () => 127 };
    assert.equal(await findFittingVersion(db, old), undefined);
    const same = await findFittingVersion(db, { ...old, datasetHash: 'bars-1' });
    assert.equal(same?.version, 1);
    assert.match(same?.reason ?? '', /same bars/);
    // A version that was trained on bars which these datasets do not have is none of their moment.
    const before = { ...query, newestBar: new Date('2000-01-01T00:00:00Z') };
    assert.equal(await findFittingVersion(db, before), undefined);
    assert.equal(await findFittingVersion(db, { ...query, specHash: 'other' }), undefined);
  });

  test('is registered: not only reserved, not deleted', async () => {
    const db = await fresh();
    await reserveVersion(db, reservation(1));
    assert.equal(await findFittingVersion(db, query), undefined);
    await registerVersion(db, registration(1));
    await deleteVersion(db, MODEL, 1, asker);
    assert.equal(await findFittingVersion(db, query), undefined);
  });
});
