import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import { BarsStore } from '../../api/serving/bars-store.ts';
import { Forecaster } from '../../api/serving/forecaster.ts';
import { registryBars } from '../../api/serving/registry-bars.ts';
import { openDatabase } from '../../registry/db.ts';
import {
  DATASETS,
  eventually,
  INSTRUMENT,
  memoryLog,
  NOW,
  openApiFixture,
  type ApiFixture,
  type Body,
  type TestReplica,
} from '../support/api-fixture.ts';
import { freePort } from '../support/server-process.ts';
import { MODEL } from '../support/registry-facts.ts';
import { trialScene, type TrialScene } from '../support/trial-scene.ts';

const PREDICT = `/api/v1/ml-models/${MODEL}/predict`;
const CLIENTS = 12;

interface Seen {
  readonly version: number;
  readonly digest: string;
  readonly generation: number;
  readonly trialId: string | undefined;
}

const seenIn = (body: Body): Seen => ({
  version: Number(body['version']),
  digest: String(body['packageDigest']),
  generation: Number(body['generation']),
  trialId: (body['trial'] as unknown as { trialId: string } | null)?.trialId,
});

/** Clients that ask without a pause until told to stop; all that they were answered. */
function load(replica: TestReplica): { readonly seen: Seen[]; stop(): Promise<void> } {
  const seen: Seen[] = [];
  let stopped = false;
  const client = async (name: number): Promise<void> => {
    for (let n = 0; !stopped; n++) {
      const headers = { 'x-routing-key': `client-${name}-${n % 40}` };
      const body = { instrument: INSTRUMENT, confidence: 'none' };
      const answer = await replica.call('POST', PREDICT, body, { headers });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      seen.push(seenIn(answer.body));
      await turn();
    }
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, name) => client(name)));
  return {
    seen,
    stop: async () => {
      stopped = true;
      await clients;
    },
  };
}

describe('trials under load', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  let scene: TrialScene;
  before(async () => {
    fixture = await openApiFixture();
    replica = await fixture.open('a');
    scene = trialScene(fixture, replica);
    await fixture.promote(1);
    await replica.replica.poll();
  });
  after(() => fixture.close());

  it('while trials begin, grow and end, every answer names one version and its package', async () => {
    const { seen, stop } = load(replica);
    const enough = (n: number): Promise<void> => {
      const from = seen.length;
      return eventually('more answers', () => seen.length >= from + n);
    };
    const ids: string[] = [];
    for (let round = 0; round < 3; round++) {
      await enough(50);
      const id = await scene.start('canary', 2, 0.2);
      ids.push(id);
      await enough(100);
      await scene.setShare(id, 0.8);
      await enough(100);
      await scene.end(id);
      // Requests that were under way may still end.
      await enough(2 * CLIENTS);
      const from = seen.length;
      await enough(50);
      assert.ok(seen.slice(from).every(({ trialId }) => trialId === undefined));
    }
    await stop();
    const digests = new Map<number, string>();
    for (const { version, digest, generation, trialId } of seen) {
      digests.set(version, digests.get(version) ?? digest);
      assert.equal(digest, digests.get(version));
      assert.equal(generation, 1);
      assert.equal(version, trialId === undefined ? 1 : 2);
    }
    assert.equal(digests.size, 2);
    for (const id of ids) assert.ok(seen.some(({ trialId }) => trialId === id));
    const answered = [...(await scene.rows('champion')), ...(await scene.rows('canary'))];
    assert.equal(answered.length, seen.length);
    const pairs = (await scene.rows('shadow')).map(({ pair_id: pair }) => pair);
    assert.equal(new Set(pairs).size, pairs.length);
  });

  it('what is scored beside is as of the instant that was answered, however late it is scored', async () => {
    const reader = registryBars(fixture.db, DATASETS);
    const bars = new BarsStore({ reader, folder: join(fixture.folder, 'own'), log: memoryLog() });
    let now = NOW;
    const forecaster = new Forecaster({ bars, log: memoryLog(), now: () => now });
    const id = await scene.start('shadow', 2);
    const { active, slot: champion } = (await replica.host.open(MODEL))!;
    const slot = await replica.trials.of(active)!.open!();
    const input = { kind: 'instrument', instrument: INSTRUMENT } as const;
    const { basis, forecast } = await forecaster.forecast(champion, input, 'none');
    now += 7 * 86_400_000;
    const beside = await forecaster.beside(slot, basis!, 'none');
    assert.equal(beside.forecast.version, 2);
    assert.deepEqual(
      [beside.forecast.asOf, beside.forecast.staleBars],
      [forecast.asOf, forecast.staleBars],
    );
    const later = await forecaster.forecast(slot!, input, 'none');
    assert.ok(later.forecast.staleBars > beside.forecast.staleBars);
    assert.equal((await forecaster.beside(slot, basis!, 'none')).forecast.staleBars, 0);
    await scene.end(id);
  });

  it('a challenger promoted while its trial still runs answers as champion, and is scored no more', async () => {
    const id = await scene.start('canary', 2, 0.5);
    const { seen, stop } = load(replica);
    await eventually('both arms', () => new Set(seen.map(({ version }) => version)).size === 2);
    assert.deepEqual(await fixture.promote(2), { status: 'promoted', generation: 2 });
    await replica.replica.poll();
    await eventually('the new generation', () => seen.at(-1)?.generation === 2);
    const from = seen.length;
    await eventually('more answers', () => seen.length > from + 100);
    await stop();
    for (const { version, generation, trialId } of seen) {
      if (generation === 2) assert.deepEqual([version, trialId], [2, undefined]);
      else assert.equal(version, trialId === id ? 2 : 1);
    }
    for (const row of await scene.rows('shadow')) assert.equal(row.generation, 1);
    await scene.end(id);
  });
});

describe('trials with the database away', () => {
  it('go on as they were known, are recorded later, and are not known after a cold start', async () => {
    const fixture = await openApiFixture();
    try {
      const own = openDatabase(fixture.database.url);
      const replica = await fixture.open('a', { db: own });
      const scene = trialScene(fixture, replica);
      await fixture.promote(1);
      await replica.replica.poll();
      const id = await scene.start('canary', 2, 0.999);
      const ask = async (on: TestReplica): Promise<Seen> => {
        const answer = await on.call('POST', PREDICT, { confidence: 'none' });
        assert.equal(answer.status, 200, JSON.stringify(answer.body));
        return seenIn(answer.body);
      };
      assert.equal((await ask(replica)).trialId, id);
      await replica.shadows.settled();
      await own.destroy();
      await replica.replica.poll();
      assert.ok(replica.replica.databaseAway);
      for (let n = 0; n < 5; n++) assert.equal((await ask(replica)).trialId, id);
      await replica.shadows.settled();
      await replica.stop();
      const nowhere = openDatabase(`postgres://ratchet@127.0.0.1:${await freePort()}/gone`);
      const cold = await fixture.open('a', { db: nowhere });
      const { version, trialId } = await ask(cold);
      assert.deepEqual([version, trialId], [1, undefined]);
      await cold.stop();
      await nowhere.destroy();
      const back = await fixture.open('a');
      await back.recorder.drain();
      const rows = trialScene(fixture, back);
      const canaries = await rows.rows('canary');
      const shadows = await rows.rows('shadow');
      assert.equal(canaries.length, 6);
      assert.equal(shadows.length, 6);
      assert.deepEqual(
        new Set(shadows.map(({ pair_id: pair }) => pair)),
        new Set(canaries.map((row) => row.id)),
      );
      assert.equal((await rows.rows('champion')).length, 1);
    } finally {
      await fixture.close();
    }
  });
});
