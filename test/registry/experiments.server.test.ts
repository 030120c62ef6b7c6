import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { sql } from 'kysely';
import { listAudit } from '../../registry/audit.ts';
import {
  appendEvent,
  createExperiment,
  endExperiment,
  EXPERIMENT_EVENT_CHANNEL,
  experimentSpecOrThrow,
  getExperimentOrThrow,
  listExperiments,
  readEvents,
  startExperiment,
} from '../../registry/experiments.ts';
import { listen } from '../../registry/notifications.ts';
import { experimentsAbout } from '../../registry/training-history.ts';
import { openTestDatabase } from '../support/postgres.ts';
import { addExperiment, experimentId, MODEL, testSpec } from '../support/registry-facts.ts';

const close: (() => Promise<void>)[] = [];
after(() => Promise.all(close.map((end) => end())));
const fresh = async () => {
  const database = await openTestDatabase({ max: 20 });
  close.push(database.close);
  return database;
};

const input = (change = {}) => ({
  id: experimentId(1),
  name: 'gspc-lstm',
  model: MODEL,
  spec: testSpec(),
  specHash: 'spec-hash',
  workflowId: `experiment/${experimentId(1)}`,
  actor: 'key-1',
  ...change,
});

describe('creating an experiment', () => {
  test('20 times at once with one id gives one experiment and one record', async () => {
    const { db } = await fresh();
    const created = await Promise.all(
      Array.from({ length: 20 }, () => createExperiment(db, input())),
    );
    assert.equal(created.filter((result) => result.created).length, 1);
    const object = `experiment/${experimentId(1)}`;
    assert.equal((await listAudit(db, { limit: 100, object })).length, 1);
  });

  test('with the id of another spec is refused', async () => {
    const { db } = await fresh();
    await createExperiment(db, input());
    await assert.rejects(createExperiment(db, input({ specHash: 'other' })), {
      code: 'experiment.exists',
    });
  });

  test('keeps the spec as it was parsed', async () => {
    const { db } = await fresh();
    await createExperiment(db, input());
    assert.deepEqual(await experimentSpecOrThrow(db, experimentId(1)), testSpec());
    await assert.rejects(experimentSpecOrThrow(db, experimentId(2)), {
      code: 'experiment.unknown',
    });
  });
});

describe('an experiment', () => {
  test('starts, ends once, and the first end stays', async () => {
    const { db } = await fresh();
    const id = await addExperiment(db, 1);
    assert.equal((await startExperiment(db, id)).status, 'running');
    const ends = await Promise.all([
      endExperiment(db, id, { status: 'completed', message: 'done', payload: { versions: [] } }),
      endExperiment(db, id, { status: 'cancelled', message: 'cancelled' }),
      endExperiment(db, id, { status: 'completed', message: 'done' }),
    ]);
    assert.equal(ends.filter(({ changed }) => changed).length, 1);
    const { status, finished_at: finishedAt } = await getExperimentOrThrow(db, id);
    assert.equal(ends.find(({ changed }) => changed)?.experiment.status, status);
    assert.ok(finishedAt instanceof Date);
    const done = (await readEvents(db, id)).filter(({ kind }) => kind === 'done');
    assert.equal(done.length, 1);
    const messages = await db.selectFrom('outbox').select('key').execute();
    assert.deepEqual(messages, [{ key: `experiment-finished/${id}` }]);
    await assert.rejects(startExperiment(db, id), { code: 'experiment.ended' });
  });

  test('is listed newest first, by model and status, in pages', async () => {
    const { db } = await fresh();
    for (let n = 1; n <= 5; n++) await addExperiment(db, n);
    await endExperiment(db, experimentId(5), { status: 'failed', message: 'quality' });
    const running = { limit: 2, model: MODEL, status: 'running' as const };
    const first = await listExperiments(db, running);
    assert.deepEqual(
      first.items.map(({ id }) => id),
      [experimentId(4), experimentId(3)],
    );
    const second = await listExperiments(db, { ...running, cursor: first.nextCursor });
    assert.deepEqual(
      second.items.map(({ id }) => id),
      [experimentId(2), experimentId(1)],
    );
    assert.equal(second.nextCursor, undefined);
    assert.equal((await listExperiments(db, { limit: 9, model: 'none' })).items.length, 0);
    const { name } = first.items[0]!;
    assert.equal((await listExperiments(db, { limit: 9, name })).items.length, 5);
    assert.equal((await listExperiments(db, { limit: 9, name: `${name}-2` })).items.length, 0);
  });

  test('is listed by the time it was made at, whatever its id is', async () => {
    const { db } = await fresh();
    // The middle two at once, within a millisecond of the newest.
    const times = { 9: '00.000001', 1: '00.000101', 7: '00.000101', 4: '00.000102' };
    for (const [n, second] of Object.entries(times)) {
      const id = await addExperiment(db, Number(n));
      const at = sql<Date>`${`2026-11-20T21:00:${second}Z`}::timestamptz`;
      await sql`UPDATE experiment SET created_at = ${at} WHERE id = ${id}`.execute(db);
    }
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listExperiments(db, { limit: 1, cursor });
      ids.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    assert.deepEqual(ids, [4, 7, 1, 9].map(experimentId));
    const about = await experimentsAbout(db, MODEL);
    assert.deepEqual(
      about.map(({ id }) => id),
      ids,
    );
    const nowhere = listExperiments(db, { limit: 1, cursor: experimentId(3) });
    await assert.rejects(nowhere, { code: 'query.cursor' });
  });
});

describe('events', () => {
  test('of repeated activities are there once', async () => {
    const { db } = await fresh();
    const id = await addExperiment(db, 1);
    const event = {
      experimentId: id,
      kind: 'epoch' as const,
      model: MODEL,
      seed: 1,
      payload: { epoch: 3, loss: 0.25 },
      dedupeKey: `epoch/${MODEL}/1/3`,
    };
    await Promise.all(Array.from({ length: 10 }, () => appendEvent(db, event)));
    await appendEvent(db, { ...event, dedupeKey: `epoch/${MODEL}/2/3`, seed: 2 });
    const read = await readEvents(db, id);
    assert.deepEqual(
      read.map(({ seed, payload }) => ({ seed, payload })),
      [1, 2].map((seed) => ({ seed, payload: event.payload })),
    );
  });

  test('without a key are all kept, also for other experiments', async () => {
    const { db } = await fresh();
    const id = await addExperiment(db, 1);
    const other = await addExperiment(db, 2);
    for (const experiment of [id, id, other]) {
      await appendEvent(db, { experimentId: experiment, kind: 'note', payload: {} });
    }
    assert.equal((await readEvents(db, id)).length, 2);
    assert.equal((await readEvents(db, other)).length, 1);
  });

  test('of an experiment that does not exist are refused', async () => {
    const { db } = await fresh();
    const event = { experimentId: 'nobody', kind: 'note' as const, payload: {} };
    await assert.rejects(appendEvent(db, event), { code: 'experiment.unknown' });
  });

  test('read while 100 writers append: a reader that resumes misses none', async () => {
    const { db } = await fresh();
    const id = await addExperiment(db, 1);
    const writers = Array.from({ length: 100 }, (_, n) =>
      appendEvent(db, { experimentId: id, kind: 'note', payload: { n } }),
    );
    let finished = false;
    const written = Promise.all(writers).then(() => (finished = true));
    const seen: unknown[] = [];
    let afterSeq = '0';
    for (;;) {
      const last = finished;
      const page = await readEvents(db, id, { afterSeq, limit: 7 });
      seen.push(...page.map(({ payload }) => payload['n']));
      afterSeq = page.at(-1)?.seq ?? afterSeq;
      if (last && page.length === 0) break;
    }
    await written;
    assert.equal(seen.length, 100);
    assert.equal(new Set(seen).size, 100);
  });

  test('are announced to listeners, also after their connection was lost', async () => {
    const { db, url, server } = await fresh();
    const id = await addExperiment(db, 1);
    const stop = new AbortController();
    let connected = (): void => undefined;
    let heard: (payload: string) => void = () => undefined;
    const nextConnection = () => new Promise<void>((resolve) => (connected = resolve));
    const nextHint = () => new Promise<string>((resolve) => (heard = resolve));
    const first = nextConnection();
    const listening = listen(url, [EXPERIMENT_EVENT_CHANNEL], (_, payload) => heard(payload), {
      signal: stop.signal,
      onConnected: () => connected(),
    });
    await first;
    let hint = nextHint();
    await appendEvent(db, { experimentId: id, kind: 'note', payload: {} });
    assert.equal(await hint, id);

    const again = nextConnection();
    await server.terminateConnections(url, 'ratchet-listen');
    await again;
    hint = nextHint();
    await appendEvent(db, { experimentId: id, kind: 'note', payload: {} });
    assert.equal(await hint, id);
    stop.abort();
    await listening;
  });
});
