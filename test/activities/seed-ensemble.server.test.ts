/** `serve: seedEnsemble` through the real steps: what is judged, packaged and answers is the mean of all seeds. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { decodeTestRows, meanForecast } from '../../core/evaluation/index.ts';
import { decodeBundle, type FitBundle } from '../../core/models/bundle.ts';
import { openSession } from '../../core/onnx/session.impl.ts';
import { decodeFloat64, windowInputs } from '../../core/packages/golden.ts';
import { openPackage } from '../../core/predict/index.ts';
import type { FitResult } from '../../activities/contracts.ts';
import { openers } from '../support/opened-package.ts';
import { openPipeline, type Pipeline, type PipelineRun } from '../support/pipeline.ts';
import { withoutTensorflow } from '../support/tensorflow.ts';

const network = {
  data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'], from: '2011-01-01' },
  label: { horizons: [1, 5] },
  lookback: 20,
  family: 'lstm-multi-horizon',
  baselines: ['naive'],
  seeds: [4, 2, 7],
  serve: 'seedEnsemble',
  hyperparameters: {
    ...{ units: [8], dense: [8], branch: 4, epochs: 2, batchSize: 128 },
    ...{ lossWeights: [0.5, 0.5], learningRate: 0.02 },
  },
  confidence: { method: 'directional', samples: 20 },
};

describe('an ensemble of seeds', { skip: withoutTensorflow }, () => {
  let pipeline: Pipeline;
  let run: PipelineRun;
  before(async () => {
    pipeline = await openPipeline();
    run = await pipeline.run(network);
  });
  after(() => pipeline.close());

  const bundlesOf = async (fits: readonly FitResult[]): Promise<FitBundle[]> => {
    const bundles: FitBundle[] = [];
    for (const { fitted } of fits) bundles.push(decodeBundle(await pipeline.artifacts.get(fitted)));
    return bundles;
  };

  /** What each fit's own graph says of the golden windows of a package, averaged. */
  async function meanOnGolden(golden: { readonly windows: string }, fits: readonly FitResult[]) {
    const windows = decodeFloat64(golden.windows);
    const answers: Float64Array[] = [];
    for (const { graphs, context } of await bundlesOf(fits)) {
      const session = await openSession(graphs.model);
      const shape = { lookback: context.lookback, features: context.featureNames.length };
      answers.push(await session.run(windowInputs(session, shape, windows, () => 1)));
      await session.release();
    }
    return meanForecast(answers);
  }

  it('is one forecast: judged by its own loss, without a spread over seeds', async () => {
    const { evaluation, manifest } = await pipeline.load(run);
    assert.equal(evaluation.serve, 'seedEnsemble');
    assert.equal(evaluation.seeds.length, 3);
    for (const { seeds, seedVariance } of evaluation.comparisons) {
      assert.deepEqual([seeds, seedVariance], [1, 0]);
    }
    assert.deepEqual(manifest.seeds, network.seeds);
    assert.ok(network.seeds.includes(manifest.seed));
    const report = Buffer.from(await pipeline.artifacts.get(run.evaluation.report!)).toString();
    assert.match(report, /What is served is the mean of all seeds/);
  });

  it('packages the mean in one graph, and its samples, which a replica opens and probes', async () => {
    const pkg = await pipeline.load(run);
    const opened = await openPackage(pkg, openers);
    try {
      assert.ok(opened.monteCarlo, 'confidence is that of the mean');
    } finally {
      await opened.release();
    }
    assert.deepEqual(
      Float64Array.from(pkg.golden.expected.flat()),
      await meanOnGolden(pkg.golden, run.fits),
    );
    const [bundle] = await bundlesOf(run.fits);
    assert.equal(
      pkg.preprocessing.confidence.noiseWidth,
      3 * bundle!.graphs.monteCarlo!.noiseWidth,
    );
    const card = new TextDecoder().decode(pkg.files.get('card.md'));
    assert.match(card, /mean of seeds 4, 2, 7/);
  });

  it('keeps the mean on the test rows as the history that drift is measured against', async () => {
    const rows = decodeTestRows(await pipeline.artifacts.get(run.evaluation.testRows!));
    const { evaluation } = await pipeline.load(run);
    const loss = rows.weightedLoss.reduce((a, b) => a + b, 0) / rows.weightedLoss.length;
    assert.ok(Math.abs(loss - evaluation.forecasters[0]!.weightedLoss.value!) < 1e-12);
  });

  it('refits every seed, and serves the mean of the refits', async () => {
    const refitted = await pipeline.run({ ...network, refit: 'all' });
    const pkg = await pipeline.load(refitted);
    assert.equal(refitted.refits.length, 3);
    assert.deepEqual(
      Float64Array.from(pkg.golden.expected.flat()),
      await meanOnGolden(pkg.golden, refitted.refits),
    );
    const plain = await pipeline.load(run);
    assert.equal(pkg.manifest.refit!.twin.weightsDigest, plain.manifest.weightsDigest);
    assert.deepEqual(pkg.preprocessing.confidence, plain.preprocessing.confidence);
  });
});
