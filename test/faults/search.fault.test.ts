import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql, type Kysely } from 'kysely';
import { randomFor } from '../../core/models/random.ts';
import { openDatabase } from '../../registry/db.ts';
import { searchOrThrow, trialsOf } from '../../registry/searches.ts';
import type { Database } from '../../registry/tables.ts';
import { productMissing, startProduct, type Product } from '../support/product.ts';
import { rounds } from '../support/rounds.ts';

const SEED = Number(process.env['RATCHET_FAULT_SEED'] ?? 20_261_129);
const ROUNDS = rounds(1, 5);
const TRIALS = 30;
/** In each round both workers are killed so often, together or one of them. */
const KILLS = 3;
const MODEL = 'searched';

/** 41 penalties, of which 30 are tried. */
const alphas = Array.from({ length: 41 }, (_, i) => [Number((10 ** (i / 4 - 2)).toPrecision(4))]);

const spec = {
  name: 'searched',
  model: MODEL,
  data: {
    sources: [{ dataset: 'simulated-momentum' }],
    instruments: ['SIM-A'],
    from: '2012-01-01',
    to: '2019-12-31',
  },
  lookback: 1,
  label: { kind: 'forwardLogReturn', horizons: [1] },
  scaling: { features: 'standard', labels: 'standard' },
  family: 'ridge',
  tune: { search: 'tpe', trials: TRIALS, parallel: 4, space: { alphas: { choices: alphas } } },
  seeds: [1],
  baselines: ['naive'],
  confidence: { method: 'none' },
  monitor: { schedule: 'off' },
  forceRetrain: true,
};

/** A ledger of the test's own: fits that begin, or write, although an equal one is finished. */
const LEDGER = `
CREATE TABLE fit_again (fit_key text NOT NULL);
CREATE FUNCTION note_fit_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO fit_again SELECT NEW.fit_key FROM step_cache WHERE key = NEW.fit_key;
  RETURN NULL;
END $$;
CREATE TRIGGER fit_again AFTER INSERT OR UPDATE ON fit_fence
FOR EACH ROW EXECUTE FUNCTION note_fit_again();`;

describe('workers are killed in the middle of a sweep', { skip: productMissing }, () => {
  let product: Product;
  let db: Kysely<Database>;
  let whole: Awaited<ReturnType<typeof outcomeOf>>;

  before(async () => {
    product = await startProduct();
    db = openDatabase(product.stack.config.databaseUrl!);
    await sql.raw(LEDGER).execute(db);
    const end = await product.run(spec);
    assert.equal(end.status, 'completed', end.message);
    whole = await outcomeOf(end.id);
    assert.equal(whole.trials.length, TRIALS);
    const points = new Set(whole.trials.map(({ point }) => JSON.stringify(point)));
    assert.equal(points.size, TRIALS, 'each trial tries something else');
  });
  after(async () => {
    await db.destroy();
    await product.end();
  });

  /** What a sweep left, without what depends on the clock. */
  async function outcomeOf(experimentId: string) {
    const key = { experimentId, model: MODEL };
    const search = await searchOrThrow(db, key);
    const trials = await trialsOf(db, key);
    const version = await db
      .selectFrom('model_version')
      .select(['metrics', 'verdict'])
      .where('experiment_id', '=', experimentId)
      .executeTakeFirstOrThrow();
    return {
      best: search.best_trial,
      state: search.state,
      trials: trials.map(({ trial, point, state, losses }) => ({ trial, point, state, losses })),
      metrics: version.metrics,
    };
  }

  const pidOf = (name: string): number =>
    product.stack.status().parts.find((part) => part.name === name)?.pid ??
    assert.fail(`${name} runs`);

  const endedTrials = async (experimentId: string): Promise<number> =>
    (await trialsOf(db, { experimentId, model: MODEL })).filter(({ state }) => state !== 'running')
      .length;

  const random = randomFor(SEED);
  for (let round = 0; round < ROUNDS; round++) {
    const moments = Array.from({ length: KILLS }, (_, k) => ({
      // Within each third of the sweep.
      after: Math.floor(((k + 0.1 + 0.7 * random()) * TRIALS) / KILLS),
      victims: [['training', 'worker'], ['training'], ['worker']][(round + k) % 3]!,
    }));
    const words = moments.map(({ after: n, victims }) => `${victims.join(' and ')} after ${n}`);

    it(`kill -9 of ${words.join(', of ')} trials: no finished trial runs twice, same result`, async (t) => {
      t.diagnostic(`seed ${SEED}`);
      await db.deleteFrom('step_cache').where('step', '=', 'fit').execute();
      await db.deleteFrom('fit_fence').execute();
      await sql`DELETE FROM fit_again`.execute(db);
      const id = await product.start(spec);
      for (const { after: n, victims } of moments) {
        await product.until(`${n} trials`, async () =>
          (await endedTrials(id)) >= n ? true : undefined,
        );
        for (const victim of victims) process.kill(pidOf(victim), 'SIGKILL');
        assert.ok((await endedTrials(id)) < TRIALS, 'killed in the middle');
        await product.until('every part to be ready again', async () =>
          product.stack.status().ready ? true : undefined,
        );
      }
      const end = await product.until('the end', async () => {
        const { body } = await product.request('GET', `/api/v1/experiments/${id}`);
        return ['queued', 'running'].includes(String(body['status'])) ? undefined : body;
      });
      assert.equal(end['status'], 'completed', String(end['message']));
      assert.deepEqual(await outcomeOf(id), whole);
      const { rows: again } = await sql`SELECT fit_key FROM fit_again`.execute(db);
      assert.deepEqual(again, [], 'a fit that was finished began again');
      const fences = await db.selectFrom('fit_fence').select(['fit_key', 'attempt']).execute();
      const fits = new Set(fences.map(({ fit_key: key }) => key));
      // Trials, the fit of the winner (one of them: same seed, same hyperparameters) and the baseline.
      assert.equal(fits.size, TRIALS + 1);
      const repeated = fences.filter(({ attempt }) => attempt > 1).length;
      t.diagnostic(`${repeated} trials were under way when a worker died`);
      assert.ok(repeated <= KILLS * spec.tune.parallel, `${repeated} fits were begun again`);
    });
  }
});
