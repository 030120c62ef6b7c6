import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { calendarFor } from '../../core/calendar/index.ts';
import { featureSetOrThrow } from '../../core/features/index.ts';
import { prepareUnit } from '../../core/features/prepare.ts';
import type { Prepared } from '../../core/features/prepared.ts';
import { runFitJob } from '../../core/models/fit-job.impl.ts';
import { openSession } from '../../core/onnx/session.impl.ts';
import { openMonteCarlo, openPackage, predict } from '../../core/predict/index.ts';
import { sp500 } from '../support/example-bars.ts';
import { fitContext } from '../support/fit-context.ts';
import { openPackagingFixture, type PackagingFixture } from '../support/packaging-fixture.ts';
import { testSpec } from '../support/registry-facts.ts';
import { withoutTensorflow } from '../support/tensorflow.ts';
import { withoutTrees } from '../support/without-trees.ts';

const calendar = calendarFor('nyse');
const bars = sp500();
const openers = { openSession, openMonteCarlo: openMonteCarlo(openSession) };

let fixture: PackagingFixture;
before(async () => {
  fixture = await openPackagingFixture();
});
after(() => fixture.close());

const prepare = (label: { kind: string; horizons: number[] }): Prepared =>
  prepareUnit(
    {
      set: featureSetOrThrow('technical-152'),
      lookback: 12,
      label,
      split: { kind: 'chronological', ratios: [0.7, 0.15, 0.15], purge: 'auto', embargo: 'auto' },
      scaling: { features: 'standard', labels: 'none' },
      timeframe: '1d',
      calendar,
      missing: 'ffill',
    },
    [bars],
  ).prepared;

const lstm = { units: [12], epochs: 2, batchSize: 128 };
const cases = [
  { family: 'lstm-classifier', kind: 'threeClass', params: lstm, skip: withoutTensorflow },
  {
    family: 'hybrid-lstm-lightgbm',
    kind: 'threeClass',
    params: { lstm, trees: { rounds: 30 } },
    skip: withoutTensorflow || withoutTrees,
  },
  {
    family: 'hybrid-lstm-lightgbm',
    kind: 'binaryForwardReturn',
    params: { lstm, trees: { rounds: 30 } },
    skip: withoutTensorflow || withoutTrees,
  },
  { family: 'logistic', kind: 'tripleBarrier', params: { penalties: [1000] }, skip: false },
  { family: 'majority', kind: 'threeClass', params: {}, skip: false },
];

for (const { family, kind, params, skip } of cases) {
  test(
    `a trained ${family} on ${kind} equals its package and serves real windows`,
    { skip },
    async () => {
      const label = { kind, horizons: [5, 10] };
      const prepared = prepare(label);
      const job = { family, params, seed: 1, prepared, multiplyByClose: false };
      const bundle = await runFitJob(job, fitContext(prepared));
      const spec = testSpec({ label, family, confidence: { method: 'probability' } });
      const input = await fixture.inputOf(bundle, prepared, spec);
      const verified = await fixture.load(await fixture.run(input));
      assert.equal(verified.files.has('trees.bin'), bundle.native !== undefined);
      const pkg = await openPackage(verified, openers);
      const asOf = calendar.closeTime(Date.parse('2017-11-01'), '1d');
      const answer = await predict(pkg, bars, { asOf, confidence: 'mc' });
      assert.deepEqual(
        answer.horizons.map(({ horizon }) => horizon),
        [5, 10],
      );
      for (const { classes, change, price, confidence } of answer.horizons) {
        const shares = Object.values(classes!.probabilities);
        assert.ok(Math.abs(shares.reduce((a, b) => a + b, 0) - 1) < 1e-9);
        assert.equal(classes!.probabilities[classes!.class], Math.max(...shares));
        assert.ok(Math.abs(price - answer.lastClose * (1 + change)) < 1e-6);
        assert.ok(confidence! >= 0.1 && confidence! <= 0.9);
      }
      await pkg.release();
    },
  );
}
