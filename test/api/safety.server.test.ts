import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Slot } from '../../api/serving/package-slots.ts';
import type { PackageContent } from '../../core/packages/build.ts';
import type { Manifest, Preprocessing } from '../../core/packages/manifest.ts';
import { openDatabase } from '../../registry/db.ts';
import { servableVersion } from '../../registry/champions.ts';
import { earlierChampions, foundation } from '../../registry/earlier-champions.ts';
import {
  addPackagedVersion,
  eventually,
  INSTRUMENT,
  openApiFixture,
  type ApiFixture,
  type Body,
  type TestReplica,
} from '../support/api-fixture.ts';
import { freePort } from '../support/server-process.ts';
import { HORIZONS, LOOKBACK } from '../support/model-package.ts';
import { MODEL } from '../support/registry-facts.ts';

const PREDICT = `/api/v1/ml-models/${MODEL}/predict`;

/** The same content under other rules. */
const withRules =
  (rules: Partial<Preprocessing>) =>
  (content: PackageContent): PackageContent => ({
    ...content,
    preprocessing: { ...content.preprocessing, ...rules },
  });

const narrow = {
  sds: 8,
  byHorizon: HORIZONS.map(() => ({ low: 0.5, high: 0.6 })),
};

/** Value of a series of the replica's metrics. */
async function metric(replica: TestReplica, line: string): Promise<number> {
  const { registry } = replica.parts.metrics;
  const found = (await registry.metrics()).split('\n').find((text) => text.startsWith(line));
  return found === undefined ? 0 : Number(found.split(' ').at(-1));
}

describe('answers that must not be relied on', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  /** Versions by what is special about them. */
  const versions = { abstaining: 0, implausible: 0, strict: 0 };

  before(async () => {
    fixture = await openApiFixture(1);
    const { db, artifacts } = fixture;
    const add = (n: number, rules: Partial<Preprocessing>) =>
      addPackagedVersion(db, artifacts, n, withRules(rules));
    versions.abstaining = await add(2, { abstain: { minConfidence: 0.89 } });
    versions.implausible = await add(3, { plausible: narrow });
    versions.strict = await add(4, { plausible: narrow, fallback: 'none' });
    replica = await fixture.open('a');
    await fixture.promote(1);
    await replica.replica.poll();
  });
  after(() => fixture.close());

  const ask = async (body: Record<string, unknown>): Promise<Body> => {
    const answer = await replica.call('POST', PREDICT, { instrument: INSTRUMENT, ...body });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body;
  };

  /** A window of numbers no bar ever gave. */
  const strange = {
    window: Array.from({ length: LOOKBACK }, () => new Array<number>(152).fill(1e4)),
    lastClose: 100,
    openTime: '2020-01-03',
  };

  it('a champion without rules: all fields are there, nothing is held back', async () => {
    const body = await ask({});
    assert.equal(typeof body['dissimilarity'], 'number');
    assert.equal(body['outlier'], Number(body['dissimilarity']) > 1);
    assert.equal(body['abstain'], false);
    assert.deepEqual(body['abstainReasons'], []);
    assert.equal(body['confidenceFailed'], false);
    assert.equal(body['fallbackReason'], null);
  });

  it('a window unlike the training rows: outlier; with a rule it abstains, and both are counted', async () => {
    const plain = await ask({ ...strange, confidence: 'none' });
    assert.deepEqual([plain['outlier'], plain['abstain']], [true, false]);
    const body = await ask({ ...strange, version: versions.abstaining, confidence: 'none' });
    assert.deepEqual([body['outlier'], body['abstain']], [true, true]);
    assert.deepEqual(body['abstainReasons'], ['outlier']);
    assert.equal((body['horizons'] as unknown as unknown[]).length, 3);
    const label = `{model="${MODEL}",reason="outlier"}`;
    assert.equal(await metric(replica, `ratchet_prediction_abstentions_total${label}`), 1);
    assert.ok((await metric(replica, 'ratchet_prediction_outliers_total')) >= 2);
  });

  it('a forecast outside the learnt range: the fallback with its reason, or a precise problem', async () => {
    const body = await ask({ version: versions.implausible });
    assert.deepEqual([body['fallback'], body['fallbackReason']], ['naive', 'implausible']);
    const horizons = body['horizons'] as unknown as { change: number }[];
    assert.ok(horizons.every(({ change }) => change === 0));
    const label = `{model="${MODEL}",reason="implausible"}`;
    assert.equal(await metric(replica, `ratchet_prediction_fallbacks_total${label}`), 1);
    const refused = await replica.call('POST', PREDICT, { version: versions.strict });
    assert.equal(refused.status, 503);
    assert.equal(refused.body['code'], 'predict.implausible');
    assert.match(String(refused.body['detail']), /declares no fallback/);
  });

  it('inference that fails: fallback, the next request tries again', async () => {
    const { slot } = (await replica.host.open(MODEL))!;
    const failing = await withBroken(slot, 'session', () => ask({ asOf: '2019-12-03' }));
    assert.deepEqual(
      [failing['fallback'], failing['fallbackReason']],
      ['naive', 'inference-failed'],
    );
    assert.equal(failing['recorded'], true);
    const again = await ask({ asOf: '2019-12-03' });
    assert.equal(again['fallback'], null);
  });

  it('facts of a window that fail: the fallback as well, for the newest bars', async () => {
    const { slot } = (await replica.host.open(MODEL))!;
    const { verified } = slot.opened;
    let left = 1;
    // Another digest: of this one the facts may be known.
    const pkg = Object.defineProperty({ ...verified, packageDigest: 'f'.repeat(64) }, 'outliers', {
      get: () => {
        if (left-- > 0) throw new Error('broken on purpose');
        return verified.outliers;
      },
    });
    Object.assign(slot.opened, { verified: pkg });
    try {
      const failing = await ask({ confidence: 'none' });
      assert.deepEqual(
        [failing['fallback'], failing['fallbackReason']],
        ['naive', 'inference-failed'],
      );
      assert.equal((await ask({ confidence: 'none' }))['fallback'], null);
    } finally {
      Object.assign(slot.opened, { verified });
    }
  });

  it('Monte-Carlo samples that fail: the forecast without confidence, marked', async () => {
    const { slot } = (await replica.host.open(MODEL))!;
    const sound = await ask({ asOf: '2019-12-04' });
    const body = await withBroken(slot, 'monteCarlo', () => ask({ asOf: '2019-12-04' }));
    assert.deepEqual([body['fallback'], body['confidenceFailed']], [null, true]);
    type Horizon = { change: number; confidence: number | null };
    const [bare, full] = [body, sound].map((b) => b['horizons'] as unknown as Horizon[]);
    bare!.forEach(({ change, confidence }, k) => {
      assert.equal(confidence, null);
      assert.equal(change, full![k]!.change);
    });
    assert.equal(await metric(replica, 'ratchet_predictions_without_confidence_total'), 1);
  });
});

/** Runs `work` while one part of an open package throws. */
async function withBroken<T>(
  slot: Slot,
  part: 'session' | 'monteCarlo',
  work: () => Promise<T>,
): Promise<T> {
  const target = slot.opened[part]!;
  const method = part === 'session' ? 'run' : 'sample';
  const sound = Object.getOwnPropertyDescriptor(target, method)!;
  const broken = () => Promise.reject(new Error('out of memory'));
  Object.defineProperty(target, method, { ...sound, value: broken });
  try {
    return await work();
  } finally {
    Object.defineProperty(target, method, sound);
  }
}

/** Flips a bit of the version's graph in the artifact store; gives back what puts it right. */
async function damage(fixture: ApiFixture, version: number): Promise<() => Promise<void>> {
  const { packageDigest } = (await servableVersion(fixture.db, MODEL, version))!;
  const pathOf = (sha: string) => join(fixture.folder, 'artifacts', 'cas', sha.slice(0, 2), sha);
  const manifest = JSON.parse(await readFile(pathOf(packageDigest), 'utf8')) as Manifest;
  const graph = manifest.files.find(({ path }) => path === 'model.onnx')!;
  const bytes = await readFile(pathOf(graph.sha256));
  const changed = Buffer.from(bytes);
  changed[1000]! ^= 1;
  await writeFile(pathOf(graph.sha256), changed);
  return () => writeFile(pathOf(graph.sha256), bytes);
}

describe('a champion whose package does not load', () => {
  it('the newest former champion stands in, says so, and gives way once it loads', async () => {
    const fixture = await openApiFixture(3);
    try {
      for (const version of [1, 2, 3]) await fixture.promote(version);
      const heal = [await damage(fixture, 3), await damage(fixture, 2)];
      const replica = await fixture.open('fresh');
      const answer = await replica.call('POST', PREDICT, { confidence: 'none' });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      assert.deepEqual([answer.body['version'], answer.body['generation']], [1, 1]);
      await eventually('it says why it is not ready', () => {
        return replica.parts.serving.readiness().reasons.some((reason) => {
          return /generation 3: .*corrupt.*version 1 \(generation 1\) answers/.test(reason);
        });
      });
      assert.equal(await metric(replica, 'ratchet_champion_load_failures_total'), 1);
      assert.equal(replica.host.standsIn(MODEL), true);
      for (const put of heal) await put();
      await eventually('the champion serves', async () => {
        return (await replica.call('POST', PREDICT, { confidence: 'none' })).body['version'] === 3;
      });
      assert.equal(replica.host.standsIn(MODEL), false);
      assert.equal(replica.parts.serving.readiness().ready, true);
    } finally {
      await fixture.close();
    }
  });

  it('also from its own disk, with the registry away and its cache and the store corrupt', async () => {
    const fixture = await openApiFixture(2);
    const nowhere = openDatabase(`postgres://127.0.0.1:${await freePort()}/none`, { max: 1 });
    try {
      const first = await fixture.open('a');
      for (const version of [1, 2]) {
        await fixture.promote(version);
        await first.replica.poll();
      }
      await first.stop();
      const { packageDigest } = (await servableVersion(fixture.db, MODEL, 2))!;
      await damage(fixture, 2);
      const cached = join(fixture.folder, 'a', 'packages', packageDigest, 'golden.json');
      await writeFile(cached, '{}');
      const replica = await fixture.open('a', { db: nowhere });
      const answer = await replica.call('POST', PREDICT, { confidence: 'none' });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      assert.deepEqual([answer.body['version'], answer.body['generation']], [1, 1]);
      // What answers now must not become what it believes the champion to be.
      await replica.stop();
      const notes = await readFile(join(fixture.folder, 'a', 'champions.json'), 'utf8');
      assert.match(notes, /"current":\{"model":"[^"]+","version":2/);
    } finally {
      await fixture.close();
      await nowhere.destroy();
    }
  });

  it('a version that was rolled back from never stands in', async () => {
    const versionsOf = (newestFirst: number[]) =>
      foundation(newestFirst.map((version) => ({ version }))).map(({ version }) => version);
    assert.deepEqual(versionsOf([3, 2, 1]), [2, 1]);
    assert.deepEqual(versionsOf([2, 3, 2, 1]), [1]);
    assert.deepEqual(versionsOf([4, 1, 3, 2, 1]), [1]);
    assert.deepEqual(versionsOf([1]), []);
    assert.deepEqual(versionsOf([]), []);
    const fixture = await openApiFixture(3);
    try {
      for (const version of [1, 2, 3, 2]) await fixture.promote(version);
      const found = await earlierChampions(fixture.db, MODEL, 3);
      assert.deepEqual(
        found.map(({ version, generation }) => [version, generation]),
        [[1, 1]],
      );
    } finally {
      await fixture.close();
    }
  });
});
