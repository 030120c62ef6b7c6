import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';
import {
  checkpointsOf,
  discardCheckpoint,
  publishCheckpoint,
  raiseFence,
  type FitAttempt,
} from '../../registry/checkpoints.ts';

const fencedOff = { code: 'training.fenced-off' };
let keys = 0;

/** A fit of its own for each test. */
function newFit(): (attempt: number, holder?: string) => FitAttempt {
  const fitKey = `fit-${keys++}`;
  return (attempt, holder = 'workflow/run/1') => ({ fitKey, holder, attempt });
}

const at = (epoch: number, batch = 0) => ({
  epoch,
  batch,
  artifact: { uri: `cas/${epoch}-${batch}`, sha256: `${epoch}-${batch}`, bytes: 1_000_000 },
});

describe('checkpoints of fits', () => {
  let database: TestDatabase;
  before(async () => {
    database = await openTestDatabase();
  });
  after(() => database.close());

  it('come back furthest first, with what was stored', async () => {
    const { db } = database;
    const by = newFit()(1);
    await raiseFence(db, by);
    await publishCheckpoint(db, by, at(2));
    await publishCheckpoint(db, by, at(2, 40));
    const rows = await checkpointsOf(db, by.fitKey);
    assert.deepEqual(
      rows.map(({ id: _id, ...rest }) => rest),
      [at(2, 40), at(2)],
    );
  });

  it('are two a fit: the newest, and the one before should it be damaged', async () => {
    const { db } = database;
    const by = newFit()(1);
    await raiseFence(db, by);
    for (const epoch of [2, 3, 4, 5]) await publishCheckpoint(db, by, at(epoch));
    assert.deepEqual(
      (await checkpointsOf(db, by.fitKey)).map((row) => row.epoch),
      [5, 4],
    );
    const { length } = await db
      .selectFrom('fit_checkpoint')
      .select('id')
      .where('fit_key', '=', by.fitKey)
      .execute();
    assert.equal(length, 2);
  });

  it('cannot be written by an attempt that a later one replaced', async () => {
    const { db } = database;
    const attempt = newFit();
    await raiseFence(db, attempt(1));
    await publishCheckpoint(db, attempt(1), at(2));
    await raiseFence(db, attempt(2));
    await assert.rejects(publishCheckpoint(db, attempt(1), at(3)), fencedOff);
    await assert.rejects(raiseFence(db, attempt(1)), fencedOff);
    await publishCheckpoint(db, attempt(2), at(4));
    assert.deepEqual(
      (await checkpointsOf(db, attempt(1).fitKey)).map((row) => row.epoch),
      [4, 2],
    );
  });

  it('need a raised fence, and raising it again is fine', async () => {
    const { db } = database;
    const by = newFit()(1);
    await assert.rejects(publishCheckpoint(db, by, at(2)), fencedOff);
    await raiseFence(db, by);
    await raiseFence(db, by);
    await publishCheckpoint(db, by, at(2));
  });

  it('of equal fits in two experiments do not fence each other off', async () => {
    const { db } = database;
    const attempt = newFit();
    await raiseFence(db, attempt(3, 'first/run/1'));
    await raiseFence(db, attempt(1, 'second/run/1'));
    await publishCheckpoint(db, attempt(1, 'second/run/1'), at(2));
    await publishCheckpoint(db, attempt(3, 'first/run/1'), at(3));
    assert.equal((await checkpointsOf(db, attempt(1).fitKey)).length, 2);
  });

  it('of a late attempt never follow the fence, however the two race', async () => {
    const { db } = database;
    for (let round = 0; round < 20; round++) {
      const attempt = newFit();
      await raiseFence(db, attempt(1));
      const late = publishCheckpoint(db, attempt(1), at(2)).then(
        () => 'written',
        () => 'refused',
      );
      await raiseFence(db, attempt(2));
      // What attempt 2 sees now is all that attempt 1 ever wrote.
      const seen = (await checkpointsOf(db, attempt(1).fitKey)).length;
      assert.equal(seen, (await late) === 'written' ? 1 : 0);
      assert.equal((await checkpointsOf(db, attempt(1).fitKey)).length, seen);
    }
  });

  it('that are damaged can be forgotten, and then push nothing out', async () => {
    const { db } = database;
    const by = newFit()(1);
    await raiseFence(db, by);
    await publishCheckpoint(db, by, at(8));
    await publishCheckpoint(db, by, at(9));
    for (const row of await checkpointsOf(db, by.fitKey)) await discardCheckpoint(db, row.id);
    await publishCheckpoint(db, by, at(2));
    assert.deepEqual(
      (await checkpointsOf(db, by.fitKey)).map((row) => row.epoch),
      [2],
    );
  });
});
