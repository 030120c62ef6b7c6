/** A refit through the real steps: bars, fits in a training child, evaluation, package, version. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { withoutTensorflow } from '../support/tensorflow.ts';
import { openPipeline, type Pipeline, type PipelineRun } from '../support/pipeline.ts';
import { decodeBundle } from '../../core/models/bundle.ts';
import { fileOrThrow } from '../../core/packages/files.ts';
import type { VerifiedPackage } from '../../core/packages/verify.ts';
import { readEvents } from '../../registry/experiments.ts';
import { getVersionOrThrow } from '../../registry/versions.ts';

const data = { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'], from: '2011-01-01' };
const ridge = { data, lookback: 20, family: 'ridge', baselines: ['naive'], seeds: [1] };

let pipeline: Pipeline;
before(async () => {
  pipeline = await openPipeline();
});
after(() => pipeline.close());

const words =
  /Evaluated by its twin, the same fit without the last (\d+) samples; served refitted through (\S+?)\./;

const cardOf = (pkg: VerifiedPackage): string =>
  new TextDecoder().decode(fileOrThrow(pkg.files, 'card.md'));

/** What card and report say of the refit: how many samples were held out, and through when it reaches. */
async function told(run: PipelineRun, pkg: VerifiedPackage): Promise<void> {
  const { refit, trainedThrough } = pkg.manifest;
  assert.ok(refit);
  const card = cardOf(pkg);
  const report = Buffer.from(await pipeline.artifacts.get(run.evaluation.report!)).toString();
  for (const text of [card, report]) {
    const [, newer, through] = words.exec(text) ?? assert.fail(`no words of a twin in: ${text}`);
    assert.deepEqual([newer, through], [String(refit.newer), trainedThrough.slice(0, 10)]);
  }
}

describe('a refit of a family without epochs', () => {
  let plain: PipelineRun;
  let refitted: PipelineRun;
  before(async () => {
    plain = await pipeline.run(ridge);
    refitted = await pipeline.run({ ...ridge, refit: 'all' });
  });

  it('is evaluated by its twin: the same fit that is served without a refit, and not trained again', async () => {
    assert.equal(plain.refit, undefined);
    assert.deepEqual(
      refitted.fits.map(({ weightsDigest, cached }) => [weightsDigest, cached]),
      plain.fits.map(({ weightsDigest }) => [weightsDigest, true]),
    );
    const [without, with_] = [await pipeline.load(plain), await pipeline.load(refitted)];
    assert.equal(without.manifest.refit, undefined);
    assert.equal(without.evaluation.refit, undefined);
    assert.deepEqual(with_.evaluation.forecasters, without.evaluation.forecasters);
    assert.deepEqual(with_.manifest.refit?.twin, {
      weightsDigest: without.manifest.weightsDigest,
      trainedThrough: without.manifest.trainedThrough,
    });
  });

  it('is fitted on all samples with the penalties its twin chose', async () => {
    const pkg = await pipeline.load(refitted);
    const { manifest, evaluation } = pkg;
    assert.notEqual(manifest.weightsDigest, manifest.refit!.twin.weightsDigest);
    assert.equal(manifest.weightsDigest, refitted.refit!.weightsDigest);
    const summaryOf = async (fit: PipelineRun['fits'][number]) =>
      decodeBundle(await pipeline.artifacts.get(fit.fitted)).summary;
    const [twin, again] = [await summaryOf(refitted.fits[0]!), await summaryOf(refitted.refit!)];
    assert.equal(twin.chosen!['alpha']!.length, 3);
    assert.deepEqual(again.chosen, twin.chosen);
    // The label of the newest sample is known at the last bar there is.
    assert.equal(manifest.trainedThrough, '2018-12-31T00:00:00.000Z');
    assert.deepEqual(evaluation.refit, {
      part: 'all',
      samples: manifest.refit!.samples,
      newer: manifest.refit!.newer,
      trainedThrough: manifest.trainedThrough,
    });
    assert.ok(evaluation.split.trainedThrough < manifest.trainedThrough);
    const row = await getVersionOrThrow(pipeline.db, refitted.model, refitted.version);
    assert.equal(row.trained_through?.toISOString(), manifest.trainedThrough);
  });

  it('scales by the statistics of its own rows', async () => {
    const [without, with_] = [await pipeline.load(plain), await pipeline.load(refitted)];
    assert.notDeepEqual(with_.preprocessing.scalers, without.preprocessing.scalers);
    assert.notDeepEqual(with_.golden.labelSd, without.golden.labelSd);
  });

  it('says so in card, report and warnings', async () => {
    const pkg = await pipeline.load(refitted);
    await told(refitted, pkg);
    assert.ok(
      pkg.evaluation.notTested.some((text) => /figures are those of their twin/.test(text)),
    );
    assert.doesNotMatch(cardOf(await pipeline.load(plain)), /twin/);
  });

  it('is the same, found by content, when it is asked for again; trainValid is another one', async () => {
    const again = await pipeline.run({ ...ridge, refit: 'all' });
    assert.equal(again.refit!.cached, true);
    assert.equal(again.refit!.weightsDigest, refitted.refit!.weightsDigest);
    const valid = await pipeline.run({ ...ridge, refit: 'trainValid' });
    assert.equal(valid.refit!.cached, false);
    assert.notEqual(valid.refit!.weightsDigest, refitted.refit!.weightsDigest);
    const { manifest, evaluation } = await pipeline.load(valid);
    assert.equal(manifest.trainedThrough, evaluation.split.trainedThrough, 'no test row is used');
    await told(valid, await pipeline.load(valid));
  });
});

describe('a refit of the network', { skip: withoutTensorflow }, () => {
  const network = {
    ...ridge,
    family: 'lstm-multi-horizon',
    seeds: [1, 2, 3],
    hyperparameters: {
      ...{ units: [8], dense: [8], branch: 4, epochs: 4, batchSize: 128 },
      ...{ learningRate: 0.02, earlyStopping: { patience: 1 } },
    },
    confidence: { method: 'directional', samples: 20 },
  };

  it('repeats the median seed for the epochs its twin kept, and keeps the calibration of the twin', async () => {
    const plain = await pipeline.run(network);
    const refitted = await pipeline.run({ ...network, refit: 'all' });
    const { servedSeed } = refitted.evaluation;
    const twin = refitted.fits.find(({ seed }) => seed === servedSeed)!;
    const again = refitted.refit!;
    assert.deepEqual([again.seed, again.epochsRun], [servedSeed, twin.bestEpoch]);
    assert.notEqual(again.weightsDigest, twin.weightsDigest);
    const [without, with_] = [await pipeline.load(plain), await pipeline.load(refitted)];
    assert.deepEqual(with_.preprocessing.confidence, without.preprocessing.confidence);
    assert.match(
      cardOf(with_),
      /calibrated on the validation part only, by the forecasts of the twin/,
    );
    await told(refitted, with_);
    const epochs = await readEvents(pipeline.db, refitted.experimentId, { kind: 'epoch' });
    const own = epochs.filter(({ stage }) => stage === 'refit');
    assert.deepEqual(
      own.map(({ seed, payload }) => [seed, payload['epoch'], payload['validLoss']]),
      Array.from({ length: twin.bestEpoch }, (_, i) => [servedSeed, i + 1, undefined]),
    );
    const version = await getVersionOrThrow(pipeline.db, refitted.model, refitted.version);
    assert.equal(version.trained_through?.toISOString(), with_.manifest.trainedThrough);
  });
});
