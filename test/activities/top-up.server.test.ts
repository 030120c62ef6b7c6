import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { NamedDataset } from '../../activities/deps.ts';
import { sliceBars } from '../../core/bars/index.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { simulateBars } from '../../core/sources/simulate.ts';
import { simulatedParams } from '../../core/sources/simulated.ts';
import { readBarsAsOf } from '../../registry/bars.ts';
import { listCollections, seriesSource } from '../../registry/collections.ts';
import { startChartServer, type ChartServer } from '../support/chart-server.ts';
import { crown, MODEL, testSpec } from '../support/registry-facts.ts';
import { openSettleFixture, quietContext, type SettleFixture } from '../support/settle-fixture.ts';

const INSTRUMENT = 'SIM-TOP';
const nyse = calendarFor('nyse');
const params = { start: '2023-01-03', seed: 3 };
const all = simulateBars(simulatedParams.parse(params), INSTRUMENT, '1d', Date.parse('2024-01-01'));
const at = (row: number): number => all.openTime[row]!;
const closeOf = (row: number): number => nyse.closeTime(at(row), '1d');
/** When the bar of this row has been published: its close and half an hour. */
const published = (row: number): string => new Date(closeOf(row) + 30 * 60_000).toISOString();
const iso = (row: number): string => new Date(at(row)).toISOString();

const dataset: NamedDataset = {
  ...{ name: 'sim-top', source: 'simulated', params, hosts: [], calendar: 'nyse' },
};
const source = seriesSource(dataset);
let fixture: SettleFixture;
let charts: ChartServer;
before(async () => {
  charts = await startChartServer([{ status: 503, body: 'busy' }]);
});
after(() => charts[Symbol.asyncDispose]());

async function open(
  now: number,
  uses: readonly object[] = [{ dataset: 'sim-top' }],
  more: readonly NamedDataset[] = [],
) {
  const broken: NamedDataset = {
    ...{ name: 'broken', source: 'yahoo', calendar: 'nyse' },
    params: { baseUrl: charts.url, attempts: 1 },
    hosts: [new URL(charts.url).host],
  };
  fixture = await openSettleFixture({ now, datasets: [dataset, broken, ...more] });
  const spec = testSpec({ data: { sources: uses, instruments: [INSTRUMENT] } });
  const version = await fixture.addVersion({ spec });
  await fixture.db
    .updateTable('model_version')
    .set({ instruments: JSON.stringify([INSTRUMENT]) })
    .execute();
  return version;
}

const asked = async (): Promise<number> => (await listCollections(fixture.db, INSTRUMENT)).length;

test('asks for what market time has and the store has not, and for nothing else', async () => {
  const version = await open(Date.parse(published(60)) + 5_000);
  try {
    assert.deepEqual(await fixture.topUp(published(60)), { newestBar: null, newRows: 0 });
    assert.equal(await asked(), 0, 'nobody serves the model');
    await crown(fixture.db, version, 1);
    assert.deepEqual(await fixture.topUp(published(60)), { newestBar: iso(60), newRows: 61 });
    assert.equal(await asked(), 1);
    // A replay of the past, and the minutes in which the next bar is not published yet.
    assert.deepEqual(await fixture.topUp(published(40)), { newestBar: iso(40), newRows: 0 });
    const justClosed = new Date(closeOf(61)).toISOString();
    assert.deepEqual(await fixture.topUp(justClosed), { newestBar: iso(60), newRows: 0 });
    assert.equal(await asked(), 1, 'the stored bars reach it');
    fixture.clock.now = Date.parse(published(63)) + 5_000;
    // Asked within a day of the last time all the same.
    assert.deepEqual(await fixture.topUp(published(63)), { newestBar: iso(63), newRows: 3 });
    assert.equal(await asked(), 2);
    const stored = await readBarsAsOf(fixture.db, {
      ...{ instrument: INSTRUMENT, timeframe: '1d', source },
    });
    assert.deepEqual(stored.close, sliceBars(all, 0, 64).close);
  } finally {
    await fixture.close();
  }
});

test('a source that fails is tried again, then the slot goes on without it', async () => {
  const version = await open(Date.parse(published(60)) + 5_000, [
    { dataset: 'sim-top' },
    { dataset: 'broken', role: 'fallback' },
  ]);
  try {
    await crown(fixture.db, version, 1);
    const slot = published(60);
    for (const attempt of [1, 2]) {
      await assert.rejects(fixture.topUp(slot, quietContext({ attempt })), { permanent: false });
    }
    const last = await fixture.topUp(slot, quietContext({ attempt: 3 }));
    assert.equal(last.newestBar, iso(60), 'the other source brought it with the first attempt');
    assert.ok(fixture.log.lines.some(({ message }) => /brought no newer bars/.test(message)));
  } finally {
    await fixture.close();
  }
});

test('the version on trial is kept up to date too; a dataset that is gone stops nothing', async () => {
  const champion = await open(Date.parse(published(60)) + 5_000, [{ dataset: 'gone' }]);
  try {
    await crown(fixture.db, champion, 1);
    assert.deepEqual(await fixture.topUp(published(60)), { newestBar: null, newRows: 0 });
    const spec = testSpec({
      data: { sources: [{ dataset: 'sim-top' }], instruments: [INSTRUMENT] },
    });
    const challenger = await fixture.addVersion({ spec });
    await fixture.db
      .updateTable('model_version')
      .set({ instruments: JSON.stringify([INSTRUMENT]) })
      .execute();
    await fixture.db
      .insertInto('trial')
      .values({
        ...{ id: 'trial', model: MODEL, version: challenger, champion_version: champion },
        ...{ generation: 1, kind: 'shadow', policy: 'beats-champion', mode: 'prove' },
        ...{ status: 'running', settings: '{}', gate_decision_id: 'd', experiment_id: 'e' },
        started_as_of: new Date(at(50)),
        last_as_of: new Date(at(50)),
      })
      .execute();
    assert.deepEqual(await fixture.topUp(published(60)), { newestBar: iso(60), newRows: 61 });
  } finally {
    await fixture.close();
  }
});

test('a version that a substitute trained goes on with it; one that was not never asks it', async () => {
  const standIn: NamedDataset = {
    ...{ name: 'stand-in', source: 'simulated', hosts: [], calendar: 'nyse' },
    params: { ...params, seed: 4 },
  };
  const uses = [{ dataset: 'sim-top' }, { dataset: 'stand-in', role: 'substitute' }];
  const version = await open(Date.parse(published(60)) + 5_000, uses, [standIn]);
  const collected = async (): Promise<string[]> =>
    (await listCollections(fixture.db, INSTRUMENT)).map(({ dataset: name }) => name);
  try {
    await crown(fixture.db, version, 1);
    await fixture.topUp(published(60));
    assert.deepEqual(await collected(), ['sim-top']);
    // As it was left by an outage at the time of the training.
    await fixture.db
      .updateTable('bar')
      .set({ source: seriesSource(standIn) })
      .execute();
    fixture.clock.now = Date.parse(published(63)) + 5_000;
    assert.deepEqual(await fixture.topUp(published(63)), { newestBar: iso(63), newRows: 64 });
    assert.deepEqual(await collected(), ['stand-in', 'sim-top']);
  } finally {
    await fixture.close();
  }
});
