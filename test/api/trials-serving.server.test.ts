import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { routingPoint } from '../../core/trials/routing.ts';
import type { PackageContent } from '../../core/packages/build.ts';
import type { Prediction, PredictionRole } from '../../registry/predictions.ts';
import {
  addPackagedVersion,
  INSTRUMENT,
  openApiFixture,
  type ApiFixture,
  type Body,
  type TestReplica,
} from '../support/api-fixture.ts';
import { HORIZONS } from '../support/model-package.ts';
import { addExperiment, addVersion, MODEL } from '../support/registry-facts.ts';
import { trialScene, type TrialScene } from '../support/trial-scene.ts';

const PREDICT = `/api/v1/ml-models/${MODEL}/predict`;
const LIST = `/api/v1/ml-models/${MODEL}/predictions?limit=500`;

/** It opens and passes its probes, and no forecast of it is plausible. */
const neverPlausible = (content: PackageContent): PackageContent => ({
  ...content,
  preprocessing: {
    ...content.preprocessing,
    plausible: { sds: 8, byHorizon: HORIZONS.map(() => ({ low: 0.5, high: 0.6 })) },
  },
});

const idsOf = (rows: readonly { readonly id: string }[]): string[] => rows.map(({ id }) => id);
const pairsOf = (rows: readonly Prediction[]): (string | null)[] =>
  rows.map(({ pair_id: pair }) => pair);

/** Each of the answers was scored beside once. */
function assertPairs(rows: readonly Prediction[], answers: readonly { readonly id: string }[]) {
  assert.equal(rows.length, answers.length);
  assert.deepEqual(new Set(pairsOf(rows)), new Set(idsOf(answers)));
}

describe('trials in serving', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  let scene: TrialScene;
  let trial: string | undefined;
  let seen = new Set<string>();
  const broken = { implausible: 0, missing: 0 };

  before(async () => {
    fixture = await openApiFixture();
    const { db, artifacts } = fixture;
    broken.implausible = await addPackagedVersion(db, artifacts, 3, neverPlausible);
    await addExperiment(db, 4);
    broken.missing = await addVersion(db, 4);
    replica = await fixture.open('a');
    scene = trialScene(fixture, replica);
    await fixture.promote(1);
    await replica.replica.poll();
  });
  after(() => fixture.close());
  beforeEach(async () => {
    const rows = await Promise.all(
      (['champion', 'canary', 'shadow', 'pinned'] as const).map((role) => scene.rows(role)),
    );
    seen = new Set(idsOf(rows.flat()));
  });
  afterEach(async () => {
    if (trial !== undefined) await scene.end(trial);
    trial = undefined;
  });

  /** Recorded with a role since the test began. */
  const fresh = async (role: PredictionRole): Promise<Prediction[]> =>
    (await scene.rows(role)).filter(({ id }) => !seen.has(id));
  const ask = async (body: Record<string, unknown> = {}, key?: string): Promise<Body> => {
    const headers = key === undefined ? {} : { 'x-routing-key': key };
    const whole = { instrument: INSTRUMENT, confidence: 'none', ...body };
    const answer = await replica.call('POST', PREDICT, whole, { headers });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return answer.body;
  };
  const metric = async (line: string): Promise<number> => {
    const text = await replica.parts.metrics.registry.metrics();
    const found = text.split('\n').find((one) => one.startsWith(line));
    return found === undefined ? Number.NaN : Number(found.split(' ').at(-1));
  };

  it('shadow: the challenger scores the same bars, is stored and never returned', async () => {
    trial = await scene.start('shadow', 2);
    const asked = [{}, { confidence: 'mc' }, { asOf: '2019-12-03', confidence: 'mc' }, {}];
    const answers: Body[] = [];
    for (const body of asked) answers.push(await ask(body));
    assert.deepEqual(
      answers.map((answer) => [answer['version'], answer['trial']]),
      asked.map(() => [1, null]),
    );
    const rows = await fresh('shadow');
    assertPairs(rows, answers as unknown as { id: string }[]);
    for (const row of rows) {
      const answer = answers.find(({ id }) => String(id) === row.pair_id)!;
      assert.deepEqual([row.version, row.trial_id, row.error], [2, trial, null]);
      assert.equal(row.as_of.toISOString(), answer['asOf']);
      // What it says is what the same version says to somebody who asks it, confidence included.
      const body = asked[answers.indexOf(answer)]!;
      const own = await ask({ ...body, version: 2 });
      const { horizons } = row.answer as { horizons: unknown };
      assert.deepEqual(horizons, own['horizons']);
      assert.notDeepEqual(horizons, answer['horizons']);
    }
    const champion = await fresh('champion');
    assert.deepEqual(idsOf(champion), idsOf(answers as unknown as { id: string }[]));
    assert.ok(champion.every(({ trial_id: id }) => id === trial));
    const listed = async (query: string): Promise<{ id: string; role: string }[]> =>
      (await replica.call('GET', `${LIST}${query}`)).body['items'] as unknown as never;
    const shadows = new Set(idsOf(rows));
    const answered = await listed('');
    assert.ok(answered.length >= 4 && answered.every(({ id }) => !shadows.has(id)));
    const shown = await listed('&role=shadow');
    assert.ok(shown.length >= 4 && shown.every(({ role }) => role === 'shadow'));
    assert.ok(idsOf(rows).every((id) => shown.some((one) => one.id === id)));
  });

  it('takes part only with what can be settled and may be kept', async () => {
    trial = await scene.start('shadow', 2);
    await ask({ record: false });
    await ask({ version: 1 });
    await ask({ version: 2 });
    const window = Array.from({ length: 20 }, () => new Array<number>(152).fill(0.1));
    await ask({ window, lastClose: 100, openTime: '2020-01-03' });
    assert.deepEqual(await fresh('shadow'), []);
    const pinned = await fresh('pinned');
    assert.deepEqual(
      pinned.map(({ version, trial_id: id }) => [version, id]),
      [
        [1, null],
        [2, null],
      ],
    );
    const [own] = await fresh('champion');
    assert.deepEqual([own!.input, own!.trial_id], ['window', null]);
  });

  it('canary: the share of the keys, each always on the same arm, each request on both', async () => {
    trial = await scene.start('canary', 2, 0.3);
    const id = trial;
    const keys = Array.from({ length: 300 }, (_, n) => `customer-${n}`);
    const windows = await metric('ratchet_predict_batch_windows_sum');
    const arms = new Map<string, number>();
    for (const key of keys) {
      const answer = await ask({}, key);
      const isCanary = answer['version'] === 2;
      assert.deepEqual(answer['trial'], isCanary ? { role: 'canary', trialId: id } : null);
      assert.equal(isCanary, routingPoint(id, key) < 0.3);
      arms.set(key, Number(answer['version']));
    }
    const canaries = await fresh('canary');
    const [n, sd] = [canaries.length, Math.sqrt(300 * 0.3 * 0.7)];
    assert.ok(Math.abs(n - 90) < 4 * sd, `${n} of 300 at a share of 0.3`);
    const champions = await fresh('champion');
    assert.equal(n + champions.length, 300);
    const shadows = await fresh('shadow');
    assertPairs(shadows, [...canaries, ...champions]);
    const canary = new Set(idsOf(canaries));
    for (const row of shadows) assert.equal(row.version, canary.has(row.pair_id!) ? 1 : 2);
    // Both arms have long computed these bars: nothing went through a network again.
    assert.equal((await metric('ratchet_predict_batch_windows_sum')) - windows, 0);
    await scene.setShare(id, 0.6);
    for (const key of keys.slice(0, 100)) {
      const answer = await ask({}, key);
      if (arms.get(key) === 2) assert.equal(answer['version'], 2, `${key} moved back`);
      assert.equal(answer['version'] === 2, routingPoint(id, key) < 0.6);
    }
    assert.equal(await metric(`ratchet_trial_share{model="${MODEL}"}`), 0.6);
    // Without a key of their own, callers keep to one arm too.
    const plain = new Set<unknown>();
    for (let i = 0; i < 10; i++) plain.add((await ask())['version']);
    assert.equal(plain.size, 1);
    const bad = await replica.call('POST', PREDICT, {}, { headers: { 'x-routing-key': 'a b' } });
    assert.equal(bad.status, 400);
  });

  it('a challenger that fails costs nobody an answer, and each failure is on record', async () => {
    trial = await scene.start('canary', broken.implausible, 0.999);
    const answers: Body[] = [];
    for (let n = 0; n < 20; n++) answers.push(await ask({}, `k${n}`));
    for (const answer of answers) {
      assert.deepEqual([answer['version'], answer['fallback'], answer['trial']], [1, null, null]);
    }
    const ids = idsOf(answers as unknown as { id: string }[]);
    const failed = await fresh('canary');
    assert.deepEqual(pairsOf(failed), ids);
    for (const row of failed) {
      assert.match(row.error!, /^predict\.implausible: /);
      assert.deepEqual([row.version, row.trial_id, row.answer], [broken.implausible, trial, {}]);
    }
    assert.deepEqual(idsOf(await fresh('champion')), ids);
    assert.deepEqual(await fresh('shadow'), []);
    const listed = await replica.call('GET', LIST);
    const items = listed.body['items'] as unknown as { error: string | null }[];
    assert.ok(items.every(({ error }) => error === null));
    await scene.end(trial);
    trial = await scene.start('shadow', broken.implausible);
    const { id } = await ask();
    const [row] = await fresh('shadow');
    assert.deepEqual([row!.pair_id, row!.error?.split(':')[0]], [id, 'predict.implausible']);
    const told = replica.log.lines.filter(({ message }) => message.includes('trial failed'));
    assert.ok(told.length <= 2, `${told.length} lines for 21 failures`);
  });

  it('a challenger that does not answer is given up, and the champion answers', async () => {
    trial = await scene.start('canary', 2, 0.999);
    const slot = await replica.trials.of(replica.host.active(MODEL)!)!.open!();
    let giveUp: (reason: Error) => void = () => undefined;
    const hang = () => new Promise((_resolve, reject) => (giveUp = reject));
    const own = { value: hang, configurable: true };
    Object.defineProperty(slot.batcher, 'forecast', own);
    const asked = { asOf: '2019-12-10' };
    const answer = await ask(asked);
    Reflect.deleteProperty(slot.batcher, 'forecast');
    giveUp(new Error('planted'));
    assert.deepEqual([answer['version'], answer['trial']], [1, null]);
    const [row] = await fresh('canary');
    assert.match(row!.error!, /^trial\.too-late: /);
    assert.equal((await ask(asked))['version'], 2);
  });

  it('a challenger that does not load is told to the registry at once, to the log once', async () => {
    trial = await scene.start('shadow', broken.missing);
    for (let n = 0; n < 3; n++) await replica.replica.poll();
    const [told, ...more] = await fresh('shadow');
    assert.deepEqual(more, []);
    assert.deepEqual([told!.version, told!.pair_id, told!.trial_id], [broken.missing, null, trial]);
    assert.ok(told!.error);
    const lines = replica.log.lines.filter(({ message }) => message.includes('does not load'));
    assert.equal(lines.length, 1);
    assert.equal(await metric(`ratchet_trial_challenger_loaded{model="${MODEL}"}`), 0);
    const { id, version } = await ask();
    assert.equal(version, 1);
    const rows = await fresh('shadow');
    assert.deepEqual(pairsOf(rows), [null, id]);
    assert.match(rows[1]!.error!, /^trial\.not-loaded: /);
    await scene.end(trial);
    trial = await scene.start('canary', broken.missing, 0.999);
    const answer = await ask();
    assert.deepEqual([answer['version'], answer['fallback'], answer['trial']], [1, null, null]);
    assert.deepEqual(pairsOf(await fresh('canary')), [answer['id']]);
    assert.equal((await replica.call('GET', '/readyz')).status, 200);
  });

  it('an end is an end: one look later nothing goes to the challenger, what waits is dropped', async () => {
    const id = await scene.start('canary', 2, 0.999);
    assert.equal((await ask())['version'], 2);
    await replica.shadows.settled();
    const waiting = Array.from({ length: 50 }, () => ask({ asOf: '2019-12-17' }));
    await Promise.race(waiting);
    await scene.end(id);
    assert.equal(replica.shadows.length, 0);
    await Promise.all(waiting);
    await replica.shadows.settled();
    const stored = (await fresh('shadow')).length;
    const answer = await ask();
    assert.deepEqual([answer['version'], answer['trial']], [1, null]);
    assert.equal((await fresh('shadow')).length, stored);
    assert.ok(Number.isNaN(await metric(`ratchet_trial_share{model="${MODEL}"}`)));
  });

  it('the challenger stays open whatever else is asked for', async () => {
    const { db, artifacts } = fixture;
    const others: number[] = [];
    for (let n = 10; n < 20; n++) others.push(await addPackagedVersion(db, artifacts, n));
    trial = await scene.start('canary', 2, 0.999);
    for (const version of others) await ask({ version });
    const answer = await ask({ asOf: '2019-12-12', confidence: 'mc' });
    assert.equal(answer['version'], 2);
    assert.deepEqual(await fresh('canary').then((rows) => rows.map(({ error }) => error)), [null]);
  });
});
