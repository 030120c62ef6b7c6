import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { calendarFor } from '../../core/calendar/index.ts';
import { featureSetOf } from '../../core/features/index.ts';
import { prepareUnit } from '../../core/features/prepare.ts';
import { runFitJob } from '../../core/models/fit-job.impl.ts';
import { openSession } from '../../core/onnx/session.impl.ts';
import { openMonteCarlo, openPackage, predict, windowFromBars } from '../../core/predict/index.ts';
import { sp500 } from '../support/example-bars.ts';
import { fitContext } from '../support/fit-context.ts';
import { openPackagingFixture, type PackagingFixture } from '../support/packaging-fixture.ts';
import { testSpec } from '../support/registry-facts.ts';

const calendar = calendarFor('nyse');
const openers = { openSession, openMonteCarlo: openMonteCarlo(openSession) };

let fixture: PackagingFixture;
before(async () => {
  fixture = await openPackagingFixture();
});
after(() => fixture.close());

test('a package of declared columns, robust scaler and bounded outliers is whole by itself', async () => {
  const spec = testSpec({
    features: [
      { indicator: 'rsi', period: 14, lags: [0, 1, 5] },
      { indicator: 'ema', period: 50, overClose: true },
      { indicator: 'logReturn', rolling: { statistic: 'zScore', period: 30 } },
    ],
    training: {
      outliers: {
        features: { kind: 'winsorize', lower: 0.01, upper: 0.99 },
        labels: { kind: 'clipSd', sds: 3 },
      },
    },
    confidence: { method: 'none' },
  });
  const bars = sp500();
  const { prepared } = prepareUnit(
    {
      set: featureSetOf(spec.features),
      lookback: 20,
      label: { kind: 'forwardLogReturn', horizons: [7, 14, 30] },
      split: { kind: 'chronological', ratios: [0.7, 0.15, 0.15], purge: 'auto', embargo: 'auto' },
      scaling: { features: 'robust', labels: 'standard' },
      timeframe: '1d',
      calendar,
      missing: 'ffill',
      outliers: spec.training!.outliers,
    },
    [bars],
  );
  const job = { family: 'ridge', params: {}, seed: 1, prepared, multiplyByClose: false };
  const bundle = await runFitJob(job, fitContext(prepared));
  const packaged = await fixture.run(await fixture.inputOf(bundle, prepared, spec));
  const verified = await fixture.load(packaged);
  assert.deepEqual(
    verified.manifest.featureColumns,
    'columns' in spec.features && spec.features.columns,
  );
  assert.deepEqual(verified.preprocessing.trainingOutliers, prepared.outliers);
  assert.deepEqual(verified.preprocessing.scalers.features, prepared.scalers.features);

  // Nothing but the package says what its columns are.
  const pkg = await openPackage(verified, openers);
  const asOf = calendar.closeTime(Date.parse('2008-10-15'), '1d');
  const window = windowFromBars(verified, bars, { asOf });
  const end = prepared.openTime.indexOf(window.asOf);
  const width = prepared.featureNames.length;
  const seen = prepared.features.slice((end - 19) * width, (end + 1) * width);
  assert.deepEqual(window.values, seen);
  const answer = await predict(pkg, bars, { asOf, confidence: 'none' });
  assert.ok(answer.horizons.every(({ price }) => price > 300 && price < 6000));
  await pkg.release();
});
