import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { bestOf } from '../../core/search/best.ts';
import { endExperiment, readEvents } from '../../registry/experiments.ts';
import { endedOf, findSearch, trialsOf, type SearchTrial } from '../../registry/searches.ts';
import { openSearchFixture, runSearch, type SearchFixture } from '../support/search-fixture.ts';
import { withoutTensorflow } from '../support/tensorflow.ts';

const RIDGE = {
  family: 'ridge',
  scaling: { features: 'standard', labels: 'standard' },
  tune: {
    search: 'random',
    trials: 5,
    parallel: 2,
    space: { alphas: { choices: [[0.01], [1], [100], [1e4], [1e6], [1e8]] } },
  },
};
const NETWORK = {
  hyperparameters: { dense: [4], branch: 3, epochs: 9 },
  tune: {
    search: 'tpe',
    trials: 6,
    parallel: 2,
    pruner: 'successiveHalving',
    space: { units: { choices: [[4], [6], [8]] }, learningRate: {} },
  },
};
/** Rows without what depends on the clock. */
const facts = (trials: readonly SearchTrial[]) =>
  trials.map(({ started_at: _s, finished_at: _f, experiment_id: _e, ...rest }) => rest);

describe('search activities', () => {
  let fixture: SearchFixture;
  before(async () => {
    fixture = await openSearchFixture();
  });
  after(() => fixture.close());

  it('finds the point with the least validation loss, and tells of each trial', async () => {
    const asked = await fixture.ask(RIDGE, { seed: 1, signal: 0.5 });
    const found = await runSearch(fixture, asked);
    const trials = await trialsOf(fixture.database.db, asked.key);
    assert.equal(trials.length, 5);
    assert.deepEqual(new Set(trials.map(({ state }) => state)), new Set(['completed']));
    const best = bestOf(trials.map(endedOf))!;
    assert.equal(best.loss, Math.min(...trials.map(({ valid_loss: loss }) => loss!)));
    assert.equal(found.bestTrial, best.trial);
    assert.deepEqual(found.hyperparameters, trials[best.trial]!.point);
    const search = await findSearch(fixture.database.db, asked.key);
    assert.deepEqual(
      [search?.state, search?.stopped_by, search?.best_trial],
      ['completed', 'trials', best.trial],
    );
    const events = await readEvents(fixture.database.db, asked.key.experimentId);
    assert.deepEqual(
      events.map(({ kind, stage, payload }) => [kind, stage, payload['trial'] ?? null]),
      [null, 0, 1, 2, 3, 4, null].map((trial) => ['note', 'search', trial]),
    );
    assert.deepEqual(events.at(-2)!.payload['best'], { trial: best.trial, validLoss: best.loss });
  });

  it('gives the same when every step is done twice, and trains nothing twice', async () => {
    const twice = await fixture.ask(RIDGE, { seed: 2 });
    const { activities } = fixture;
    const doubled: SearchFixture = {
      ...fixture,
      activities: Object.fromEntries(
        Object.entries(activities).map(([name, activity]) => [
          name,
          async (input: never) => {
            await (activity as (i: never) => Promise<unknown>)(input);
            return (activity as (i: never) => Promise<unknown>)(input);
          },
        ]),
      ) as unknown as SearchFixture['activities'],
    };
    const before = fixture.trained.length;
    await runSearch(doubled, twice);
    assert.equal(fixture.trained.length - before, 5);
    const events = await readEvents(fixture.database.db, twice.key.experimentId);
    assert.equal(events.length, 7);
  });

  it('uses what it may know, whatever else has ended', async () => {
    const spec = { ...RIDGE, tune: { ...RIDGE.tune, search: 'tpe', trials: 6, parallel: 3 } };
    const asked = await fixture.ask(spec, { seed: 3 });
    await runSearch(fixture, asked);
    const other = await fixture.ask(spec, { seed: 3 });
    const { activities } = fixture;
    const { key, unit, prepared } = other;
    // As a window of three: two trials ahead of the fits.
    await activities.openSearch(key);
    for (let trial = 0; trial < 8; trial++) {
      if (trial < 6) await activities.suggestTrial({ ...key, trial });
      if (trial >= 2) {
        await activities.fitTrial({ ...key, unit, prepared, trial: trial - 2, rung: 0 });
      }
    }
    await activities.completeSearch(key);
    const of = async (at: typeof key) => facts(await trialsOf(fixture.database.db, at));
    assert.deepEqual(await of(key), await of(asked.key));
  });

  it('refuses to choose a trial before those that it may know have ended', async () => {
    const { key } = await fixture.ask(RIDGE, { seed: 4 });
    await fixture.activities.openSearch(key);
    for (const trial of [0, 1]) await fixture.activities.suggestTrial({ ...key, trial });
    await assert.rejects(fixture.activities.suggestTrial({ ...key, trial: 2 }), {
      code: 'search.too-early',
    });
  });

  it('begins no further trial once the minutes are over', async () => {
    const tune = { ...RIDGE.tune, budgetMinutes: 2 };
    const { key, unit, prepared } = await fixture.ask({ ...RIDGE, tune }, { seed: 5 });
    const { activities } = fixture;
    fixture.clock = 1_000_000;
    await activities.openSearch(key);
    assert.deepEqual(await activities.suggestTrial({ ...key, trial: 0 }), { stop: false });
    await activities.fitTrial({ ...key, unit, prepared, trial: 0, rung: 0 });
    fixture.clock += 119_000;
    assert.deepEqual(await activities.suggestTrial({ ...key, trial: 1 }), { stop: false });
    fixture.clock += 2_000;
    assert.deepEqual(await activities.suggestTrial({ ...key, trial: 1 }), { stop: false }, 'told');
    assert.deepEqual(await activities.suggestTrial({ ...key, trial: 2 }), { stop: true });
    await activities.fitTrial({ ...key, unit, prepared, trial: 1, rung: 0 });
    await activities.completeSearch(key);
    const search = await findSearch(fixture.database.db, key);
    assert.deepEqual([search?.state, search?.stopped_by], ['completed', 'minutes']);
  });

  it('says that nothing is left to try', async () => {
    const tune = { ...RIDGE.tune, trials: 20 };
    const asked = await fixture.ask({ ...RIDGE, tune }, { seed: 6 });
    assert.equal((await runSearch(fixture, asked)).trials, 6);
    const search = await findSearch(fixture.database.db, asked.key);
    assert.equal(search?.stopped_by, 'exhausted');
  });

  it('fails with a reason where every trial does, and keeps what is recorded', async () => {
    const { key } = await fixture.ask(RIDGE, { seed: 7 });
    const { activities } = fixture;
    await activities.openSearch(key);
    await activities.suggestTrial({ ...key, trial: 0 });
    await activities.failTrial({ ...key, trial: 0, reason: 'the loss became NaN' });
    await assert.rejects(activities.completeSearch(key), {
      code: 'search.no-trial',
      message: /none of 1 trials .* the loss became NaN/,
    });
    await activities.abandonSearch({ ...key, state: 'failed', message: 'later' });
    const search = await findSearch(fixture.database.db, key);
    assert.match(search!.message!, /the loss became NaN/);
  });

  it('ends running trials with a search that is cancelled', async () => {
    const { key } = await fixture.ask(RIDGE, { seed: 8 });
    const { activities } = fixture;
    await activities.openSearch(key);
    await activities.suggestTrial({ ...key, trial: 0 });
    const end = { state: 'cancelled', message: 'cancelled on request' } as const;
    await activities.abandonSearch({ ...key, ...end });
    const [trial] = await trialsOf(fixture.database.db, key);
    assert.equal(trial?.state, 'cancelled');
    assert.equal((await findSearch(fixture.database.db, key))?.state, 'cancelled');
  });

  it('ends with an experiment that ends without it', async () => {
    const { key } = await fixture.ask(RIDGE, { seed: 10 });
    const { activities } = fixture;
    await activities.openSearch(key);
    await activities.suggestTrial({ ...key, trial: 0 });
    const message = 'the server lost its store';
    await endExperiment(fixture.database.db, key.experimentId, { status: 'failed', message });
    const search = await findSearch(fixture.database.db, key);
    assert.deepEqual([search?.state, search?.message], ['failed', message]);
    const [trial] = await trialsOf(fixture.database.db, key);
    assert.equal(trial?.state, 'failed');
  });

  it(
    'goes on from rung to rung, and spends only on those that promise',
    { skip: withoutTensorflow },
    async () => {
      const asked = await fixture.ask(NETWORK, { seed: 9, rows: 260 });
      const found = await runSearch(fixture, asked, 3);
      const search = await findSearch(fixture.database.db, asked.key);
      assert.deepEqual(search?.rungs, [1, 3, 9]);
      const trials = await trialsOf(fixture.database.db, asked.key);
      assert.ok(trials.some(({ state }) => state === 'pruned'));
      for (const { state, losses, epochs_run: epochs } of trials) {
        assert.equal(state === 'completed', losses.length === 3);
        assert.ok(epochs! <= [1, 3, 9][losses.length - 1]!);
      }
      assert.equal(trials[found.bestTrial]!.state, 'completed');
      assert.equal(found.hyperparameters['epochs'], 9);
      // The same fit from its beginning has the same loss: rungs are parts of one training.
      const whole = await fixture.ask(
        { ...NETWORK, tune: { ...NETWORK.tune, pruner: 'none', search: 'random', trials: 1 } },
        { seed: 9, rows: 260 },
      );
      const plain = await runSearch(fixture, whole);
      const [first] = await trialsOf(fixture.database.db, whole.key);
      assert.deepEqual(plain.hyperparameters['units'], trials[0]!.point['units']);
      assert.equal(first!.valid_loss, trials[0]!.losses[2]);
    },
  );
});
