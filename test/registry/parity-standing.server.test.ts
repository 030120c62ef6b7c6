import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import { ulid } from 'ulid';
import type { Watch } from '../../infra/schedules.ts';
import { checkParity } from '../../infra/stack/parity-checks.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { NO_COUNTS, type ParityCounts } from '../../registry/parity.ts';
import { DIFFERENCE_DAYS, forgetOldParity, REPORT_DAYS } from '../../registry/parity-retention.ts';
import { parityStandings, TOLD_DAYS } from '../../registry/parity-standing.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { addModel } from '../support/registry-facts.ts';

const DAY_MS = 86_400_000;

let database: TestDatabase;
let db: Db;
before(async () => {
  database = await openTestDatabase();
  ({ db } = database);
});
after(() => database.close());

interface Ended {
  /** Days ago. */
  readonly ended: number;
  readonly night?: boolean;
  readonly counts?: Partial<ParityCounts>;
  readonly failed?: string;
  /** Served from, to: days ago. */
  readonly served?: readonly [number, number];
}

let models = 0;
async function scene() {
  const model = `standing-${++models}`;
  await addModel(db, model);
  /** A report as it stands some days after it ended, with as many differences as it counts. */
  const add = async ({ ended, night = false, counts = {}, failed, served }: Ended) => {
    const at = new Date(Date.now() - ended * DAY_MS);
    const [from, to] = served ?? [ended + 1, ended];
    const id = ulid(at.getTime());
    const servedAt = new Date(Date.now() - ((from + to) / 2) * DAY_MS);
    await db
      .insertInto('parity_report')
      .values({
        ...{ id, model, actor: 'test', late_ms: 0, samples: 0, slot: night ? at : null },
        served_from: new Date(Date.now() - from * DAY_MS),
        served_to: new Date(Date.now() - to * DAY_MS),
        ...{ status: failed === undefined ? 'completed' : 'failed', message: failed ?? null },
        counts: JSON.stringify({ ...NO_COUNTS, ...counts }),
        ...{ finished_at: at, recorded_to: night ? String(100_000 - Math.floor(ended)) : null },
      })
      .execute();
    for (let n = 0; n < (counts.different ?? 0); n++) {
      await sql`
        INSERT INTO parity_difference
          (report_id, n, prediction_id, served_at, version, instrument, as_of, cause, words, fields)
        VALUES (${id}, ${n}, 'p', ${servedAt}, 1, '^GSPC', now(), 'bar-altered', 'w', '[]')`.execute(
        db,
      );
    }
    return id;
  };
  const standing = async () => (await parityStandings(db, model)).get(model);
  return { model, add, standing };
}
const altered = { replayed: 9, different: 2, byCause: { 'bar-altered': 2 } } as const;

describe('how replays of a model stand', () => {
  test('says nothing of a model without reports', async () => {
    assert.equal(await (await scene()).standing(), undefined);
  });

  test('the newest night, and what differs until a later report over its time finds none', async () => {
    const { add, standing } = await scene();
    const before = await add({ ended: 5, night: true, counts: altered });
    const found = await add({ ended: 4, night: true, counts: altered, served: [5, 4] });
    const clean = await add({ ended: 3, night: true, counts: { replayed: 7 } });
    const now = await standing();
    assert.deepEqual([now?.night?.reportId, now?.night?.replayed], [clean, 7]);
    assert.deepEqual([now?.different?.reportId, now?.different?.different], [found, 2]);
    assert.deepEqual(now?.different?.byCause, { 'bar-altered': 2 });
    // Over another time, or over what was recorded since: nobody knows about the rest.
    await add({ ended: 2, counts: { replayed: 3 }, served: [4.4, 4] });
    await add({ ended: 1.5, night: true, counts: { replayed: 3 }, served: [9, 1.5] });
    assert.equal((await standing())?.different?.reportId, found);
    await add({ ended: 1.2, counts: { replayed: 30 }, served: [4.6, 1.2] });
    assert.equal(
      (await standing())?.different?.reportId,
      before,
      'that of the night before stands',
    );
    await add({ ended: 1, counts: { replayed: 30 }, served: [9, 1] });
    assert.equal((await standing())?.different, undefined);
  });

  test('tells of what a person found too, for a month', async () => {
    const { add, standing } = await scene();
    await add({ ended: TOLD_DAYS + 1, counts: altered });
    assert.equal(await standing(), undefined);
    const found = await add({ ended: TOLD_DAYS - 1, counts: altered });
    const now = await standing();
    assert.deepEqual([now?.different?.reportId, now?.night], [found, undefined]);
  });
});

describe('the parity check of doctor', () => {
  const watchOf = (on: boolean) => async (model: string) => ({ model, on }) as unknown as Watch;
  const findings = async (model: string, now = Date.now(), on = true) => {
    const all = await checkParity({ db, watchOf: watchOf(on), now });
    return all.filter(({ detail }) => detail.includes(model));
  };

  test('fails on differences and on a night that failed, and names the report', async () => {
    const { model, add } = await scene();
    const found = await add({ ended: 2, night: true, counts: altered });
    await add({ ended: 1, night: true, failed: 'the store is away' });
    const [differs, failed, ...others] = await findings(model);
    assert.deepEqual(others, []);
    assert.equal(differs?.verdict, 'failed');
    assert.match(differs.detail, /2 of 9 served predictions .* otherwise \(bar-altered\)/);
    assert.equal(differs.fix, `ratchet parity ${model} --show ${found}`);
    assert.equal(failed?.verdict, 'failed');
    assert.match(failed.detail, /the store is away/);
  });

  test('warns where two nights are missing of a model that is watched', async () => {
    const { model, add } = await scene();
    await add({ ended: 1, night: true, counts: { replayed: 7 } });
    assert.deepEqual(await findings(model), []);
    const later = Date.now() + 1.5 * DAY_MS;
    assert.deepEqual(await findings(model, later, false), []);
    const [overdue] = await findings(model, later);
    assert.equal(overdue?.verdict, 'warning');
  });
});

describe('old reports', () => {
  const left = async (model: string) => {
    const reports = await db
      .selectFrom('parity_report')
      .select('id')
      .where('model', '=', model)
      .orderBy('id')
      .execute();
    const { n } = await db
      .selectFrom('parity_difference')
      .innerJoin('parity_report', 'parity_report.id', 'parity_difference.report_id')
      .select((eb) => eb.fn.countAll<string>().as('n'))
      .where('model', '=', model)
      .executeTakeFirstOrThrow();
    return { reports: reports.map(({ id }) => id), differences: Number(n) };
  };

  test('are forgotten, what they found sooner, what is younger and what nights go on from not', async () => {
    const { model, add } = await scene();
    await add({ ended: REPORT_DAYS + 9, night: true });
    await add({ ended: REPORT_DAYS + 1, counts: altered });
    const last = await add({ ended: REPORT_DAYS + 2, night: true });
    const failed = await add({ ended: REPORT_DAYS - 1, night: true, failed: 'away' });
    const counted = await add({ ended: DIFFERENCE_DAYS + 1, counts: altered });
    const whole = await add({ ended: DIFFERENCE_DAYS - 1, counts: altered });
    assert.equal(await forgetOldParity(db), 2);
    assert.deepEqual(await left(model), {
      reports: [last, failed, counted, whole],
      differences: 2,
    });
    assert.equal(await forgetOldParity(db), 0);
    // A night that is completed makes the one before it an old report like others.
    await add({ ended: 1, night: true });
    assert.equal(await forgetOldParity(db), 1);
  });
});
