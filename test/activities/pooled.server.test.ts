/** `fit: pooled` with scaling per instrument, through the real steps up to answers. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { forecastRows } from '../../activities/forecast-rows.ts';
import type { Bars } from '../../core/bars/bars.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { decodeBundle } from '../../core/models/bundle.ts';
import { openSession } from '../../core/onnx/session.impl.ts';
import { openPackage, predict } from '../../core/predict/index.ts';
import { nasdaq, sp500 } from '../support/example-bars.ts';
import { openers } from '../support/opened-package.ts';
import { openPipeline, type Pipeline, type PipelineRun } from '../support/pipeline.ts';
import { withoutTensorflow } from '../support/tensorflow.ts';

const ids = ['^GSPC', '^IXIC'];
const pooled = {
  model: 'indices',
  fit: 'pooled',
  data: { sources: [{ dataset: 'index-daily' }], instruments: ids, from: '2011-01-01' },
  label: { horizons: [1, 5] },
  lookback: 20,
  family: 'ridge',
  baselines: ['naive'],
  seeds: [1],
};
const network = {
  ...pooled,
  family: 'lstm-multi-horizon',
  hyperparameters: {
    ...{ units: [8], dense: [8], branch: 4, epochs: 2, batchSize: 128 },
    ...{ lossWeights: [0.5, 0.5], learningRate: 0.02 },
  },
  confidence: { method: 'directional', samples: 20 },
};

let pipeline: Pipeline;
before(async () => {
  pipeline = await openPipeline();
});
after(() => pipeline.close());

const asOf = (bars: Bars): number =>
  calendarFor('nyse').closeTime(bars.openTime.at(-1)!, '1d') + 60_000;

describe('a pool scaled by instrument', () => {
  let run: PipelineRun;
  before(async () => {
    run = await pipeline.run(pooled);
  });

  it('has a graph that asks for the instrument, tables of scalers in it, and probes that name it', async () => {
    const { preprocessing, golden, manifest, files } = await pipeline.load(run);
    assert.deepEqual(manifest.instruments, ids);
    assert.equal(preprocessing.instrumentScalers?.length, 2);
    assert.notDeepEqual(preprocessing.instrumentScalers[0], preprocessing.instrumentScalers[1]);
    // Those of all, not what is left for the family once each is scaled: nothing.
    assert.notEqual(preprocessing.scalers.labels.kind, 'none');
    assert.equal(golden.instrument?.length, golden.close.length);
    assert.deepEqual(new Set(golden.instrument), new Set([0, 1]), 'probes of both');
    const card = new TextDecoder().decode(files.get('card.md'));
    assert.match(card, /'instrument': instrument/);
    assert.match(card, /place in \["\^GSPC","\^IXIC"\]/);
  });

  it('answers for each from its own scalers: what training said, whoever asks', async () => {
    const opened = await openPackage(await pipeline.load(run), openers);
    try {
      const answers = [];
      for (const bars of [sp500(), nasdaq()]) {
        const options = { asOf: asOf(bars), confidence: 'none', fromFirstBar: true } as const;
        answers.push(await predict(opened, bars, options));
      }
      assert.deepEqual(
        answers.map(({ instrument }) => instrument),
        ids,
      );
      // The same window as if it were of the other instrument is answered otherwise.
      const renamed = { ...sp500(), instrument: '^IXIC' };
      const options = { asOf: asOf(renamed), confidence: 'none', fromFirstBar: true } as const;
      const other = await predict(opened, renamed, options);
      assert.notEqual(other.horizons[0]!.change, answers[0]!.horizons[0]!.change);
    } finally {
      await opened.release();
    }
  });

  it('is evaluated by instrument too, against what each trained on', async () => {
    const { evaluation } = await pipeline.load(run);
    const slices = evaluation.slices!.slices.filter(({ by }) => by === 'instrument');
    assert.deepEqual(
      slices.map(({ name }) => name),
      ids,
    );
    assert.ok(slices.every(({ rows }) => rows > 100));
    const report = Buffer.from(await pipeline.artifacts.get(run.evaluation.report!)).toString();
    for (const id of ids) assert.ok(report.includes(id));
  });

  it('one scaler for all where the spec says so; a family that needs none reads raw values', async () => {
    const unit = await pipeline.run({ ...pooled, scaling: { per: 'unit' } });
    const { preprocessing, golden } = await pipeline.load(unit);
    assert.equal(preprocessing.instrumentScalers, undefined);
    assert.equal(golden.instrument, undefined);
    assert.notEqual(unit.fits[0]!.weightsDigest, run.fits[0]!.weightsDigest);
    const naive = await pipeline.run({ ...pooled, family: 'naive', baselines: [] });
    assert.equal((await pipeline.load(naive)).preprocessing.instrumentScalers, undefined);
  });

  it('a graph goes by its own order of instruments, and says nothing of one it does not know', async () => {
    const { graphs, context } = decodeBundle(await pipeline.artifacts.get(run.fits[0]!.fitted));
    const session = await openSession(graphs.model);
    const features = Float64Array.from({ length: 20 * 152 * 3 }, (_, i) => Math.sin(i) / 100);
    const source = (positions: readonly number[]) => ({
      features,
      featureCount: context.featureNames.length,
      close: new Float64Array(60).fill(1),
      instruments: positions.map((position, i) => ({ from: 20 * i, to: 20 * i + 20, position })),
    });
    const options = { lookback: 20, outputs: 2, onChunk: () => {} };
    const rows = Int32Array.of(19, 39, 59);
    try {
      const inOrder = await forecastRows(session, source([0, 1, -1]), rows, options);
      const swapped = await forecastRows(session, source([1, 0, -1]), rows, options);
      assert.ok(inOrder.subarray(4).every(Number.isNaN));
      assert.ok(inOrder.subarray(0, 4).every((v, i) => v !== swapped[i]));
    } finally {
      await session.release();
    }
  });
});

describe('a pooled network', { skip: withoutTensorflow }, () => {
  it('samples each window by its instrument, as a mean of seeds over two folds as well', async () => {
    const run = await pipeline.run({
      ...network,
      seeds: [1, 2],
      serve: 'seedEnsemble',
      refit: 'all',
      split: { kind: 'walkForward', folds: 2, validBars: 120, testBars: 150 },
    });
    const pkg = await pipeline.load(run);
    assert.equal(pkg.preprocessing.instrumentScalers?.length, 2);
    assert.equal(pkg.evaluation.folds?.length, 2);
    assert.equal(pkg.evaluation.rows.rows, 2 * pkg.evaluation.rows.timeStamps);
    const opened = await openPackage(pkg, openers);
    try {
      const answers = [];
      for (const bars of [sp500(), nasdaq()]) {
        const options = { asOf: asOf(bars), confidence: 'mc', fromFirstBar: true } as const;
        answers.push((await predict(opened, bars, options)).horizons[0]!);
      }
      assert.ok(answers.every(({ confidence, interval80 }) => confidence !== null && interval80));
    } finally {
      await opened.release();
    }
  });
});
