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
/** In each round the workers are killed so often, together or one of them. */
const KILLS = 3;

const base = {
  name: 'searched',
  data: {
    sources: [{ dataset: 'simulated-momentum' }],
    instruments: ['SIM-A'],
    from: '2012-01-01',
    to: '2019-12-31',
  },
  label: { kind: 'forwardLogReturn', horizons: [1] },
  scaling: { features: 'standard', labels: 'standard' },
  seeds: [1],
  baselines: ['naive'],
  confidence: { method: 'none' },
  monitor: { schedule: 'off' },
  forceRetrain: true,
};
/** 41 penalties, of which 30 are tried. */
const alphas = Array.from({ length: 41 }, (_, i) => [Number((10 ** (i / 4 - 2)).toPrecision(4))]);

const SWEEPS = [
  {
    title: 'of 30 trials',
    rounds: rounds(1, 5),
    spec: {
      ...{ ...base, model: 'closed-form', lookback: 1, family: 'ridge' },
      tune: { search: 'tpe', trials: 30, parallel: 4, space: { alphas: { choices: alphas } } },
    },
  },
  {
    title: 'of a network, in rungs that go on from checkpoints',
    rounds: rounds(0, 2),
    spec: {
      ...{ ...base, model: 'network', lookback: 10 },
      hyperparameters: { dense: [4], branch: 3, epochs: 9 },
      tune: {
        ...{ search: 'tpe', trials: 10, parallel: 3, pruner: 'successiveHalving' },
        space: { units: { choices: [[4], [6], [8]] }, learningRate: {} },
      },
    },
  },
] as const;

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
  before(async () => {
    product = await startProduct();
    db = openDatabase(product.stack.config.databaseUrl!);
    await sql.raw(LEDGER).execute(db);
  });
  after(async () => {
    await db.destroy();
    await product.end();
  });

  /** What a sweep left, without what depends on the clock. */
  async function outcomeOf(experimentId: string, model: string) {
    const key = { experimentId, model };
    const search = await searchOrThrow(db, key);
    const trials = await trialsOf(db, key);
    const version = await db
      .selectFrom('model_version')
      .select('metrics')
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

  /** Trials that have ended, once there are `n` of them. */
  const untilEnded = (experimentId: string, model: string, n: number): Promise<number> =>
    product.until(`${n} trials`, async () => {
      const trials = await trialsOf(db, { experimentId, model });
      const ended = trials.filter(({ state }) => state !== 'running').length;
      return ended >= n ? ended : undefined;
    });

  /** Starts the sweep and kills at these moments. */
  async function interrupted(
    spec: (typeof SWEEPS)[number]['spec'],
    moments: readonly { readonly after: number; readonly victims: readonly string[] }[],
  ): Promise<string> {
    await db.deleteFrom('step_cache').where('step', '=', 'fit').execute();
    await db.deleteFrom('fit_checkpoint').execute();
    await db.deleteFrom('fit_fence').execute();
    await sql`DELETE FROM fit_again`.execute(db);
    const id = await product.start(spec);
    for (const { after: n, victims } of moments) {
      const ended = await untilEnded(id, spec.model, n);
      for (const victim of victims) process.kill(pidOf(victim), 'SIGKILL');
      assert.ok(ended < spec.tune.trials, 'killed in the middle');
      await product.until('every part to be ready again', async () =>
        product.stack.status().ready ? true : undefined,
      );
    }
    const end = await product.until('the end', async () => {
      const { body } = await product.request('GET', `/api/v1/experiments/${id}`);
      return ['queued', 'running'].includes(String(body['status'])) ? undefined : body;
    });
    assert.equal(end['status'], 'completed', String(end['message']));
    return id;
  }

  const random = randomFor(SEED);
  for (const { title, rounds: count, spec } of SWEEPS) {
    const { trials, parallel } = spec.tune;
    describe(title, { skip: count === 0 && 'its rounds are part of the full run' }, () => {
      let whole: Awaited<ReturnType<typeof outcomeOf>>;
      before(async () => {
        const end = await product.run(spec);
        assert.equal(end.status, 'completed', end.message);
        whole = await outcomeOf(end.id, spec.model);
        const points = new Set(whole.trials.map(({ point }) => JSON.stringify(point)));
        assert.equal(points.size, trials, 'each trial tries something else');
      });

      for (let round = 0; round < count; round++) {
        const moments = Array.from({ length: KILLS }, (_, k) => ({
          // Within each third of the sweep.
          after: Math.floor(((k + 0.1 + 0.7 * random()) * trials) / KILLS),
          victims: [['training', 'worker'], ['training'], ['worker']][(round + k) % 3]!,
        }));
        const words = moments.map(({ after: n, victims }) => `${victims.join(' and ')} after ${n}`);
        it(`kill -9 of ${words.join(', of ')}: no finished fit runs twice, same result`, async (t) => {
          t.diagnostic(`seed ${SEED}`);
          const id = await interrupted(spec, moments);
          assert.deepEqual(await outcomeOf(id, spec.model), whole);
          const { rows: again } = await sql`SELECT fit_key FROM fit_again`.execute(db);
          assert.deepEqual(again, [], 'a fit that was finished began again');
          const fences = await db.selectFrom('fit_fence').select(['fit_key', 'attempt']).execute();
          const rungs = whole.trials.reduce((sum, { losses }) => sum + losses.length, 0);
          // And the baseline; the fit of the winner is one of them: same seed, same hyperparameters.
          assert.equal(new Set(fences.map(({ fit_key: key }) => key)).size, rungs + 1);
          const repeated = fences.filter(({ attempt }) => attempt > 1).length;
          t.diagnostic(`${repeated} fits were under way when a worker died`);
          assert.ok(repeated <= KILLS * parallel, `${repeated} fits were begun again`);
        });
      }
    });
  }
});
