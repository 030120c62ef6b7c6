/** Splits with several folds through the real steps: bars, fits in a training child, evaluation, package, version. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { decodeTestRows } from '../../core/evaluation/index.ts';
import { fileOrThrow } from '../../core/packages/files.ts';
import { readEvents } from '../../registry/experiments.ts';
import { openPipeline, type Pipeline, type PipelineRun } from '../support/pipeline.ts';

const data = { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'], from: '2011-01-01' };
const label = { horizons: [1, 5] };
const ridge = { data, label, lookback: 20, family: 'ridge', baselines: ['naive'], seeds: [1] };
const sizes = { trainBars: 500, validBars: 100, testBars: 120 };
const rolling = { kind: 'walkForward', mode: 'rolling', folds: 3, ...sizes };

let pipeline: Pipeline;
before(async () => {
  pipeline = await openPipeline();
});
after(() => pipeline.close());

async function testRowsOf(run: PipelineRun) {
  return decodeTestRows(await pipeline.artifacts.get(run.evaluation.testRows!));
}

const reportOf = async (run: PipelineRun): Promise<string> =>
  Buffer.from(await pipeline.artifacts.get(run.evaluation.report!)).toString();

describe('a rolling walk-forward', () => {
  let run: PipelineRun;
  let alone: PipelineRun;
  before(async () => {
    run = await pipeline.run({ ...ridge, split: rolling });
    alone = await pipeline.run({ ...ridge, split: { kind: 'recent', ...sizes } });
  });

  it('serves the fit of the newest fold, which is that of the recent split, from its cache', async () => {
    assert.equal(run.folds.length, 2);
    assert.deepEqual(
      alone.fits.map(({ weightsDigest, cached }) => [weightsDigest, cached]),
      run.fits.map(({ weightsDigest }) => [weightsDigest, true]),
    );
    const [walked, recent] = [await pipeline.load(run), await pipeline.load(alone)];
    assert.equal(walked.manifest.weightsDigest, recent.manifest.weightsDigest);
    assert.equal(walked.manifest.trainedThrough, recent.manifest.trainedThrough);
    assert.deepEqual(walked.evaluation.split, recent.evaluation.split);
  });

  it('judges all test parts together, each row by the fold that had not seen it', async () => {
    const rows = await testRowsOf(run);
    assert.equal(rows.openTime.length, 360);
    assert.deepEqual(
      [...rows.openTime],
      [...rows.openTime].toSorted((a, b) => a - b),
    );
    const newest = await testRowsOf(alone);
    assert.deepEqual(rows.predictions.subarray(-240), newest.predictions);
    const { evaluation } = await pipeline.load(run);
    assert.equal(evaluation.rows.rows, 360);
    // The oldest fold's rows are what an experiment of that day would have been told.
    const digests = new Set(run.folds.map(({ fits }) => fits[0]!.weightsDigest));
    assert.equal(digests.size, 2);
    assert.ok(!digests.has(run.fits[0]!.weightsDigest));
  });

  it('says how the folds differ, in the report, the card and the evaluation', async () => {
    const pkg = await pipeline.load(run);
    const { folds, weightedLoss } = {
      folds: pkg.evaluation.folds!,
      weightedLoss: pkg.evaluation.forecasters[0]!.weightedLoss.value!,
    };
    assert.deepEqual(
      folds.map(({ test, learntLater }) => [test.samples, learntLater]),
      [120, 120, 120].map((samples) => [samples, false]),
    );
    const mean = folds.reduce((sum, fold) => sum + fold.weightedLoss!, 0) / 3;
    assert.ok(Math.abs(mean - weightedLoss) < 1e-12, 'parts of one size average to the whole');
    assert.match(await reportOf(run), /<h3>Folds<\/h3>/);
    const card = new TextDecoder().decode(fileOrThrow(pkg.files, 'card.md'));
    assert.match(card, /Skill over 3 folds: mean [+-]\d/);
    assert.match(card, /240 of the 360 test rows: they were forecast by its twins of older folds/);
  });

  it('tells its older folds apart in the record of what happened', async () => {
    const notes = await readEvents(pipeline.db, alone.experimentId, { kind: 'stage' });
    assert.ok(notes.every(({ payload }) => !('folds' in (payload as object))));
    const [built] = await readEvents(pipeline.db, run.experimentId, { kind: 'stage' }).then((all) =>
      all.filter(({ stage }) => stage === 'features'),
    );
    assert.equal((built!.payload as { folds?: number }).folds, 3);
  });
});

describe('a purged k-fold', () => {
  let run: PipelineRun;
  before(async () => {
    run = await pipeline.run({
      ...ridge,
      split: { kind: 'purgedKFold', folds: 3 },
      refit: 'all',
    });
  });

  it('tests every sample once, says which folds had hindsight, and serves a refit of the newest', async () => {
    const { evaluation, manifest } = await pipeline.load(run);
    const { folds, refit } = evaluation;
    assert.deepEqual(
      folds!.map(({ learntLater }) => learntLater),
      [true, true, false],
    );
    assert.equal(refit!.samples, evaluation.rows.rows, 'the refit takes what was tested');
    assert.ok(
      evaluation.notTested.some((text) => text.startsWith('Hindsight of fits: 2 of 3 folds')),
    );
    assert.equal(manifest.refit!.twin.weightsDigest, run.fits[0]!.weightsDigest);
    assert.match(await reportOf(run), /served weights are a refit of the newest fold/);
    const rows = await testRowsOf(run);
    assert.equal(new Set(rows.openTime).size, rows.openTime.length);
  });
});
