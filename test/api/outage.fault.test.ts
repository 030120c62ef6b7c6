import assert from 'node:assert/strict';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { sql } from 'kysely';
import { temporalAway } from '../../api/errors.ts';
import { openOrchestrator } from '../../api/orchestrator.ts';
import { Recorder } from '../../api/serving/recorder.ts';
import { Spool } from '../../api/serving/spool.ts';
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import { openDatabase } from '../../registry/db.ts';
import { listPredictions, type PredictionRow } from '../../registry/predictions.ts';
import { freePort } from '../support/server-process.ts';
import { eventually, INSTRUMENT, memoryLog, openApiFixture } from '../support/api-fixture.ts';
import { openTestDatabase } from '../support/postgres.ts';
import { rounds } from '../support/rounds.ts';
import { MODEL } from '../support/registry-facts.ts';

const PREDICT = `/api/v1/ml-models/${MODEL}/predict`;

const row = (n: number, at = '2026-11-21T04:00:00.000Z'): PredictionRow => ({
  id: `01J${String(n).padStart(23, '0')}`,
  at,
  batch_id: 'batch',
  model: MODEL,
  version: 1,
  generation: 1,
  package_digest: 'a'.repeat(64),
  instrument: INSTRUMENT,
  as_of: '2026-11-20T00:00:00.000Z',
  request_id: 'request',
  key_id: 'key',
  replica_id: 'replica',
  answer: JSON.stringify({ n }),
  duration_ms: 1,
});

const noStore: ArtifactStore = {
  kind: 'directory',
  put: () => Promise.reject(new Error('the store is away')),
  get: () => Promise.reject(new Error('the store is away')),
  has: () => Promise.reject(new Error('the store is away')),
  ping: () => Promise.reject(new Error('the store is away')),
};

describe('with servers away', () => {
  it('starts from its own disk, predicts, and records later, exactly once', async () => {
    const fixture = await openApiFixture();
    try {
      const first = await fixture.open('a');
      assert.equal((await fixture.promote(1)).status, 'promoted');
      await first.replica.poll();
      // Nobody has asked yet: what a start needs is kept ahead.
      await eventually('bars on disk', async () => {
        const kept = await readdir(join(fixture.folder, 'a', 'bars')).catch(() => []);
        return kept.some((name) => name.endsWith('.json'));
      });
      await first.stop();
      // Nothing listens there: PostgreSQL, artifact store and Temporal are all gone.
      const nowhere = openDatabase(`postgres://ratchet@127.0.0.1:${await freePort()}/gone`);
      fixture.orchestrator.away = temporalAway(new Error('gone'));
      const cold = await fixture.open('a', { db: nowhere, artifacts: noStore });
      const bare = await cold.call('POST', PREDICT, { confidence: 'none' });
      assert.equal(bare.status, 200, JSON.stringify(bare.body));
      assert.deepEqual([bare.body['version'], bare.body['generation']], [1, 1]);
      assert.equal(bare.body['recorded'], true);
      const mc = await cold.call('POST', PREDICT, { instrument: INSTRUMENT });
      assert.equal(mc.status, 200, JSON.stringify(mc.body));
      const ready = await cold.call('GET', '/readyz');
      assert.deepEqual([ready.status, ready.body['missing']], [200, ['database']]);
      assert.equal((await cold.call('GET', '/livez')).status, 200);
      // What needs the database says so, and soon.
      const models = await cold.call('GET', '/api/v1/ml-models');
      assert.equal(models.status, 503);
      assert.ok(Number(models.headers.get('retry-after')) > 0);
      assert.doesNotMatch(JSON.stringify(models.body), /127\.0\.0\.1|ECONN/);
      await cold.stop();
      await nowhere.destroy();
      // The next start finds what waits in the spool.
      const back = await fixture.open('a');
      await back.recorder.drain();
      await back.recorder.drain();
      const rows = await listPredictions(fixture.db, { model: MODEL, limit: 100 });
      const ids = rows.map((found) => found.id);
      assert.ok(ids.includes(String(bare.body['id'])) && ids.includes(String(mc.body['id'])));
      assert.equal(new Set(ids).size, ids.length);
    } finally {
      await fixture.close();
    }
  });

  it('lives on when PostgreSQL ends all its connections, again and again', async () => {
    const fixture = await openApiFixture(1);
    const terminated = rounds(10, 100);
    try {
      const replica = await fixture.open('a', { notifications: true });
      await fixture.promote(1);
      await replica.replica.poll();
      const admin = openDatabase(fixture.database.server.adminUrl, { max: 1 });
      const name = new URL(fixture.database.url).pathname.slice(1);
      for (let n = 0; n < terminated; n++) {
        await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`.execute(
          admin,
        );
        const predicted = await replica.call('POST', PREDICT, { confidence: 'none' });
        assert.equal(predicted.status, 200);
        // A connection that was just ended may fail once, and says so as a 503.
        const statuses = new Set<number>();
        await eventually('the registry answers again', async () => {
          const { status } = await replica.call('GET', '/api/v1/ml-models');
          statuses.add(status);
          return status === 200;
        });
        assert.ok(
          [...statuses].every((status) => status === 200 || status === 503),
          [...statuses].join(),
        );
      }
      await admin.destroy();
      // The promotion protocol works on the new connections.
      await replica.recorder.drain();
      assert.equal(
        (await replica.call('GET', `/api/v1/ml-models/${MODEL}/predictions`)).status,
        200,
      );
    } finally {
      await fixture.close();
    }
  });

  it('refuses a package whose bytes were changed on disk and in the store', async () => {
    const fixture = await openApiFixture(1);
    try {
      const first = await fixture.open('a');
      await fixture.promote(1);
      await first.replica.poll();
      await first.stop();
      const packages = join(fixture.folder, 'a', 'packages');
      const [digest] = await readdir(packages);
      await appendFile(join(packages, digest!, 'model.onnx'), 'x');
      const cold = await fixture.open('a', { artifacts: noStore });
      const answer = await cold.call('POST', PREDICT, {});
      assert.notEqual(answer.status, 200);
      assert.ok(cold.log.lines.some(({ level }) => level === 'error'));
    } finally {
      await fixture.close();
    }
  });

  it('Temporal away: 503 with Retry-After, and nothing half created', async () => {
    const fixture = await openApiFixture(1);
    const orchestrator = openOrchestrator({
      address: `127.0.0.1:${await freePort()}`,
      namespace: 'default',
    });
    try {
      await assert.rejects(orchestrator.ping(), { code: 'temporal.unavailable' });
      fixture.orchestrator.away = temporalAway(new Error('gone'));
      const replica = await fixture.open('a');
      const count = async (): Promise<number> =>
        (await fixture.db.selectFrom('experiment').select('id').execute()).length;
      const before = await count();
      const answer = await replica.call('POST', `/api/v1/ml-models/${MODEL}/train`, {});
      assert.equal(answer.status, 503, JSON.stringify(answer.body));
      assert.ok(Number(answer.headers.get('retry-after')) > 0);
      assert.equal(await count(), before);
      const promotion = await replica.call('POST', `/api/v1/ml-models/${MODEL}/promote`, {
        version: 1,
      });
      assert.equal(promotion.status, 503);
      const audited = await fixture.db
        .selectFrom('audit')
        .select('id')
        .where('action', '=', 'promotion.request')
        .execute();
      assert.deepEqual(audited, []);
    } finally {
      await orchestrator.close();
      await fixture.close();
    }
  });
});

describe('prediction spool', () => {
  const withFolder = async (work: (folder: string) => Promise<void>): Promise<void> => {
    const folder = await mkdtemp(join(tmpdir(), 'ratchet-spool-'));
    try {
      await work(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };

  it('keeps what a killed process had answered, and drops only a torn last line', () =>
    withFolder(async (folder) => {
      const log = memoryLog();
      const spool = new Spool({ folder, log });
      for (let n = 1; n <= 3; n++) assert.equal(spool.append(row(n)), true);
      // As a kill leaves it: no close, and half a line at the end.
      const [name] = await readdir(folder);
      await appendFile(join(folder, name!), 'deadbeef {"id":"01J');
      const next = new Spool({ folder, log });
      assert.equal(next.append(row(4)), true);
      const { db, close } = await openTestDatabase();
      try {
        const recorder = new Recorder({ db, spool: next, log, folder });
        await recorder.drain();
        const rows = await listPredictions(db, { model: MODEL, limit: 10 });
        assert.deepEqual(
          rows.map(({ id }) => id).sort(),
          [1, 2, 3, 4].map((n) => row(n).id),
        );
        assert.equal(next.bytes, 0);
        assert.ok(log.lines.some(({ message }) => message.includes('damaged')));
      } finally {
        await close();
      }
      spool.close();
      next.close();
    }));

  it('records the same segment twice as one, across months', () =>
    withFolder(async (folder) => {
      const log = memoryLog();
      const { db, close } = await openTestDatabase();
      try {
        const rows = [row(1, '2026-12-31T23:59:59.999Z'), row(2, '2027-01-01T00:00:00.000Z')];
        for (let n = 0; n < 2; n++) {
          const spool = new Spool({ folder, log });
          for (const one of rows) spool.append(one);
          await new Recorder({ db, spool, log, folder }).drain();
          spool.close();
        }
        const stored = await listPredictions(db, { model: MODEL, limit: 10 });
        assert.equal(stored.length, 2);
      } finally {
        await close();
      }
    }));

  it('says no when it is full, and takes more once it is drained', () =>
    withFolder(async (folder) => {
      const log = memoryLog();
      const spool = new Spool({ folder, log, capacity: 2_000 });
      let taken = 0;
      while (spool.append(row(taken + 1))) taken++;
      assert.ok(taken >= 2 && taken < 20, `${taken}`);
      const { db, close } = await openTestDatabase();
      try {
        await new Recorder({ db, spool, log, folder }).drain();
        assert.equal((await listPredictions(db, { model: MODEL, limit: 50 })).length, taken);
      } finally {
        await close();
      }
      assert.equal(spool.append(row(99)), true);
      spool.close();
    }));

  it('sets aside a row that the database never takes', () =>
    withFolder(async (folder) => {
      const log = memoryLog();
      const spool = new Spool({ folder: join(folder, 'spool'), log });
      spool.append(row(1));
      spool.append({ ...row(2), version: 2 ** 40 });
      spool.append(row(3));
      const { db, close } = await openTestDatabase();
      try {
        await new Recorder({ db, spool, log, folder }).drain();
        const ids = (await listPredictions(db, { model: MODEL, limit: 10 })).map(({ id }) => id);
        assert.deepEqual(ids.sort(), [row(1).id, row(3).id]);
        assert.match(
          await readFile(join(folder, 'rejected.ndjson'), 'utf8'),
          new RegExp(row(2).id),
        );
      } finally {
        await close();
      }
      spool.close();
    }));

  it('keeps rows that the database refuses for its own sake, and records them later', () =>
    withFolder(async (folder) => {
      const log = memoryLog();
      const spool = new Spool({ folder: join(folder, 'spool'), log });
      for (let n = 1; n <= 3; n++) spool.append(row(n));
      const { db, url, close } = await openTestDatabase();
      const name = new URL(url).pathname.slice(1);
      const setReadOnly = (on: boolean) =>
        sql`ALTER DATABASE ${sql.id(name)} SET default_transaction_read_only = ${sql.lit(on)}`;
      const readOnly = openDatabase(url);
      try {
        await setReadOnly(true).execute(db);
        const refused = new Recorder({ db: readOnly, spool, log, folder });
        await assert.rejects(refused.drain(), { code: '25006' });
        assert.deepEqual(await readdir(folder), ['spool'], 'nothing was set aside');
        await new Recorder({ db, spool, log, folder }).drain();
        assert.equal((await listPredictions(db, { model: MODEL, limit: 10 })).length, 3);
      } finally {
        await readOnly.destroy();
        await close();
      }
      spool.close();
    }));

  it('asks a disk that refuses once a second, and leaves no files there', () =>
    withFolder(async (folder) => {
      const log = memoryLog();
      let now = 0;
      const spoolFolder = join(folder, 'spool');
      const spool = new Spool({ folder: spoolFolder, log, now: () => now });
      await rm(spoolFolder, { recursive: true });
      assert.equal(spool.append(row(1)), false);
      await mkdir(spoolFolder);
      assert.equal(spool.append(row(2)), false, 'not tried again at once');
      now += 1_000;
      assert.equal(spool.append(row(3)), true);
      assert.equal((await readdir(spoolFolder)).length, 1);
      assert.equal(log.lines.filter(({ level }) => level === 'error').length, 1);
      spool.close();
    }));

  it('goes on behind a segment that somebody removed', () =>
    withFolder(async (folder) => {
      const log = memoryLog();
      const spoolFolder = join(folder, 'spool');
      const spool = new Spool({ folder: spoolFolder, log });
      spool.append(row(1));
      spool.take();
      const [gone] = await readdir(spoolFolder);
      spool.append(row(2));
      await rm(join(spoolFolder, gone!));
      const { db, close } = await openTestDatabase();
      try {
        await new Recorder({ db, spool, log, folder }).drain();
        const ids = (await listPredictions(db, { model: MODEL, limit: 10 })).map(({ id }) => id);
        assert.deepEqual(ids, [row(2).id]);
        assert.equal(spool.bytes, 0);
      } finally {
        await close();
      }
      spool.close();
    }));
});
