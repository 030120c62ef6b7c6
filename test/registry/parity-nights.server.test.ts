import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import type { Db } from '../../registry/in-transaction.ts';
import { endParity, spanOf, type ParityReport } from '../../registry/parity.ts';
import { nightlyParityReport } from '../../registry/parity-nights.ts';
import { ensurePredictionMonth, insertPredictions } from '../../registry/predictions.ts';
import { servedGroups, servedPage } from '../../registry/served-predictions.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { addModel } from '../support/registry-facts.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** 02:00 of the first night. */
const FIRST = Date.parse('2026-03-02T02:00:00Z');
const night = (n: number): Date => new Date(FIRST + n * DAY_MS);

let database: TestDatabase;
let db: Db;
before(async () => {
  database = await openTestDatabase();
  ({ db } = database);
  for (const at of ['2026-01-10', '2026-02-10', '2026-03-10', '2026-04-10']) {
    await ensurePredictionMonth(db, new Date(at));
  }
});
after(() => database.close());

let models = 0;
/** A model of its own, whose predictions are served at one time and recorded at another. */
async function scene() {
  const model = `nightly-${++models}`;
  await addModel(db, model);
  let predictions = 0;
  const record = async (served: readonly number[], into: Db = db): Promise<readonly string[]> => {
    const rows = served.map((at) => ({
      ...{
        id: `${model}-${String(++predictions).padStart(5, '0')}`,
        at: new Date(at).toISOString(),
      },
      ...{ batch_id: 'b', model, version: 1, generation: 1, package_digest: 'd' },
      ...{ instrument: '^GSPC', as_of: new Date(at).toISOString(), request_id: 'r' },
      ...{ key_id: 'k', replica_id: 'a', answer: '{}', duration_ms: 1 },
    }));
    await insertPredictions(into, rows);
    return rows.map(({ id }) => id);
  };
  const open = (n: number): Promise<ParityReport> =>
    nightlyParityReport(db, night(n), { model, lateMs: 0, samples: 0, actor: 'parity' });
  /** What a night looks at, in pages, as its report is completed. */
  const run = async (n: number): Promise<readonly string[]> => {
    const report = await open(n);
    const ids = await lookedAt(report);
    await endParity(db, report.id, { status: 'completed' });
    return ids;
  };
  return { model, record, open, run };
}

async function lookedAt(report: ParityReport): Promise<readonly string[]> {
  const span = spanOf(report);
  const ids: string[] = [];
  const { groups } = await servedGroups(db, span);
  for (const group of groups) {
    let after: { at: Date; id: string } | undefined;
    for (;;) {
      const page = await servedPage(db, span, group, { after, limit: 3 });
      ids.push(...page.map(({ id }) => id));
      after = page.at(-1);
      if (!after) break;
    }
    assert.equal(ids.length, group.predictions);
  }
  return ids;
}

describe('a night of parity', () => {
  test('looks at what was recorded since the one before, however late, and at nothing twice', async () => {
    const { record, run } = await scene();
    const hours = (...of: number[]) => of.map((hour) => FIRST + hour * HOUR_MS);
    const first = await record(hours(-20, -3, -1));
    assert.deepEqual(await run(0), first);
    // Of a replica that was cut off: served before the night that is over, by hours and by days.
    const late = await record(hours(-200, -30, -2, -1));
    const fresh = await record(hours(1, 5, 23));
    assert.deepEqual(await run(1), [...late, ...fresh]);
    assert.deepEqual(await run(2), []);
    const next = await record(hours(23.9, 47, 71));
    assert.deepEqual(await run(3), next);
  });

  test('goes as far back as a month', async () => {
    const { record, run } = await scene();
    await run(0);
    await record([FIRST - 32 * DAY_MS]);
    const kept = await record([FIRST - 29 * DAY_MS, FIRST + HOUR_MS]);
    assert.deepEqual(await run(1), kept);
  });

  test('makes up for one that failed, and for those that were left out', async () => {
    const { record, open, run } = await scene();
    await run(0);
    const lost = await record([FIRST + HOUR_MS, FIRST + 2 * HOUR_MS]);
    const failed = await open(1);
    assert.deepEqual(await lookedAt(failed), lost);
    await endParity(db, failed.id, { status: 'failed', message: 'no package store' });
    const more = await record([FIRST + 30 * HOUR_MS, FIRST + 100 * HOUR_MS]);
    assert.deepEqual(await run(5), [...lost, ...more]);
    assert.deepEqual(await run(3), [], 'a night that is asked for later finds nothing anew');
  });

  test('is one report, about the same predictions, however often it is begun', async () => {
    const { record, open, run } = await scene();
    const first = await record([FIRST - HOUR_MS]);
    const killed = await open(0);
    const meanwhile = await record([FIRST - HOUR_MS, FIRST + HOUR_MS]);
    const again = await open(0);
    assert.equal(again.id, killed.id);
    assert.deepEqual(await lookedAt(again), first);
    await endParity(db, again.id, { status: 'completed' });
    assert.deepEqual(await run(1), meanwhile);
  });

  test('after nights of an earlier release goes by the time of serving, an hour again', async () => {
    const { model, record, open, run } = await scene();
    await record([FIRST - 30 * HOUR_MS]);
    const again = await record([FIRST - 1.5 * HOUR_MS, FIRST + HOUR_MS]);
    const former = await open(0);
    await endParity(db, former.id, { status: 'completed' });
    await sql`UPDATE prediction SET intake = NULL WHERE model = ${model}`.execute(db);
    const to = new Date(FIRST - HOUR_MS);
    await db
      .updateTable('parity_report')
      .set({ recorded_after: null, recorded_to: null, served_to: to })
      .where('id', '=', former.id)
      .execute();
    const fresh = await record([FIRST + 2 * HOUR_MS]);
    assert.deepEqual(await run(1), [...again, ...fresh]);
    assert.deepEqual(await run(2), []);
  });

  test('waits for who is recording, so that no number comes to be seen behind it', async () => {
    const { record, run } = await scene();
    await run(0);
    let inserted: readonly string[] = [];
    let finish = (): void => undefined;
    let begun = (): void => undefined;
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    const recording = db.transaction().execute(async (trx) => {
      inserted = await record([FIRST + HOUR_MS], trx);
      begun();
      await new Promise<void>((resolve) => (finish = resolve));
    });
    await hasBegun;
    let ended = false;
    const looked = run(1).finally(() => (ended = true));
    const waits = database.server.untilConnections(database.url, 'pg_advisory_xact_lock(hash', 1);
    await Promise.race([waits, looked]);
    assert.equal(ended, false);
    finish();
    await recording;
    assert.deepEqual(await looked, inserted);
    assert.deepEqual(await run(2), []);
  });
});
