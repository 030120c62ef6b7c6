/** A version judged again, with real bars, a real package and the activities of its workflow. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { ulid } from 'ulid';
import { createEvaluateVersionActivities } from '../../activities/evaluate-version.ts';
import { createTopUpActivities } from '../../activities/top-up.ts';
import type { NamedDataset } from '../../activities/deps.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { parseEvaluation, type Evaluation } from '../../core/evaluation/index.ts';
import { refOf, sha256OfUri } from '../../registry/artifacts.ts';
import { createEvaluation, evaluationOrThrow } from '../../registry/evaluations.ts';
import { inTransaction } from '../../registry/in-transaction.ts';
import { openPipeline, type Pipeline, type PipelineRun } from '../support/pipeline.ts';
import type { CollectSetup } from '../support/collect-fixture.ts';

const INSTRUMENT = 'SIM-AGAIN';
const dataset: NamedDataset = {
  ...{ name: 'sim-again', source: 'simulated', params: { start: '2016-01-04', seed: 3 } },
  ...{ hosts: [], calendar: 'nyse' },
};
const data = { sources: [{ dataset: 'sim-again' }], instruments: [INSTRUMENT] };
const ridge = {
  ...{ data, lookback: 20, family: 'ridge', baselines: ['naive'], seeds: [1] },
  label: { kind: 'forwardLogReturn', horizons: [1, 5] },
  split: { kind: 'chronological', embargo: 30 },
};
const nyse = calendarFor('nyse');
/** An hour after the close of a session. */
const after16 = (day: string): number => nyse.closeTime(Date.parse(day), '1d') + 3_600_000;

describe('a version judged again by its activities', () => {
  const setup: { now: number } & CollectSetup = {
    datasets: [dataset],
    now: after16('2022-06-30'),
  };
  let pipeline: Pipeline;
  let plain: PipelineRun;
  before(async () => {
    pipeline = await openPipeline(setup);
    plain = await pipeline.run(ridge);
  });
  after(() => pipeline.close());

  const asked = ({ model, version }: PipelineRun, asOf: number) =>
    inTransaction(pipeline.db, (trx) =>
      createEvaluation(trx, {
        ...{ id: ulid(), model, version, champion: null, serving: false },
        ...{ from: null, to: null, asOf: new Date(asOf), actor: 'test', requestId: undefined },
      }),
    );
  const activities = () => ({
    ...createEvaluateVersionActivities(pipeline.deps),
    ...createTopUpActivities(pipeline.deps),
  });
  const topUp = async (evaluationId: string): Promise<void> => {
    await new MockActivityEnvironment().run(activities().topUpEvaluated, { evaluationId });
  };
  const judge = async (evaluationId: string): Promise<Evaluation> => {
    const { evaluateVersion } = activities();
    await new MockActivityEnvironment().run(evaluateVersion, { evaluationId, missing: [] });
    const row = await evaluationOrThrow(pipeline.db, evaluationId);
    const bytes = await pipeline.artifacts.get(refOf(sha256OfUri(row.evaluation_uri!)));
    return parseEvaluation(bytes);
  };

  it('begins where its own test part begins, behind the embargo', async () => {
    const { evaluation: own } = await pipeline.load(plain);
    const again = await judge(await asked(plain, setup.now));
    assert.deepEqual(again.split.test, own.split.test);
    assert.equal(again.rows.digest, own.rows.digest);
    assert.deepEqual(again.forecasters[0], own.forecasters[0]);
  });

  it('reads the bar that came after it was asked for, and the same ones when repeated', async () => {
    setup.now = after16('2022-07-15');
    const id = await asked(plain, setup.now);
    setup.now += 5_000;
    await topUp(id);
    const known = setup.now;
    setup.now += 5_000;
    await topUp(id);
    const { datasets, again, split } = await judge(id).then((e) => ({ ...e, ...e.data }));
    assert.equal(datasets[0]!.lastBar.slice(0, 10), '2022-07-15');
    assert.equal(again!.asOf, new Date(known).toISOString());
    // Five sessions before the last bar.
    assert.equal(split.test.to, '2022-07-08');
  });

  it('says which weights answered: those of a refit have no epoch that validation chose', async () => {
    const run = await pipeline.run({ ...ridge, refit: 'trainValid' });
    const { manifest } = await pipeline.load(run);
    const { again, seeds, split } = await judge(await asked(run, setup.now));
    assert.equal(again!.weights, 'refitted');
    const { weightsDigest, bestValidLoss, bestEpoch } = seeds[0]!;
    assert.deepEqual(
      [weightsDigest, bestValidLoss, bestEpoch],
      [manifest.weightsDigest, null, null],
    );
    assert.equal(split.train.samples, manifest.refit!.samples);
  });

  it('says so of a mean of seeds, and gives the figures of that mean', async () => {
    const trees = { family: 'lightgbm', hyperparameters: { rounds: 20 }, seeds: [1, 2, 3] };
    const run = await pipeline.run({ ...ridge, ...trees, serve: 'seedEnsemble' });
    const { evaluation: own } = await pipeline.load(run);
    const bars = Date.parse(own.data.datasets[0]!.lastBar);
    const { again, serve, seeds, forecasters } = await judge(await asked(run, bars + 86_400_000));
    assert.deepEqual([serve, again!.seeds, again!.weights], ['seedEnsemble', [1, 2, 3], 'trained']);
    assert.deepEqual([seeds.length, seeds[0]!.bestEpoch], [1, null]);
    const loss = ({ weightedLoss }: (typeof forecasters)[number]) => weightedLoss.value!;
    assert.ok(Math.abs(loss(forecasters[0]!) / loss(own.forecasters[0]!) - 1) < 1e-6);
  });

  it('names an instrument of which no bar is known', async () => {
    const id = await asked(plain, Date.parse('2010-01-01'));
    const message = 'no bar of SIM-AGAIN was known at 2010-01-01T00:00:00.000Z';
    await assert.rejects(judge(id), { code: 'features.noBars', permanent: true, message });
  });
});
