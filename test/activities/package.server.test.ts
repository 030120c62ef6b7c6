import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sliceBars } from '../../core/bars/bars.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { RatchetError } from '../../core/errors.ts';
import { featureSetOrThrow } from '../../core/features/index.ts';
import { prepareUnit } from '../../core/features/prepare.ts';
import type { Prepared } from '../../core/features/prepared.ts';
import type { FitBundle } from '../../core/models/bundle.ts';
import { buildMonteCarloGraph } from '../../core/onnx/monte-carlo.ts';
import { buildForecasterGraph } from '../../core/onnx/networks.ts';
import { openSession } from '../../core/onnx/session.impl.ts';
import { dissimilarityOf, openMonteCarlo, openPackage, predict } from '../../core/predict/index.ts';
import { readEvents } from '../../registry/experiments.ts';
import { sp500 } from '../support/example-bars.ts';
import { randomNetwork, referenceForecast } from '../support/lstm-network.ts';
import { openPackagingFixture, quietEnvironment } from '../support/packaging-fixture.ts';
import type { PackagingFixture } from '../support/packaging-fixture.ts';
import { testSpec } from '../support/registry-facts.ts';

const LOOKBACK = 10;
const HORIZONS = [7, 14, 30];
const calendar = calendarFor('nyse');
const bars = sp500();
const recent = sliceBars(bars, bars.openTime.length - 1500);

let fixture: PackagingFixture;
let prepared: Prepared;

before(async () => {
  fixture = await openPackagingFixture();
  prepared = prepareUnit(
    {
      set: featureSetOrThrow('technical-152'),
      lookback: LOOKBACK,
      label: { kind: 'forwardLogReturn', horizons: HORIZONS },
      split: { kind: 'chronological', ratios: [0.7, 0.15, 0.15], purge: 'auto', embargo: 'auto' },
      scaling: { features: 'minmax', labels: 'minmax' },
      timeframe: '1d',
      calendar,
      missing: 'ffill',
    },
    [recent],
  ).prepared;
});
after(() => fixture.close());

/** A fit whose "trained model" is plain float64 arithmetic: independent of the graph under test. */
function bundleOf(change: (predictions: Float64Array) => Float64Array = (y) => y): FitBundle {
  const shape = {
    lookback: LOOKBACK,
    features: prepared.featureNames.length,
    units: [6, 6],
    dense: [8],
    branch: 6,
    horizons: HORIZONS,
    rates: { dropout: 0.2, recurrentDropout: 0.2 },
  };
  const { weights, ctx: random } = randomNetwork('fit', shape);
  const { featureNames, scalers } = prepared;
  const context = { ...random, featureNames, scalers };
  const rows = prepared.split.valid.subarray(0, 8);
  const width = featureNames.length;
  const predictions = Array.from(rows, (row) => [
    ...referenceForecast(
      weights,
      context,
      prepared.features.subarray((row - LOOKBACK + 1) * width, (row + 1) * width),
    ),
  ]);
  return {
    family: 'lstm-multi-horizon',
    params: {},
    seed: 2,
    summary: {
      epochsRun: 1,
      bestEpoch: 1,
      bestValidLoss: 1,
      weightsDigest: 'ab'.repeat(32),
      history: [],
    },
    weights: new Uint8Array(8),
    graphs: {
      model: buildForecasterGraph(weights, context),
      monteCarlo: buildMonteCarloGraph(weights, context),
    },
    context,
    probes: { rows, predictions: change(Float64Array.from(predictions.flat())) },
    equality: { maxRelative: 1e-7, rows: rows.length },
    libraries: { tensorflow: '2.21.0' },
  };
}

test('a fit becomes a package that loads, opens, and predicts from the newest bars', async () => {
  const input = await fixture.inputOf(bundleOf(), prepared);
  const result = await fixture.run(input);
  assert.equal(result.manifest.sha256, result.packageDigest);
  const verified = await fixture.load(result);
  const { manifest, preprocessing } = verified;
  assert.deepEqual(
    [manifest.seed, manifest.datasetHash, manifest.version, manifest.libraries],
    [2, 'cd'.repeat(32), result.version, { tensorflow: '2.21.0' }],
  );
  assert.equal(manifest.trainedThrough, new Date(prepared.trainedThrough).toISOString());
  assert.equal(manifest.workflowId, `experiment/${input.experimentId}`);
  assert.equal(preprocessing.confidence.byHorizon.length, 3);
  for (const horizon of preprocessing.confidence.byHorizon) {
    assert.ok(horizon.intervalQuantile > 0 && horizon.minSd > 0);
  }
  const openers = { openSession, openMonteCarlo: openMonteCarlo(openSession) };
  const pkg = await openPackage(verified, openers);
  const asOf = calendar.closeTime(bars.openTime.at(-1)!, '1d') + 1;
  const answer = await predict(pkg, bars, { asOf, confidence: 'mc' });
  await pkg.release();
  assert.deepEqual(
    answer.horizons.map(({ horizon }) => horizon),
    HORIZONS,
  );
  const card = new TextDecoder().decode(verified.files.get('card.md'));
  assert.match(card, /# index-gspc, version 1/);
  assert.match(card, /80 % interval held \d+\.\d % at 7 bars/);
  assert.match(card, /\| train \| \d+ \| 1999/);
});

test('serving sees the very features that training saw', async () => {
  const bundle = bundleOf();
  const result = await fixture.run(await fixture.inputOf(bundle, prepared));
  const verified = await fixture.load(result);
  const openers = { openSession, openMonteCarlo: openMonteCarlo(openSession) };
  // A random network goes beyond what its labels make plausible; that is not what is looked at here.
  const { plausible: _range, ...preprocessing } = verified.preprocessing;
  const pkg = await openPackage({ ...verified, preprocessing }, openers);
  const session = await openSession(bundle.graphs.model);
  const width = prepared.featureNames.length;
  for (const row of prepared.split.test.filter((_, i) => i % 40 === 0)) {
    const openTime = prepared.openTime[row]!;
    const window = prepared.features.slice((row - LOOKBACK + 1) * width, (row + 1) * width);
    const x = { data: window, dims: [1, LOOKBACK, width] };
    const y = await session.run({ x });
    // From bars up to that row only, as serving would have had them.
    const asOf = calendar.closeTime(openTime, '1d');
    const answer = await predict(pkg, recent, { asOf, confidence: 'none', fromFirstBar: true });
    assert.equal(answer.asOf, new Date(openTime).toISOString());
    assert.deepEqual(
      answer.horizons.map(({ change }) => change),
      [...y].map(Math.expm1),
    );
  }
  await Promise.all([session.release(), pkg.release()]);
});

test('a package holds what makes an answer abstain, from the training part alone', async () => {
  const serving = { abstain: true, minConfidence: 0.4 };
  const spec = testSpec({ confidence: { method: 'directional', samples: 20 }, serving });
  const result = await fixture.run(await fixture.inputOf(bundleOf(), prepared, spec));
  const { outliers, preprocessing } = await fixture.load(result);
  assert.deepEqual(preprocessing.abstain, { minConfidence: 0.4 });
  const { train } = prepared.split;
  assert.equal(outliers!.trainRows, train.length);
  const width = prepared.featureNames.length;
  const indexAt = (row: number): number =>
    dissimilarityOf(outliers!, prepared.features.slice(row * width, (row + 1) * width));
  for (const row of train) assert.ok(indexAt(row) < 1e-4, `training row ${row}`);
  const tested = prepared.split.test.filter((_, i) => i % 10 === 0);
  for (const row of tested) assert.ok(indexAt(row) > 0.1, `test row ${row}`);
  preprocessing.plausible!.byHorizon.forEach(({ low, high }, k) => {
    const sd = Math.sqrt(prepared.trainLabelVariance[k]!);
    assert.ok(Math.abs((high - low) / sd / 16 - 1) < 1e-12);
    assert.ok(Math.abs((high + low) / 2 - prepared.trainLabelMean[k]!) < 1e-12);
  });
});

test('a repeat gives the same version and the same bytes, cached or computed again', async () => {
  const input = await fixture.inputOf(bundleOf(), prepared);
  const first = await fixture.run(input);
  assert.deepEqual(await fixture.run(input), first, 'from the step cache');
  await fixture.database.db.deleteFrom('step_cache').where('step', '=', 'package').execute();
  assert.deepEqual(await fixture.run(input), first, 'computed again');
  const events = await readEvents(fixture.database.db, input.experimentId, { limit: 50 });
  assert.equal(events.filter(({ stage }) => stage === 'package').length, 1);
});

test('a graph that is not the trained model is refused for good, and nothing is stored', async () => {
  const changes: ((y: Float64Array) => Float64Array)[] = [
    (y) => y.map((v) => v + 2e-5 * Math.max(Math.abs(v), 0.05)),
    (y) => y.map((v, i) => (i === 23 ? NaN : v)),
    (y) => y.subarray(0, 21),
  ];
  for (const change of changes) {
    const input = await fixture.inputOf(bundleOf(change), prepared);
    const before = await fixture.database.db.selectFrom('package_signature').selectAll().execute();
    await assert.rejects(fixture.run(input), (error: unknown) => {
      assert.ok(error instanceof RatchetError);
      assert.deepEqual([error.code, error.permanent], ['package.not-equal', true]);
      return true;
    });
    const stored = await fixture.database.db.selectFrom('package_signature').selectAll().execute();
    assert.equal(stored.length, before.length);
  }
});

test('a fit without probes proves nothing', async () => {
  const bundle = bundleOf();
  const none = { rows: new Int32Array(0), predictions: new Float64Array(0) };
  const input = await fixture.inputOf({ ...bundle, probes: none }, prepared);
  await assert.rejects(fixture.run(input), { code: 'package.not-equal' });
});

test('a spec without confidence gives a package without Monte-Carlo graph', async () => {
  const spec = testSpec({ confidence: { method: 'none' } });
  const result = await fixture.run(await fixture.inputOf(bundleOf(), prepared, spec));
  const verified = await fixture.load(result);
  assert.equal(verified.monteCarlo, undefined);
  assert.equal(verified.preprocessing.confidence.method, 'none');
});

test('a damaged fit is refused', async () => {
  const input = await fixture.inputOf(bundleOf(), prepared);
  const bytes = Uint8Array.from(await fixture.artifacts.get(input.fit.fitted));
  bytes[bytes.length >> 1]! ^= 1;
  const fitted = await fixture.artifacts.put(bytes);
  await assert.rejects(fixture.run({ ...input, fit: { ...input.fit, fitted } }), {
    code: 'bytes.corrupt',
  });
});

test('cancelled while it samples: it stops, and a new attempt makes the same package', async () => {
  const input = await fixture.inputOf(bundleOf(), prepared);
  const environment = quietEnvironment();
  let beats = 0;
  environment.on('heartbeat', () => {
    if (++beats === 20) environment.cancel();
  });
  await assert.rejects(fixture.run(input, environment), /CANCELLED|cancel/i);
  const result = await fixture.run(input);
  await fixture.load(result);
});
