import { withoutTensorflow } from '../support/tensorflow.ts';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { calendarFor } from '../../core/calendar/index.ts';
import { featureSetOrThrow } from '../../core/features/index.ts';
import { prepareUnit } from '../../core/features/prepare.ts';
import type { Prepared } from '../../core/features/prepared.ts';
import { runFitJob } from '../../core/models/fit-job.impl.ts';
import { modelFamilyOrThrow } from '../../core/models/index.ts';
import { openSession } from '../../core/onnx/session.impl.ts';
import type { Preprocessing } from '../../core/packages/manifest.ts';
import { CONFIDENCE_RANGE, PROBABILITY_RANGE } from '../../core/predict/confidence.ts';
import { clamp } from '../../core/predict/direction.ts';
import { openMonteCarlo, openPackage, predict } from '../../core/predict/index.ts';
import { sp500 } from '../support/example-bars.ts';
import { fitContext } from '../support/fit-context.ts';
import { openPackagingFixture } from '../support/packaging-fixture.ts';
import type { PackagingFixture } from '../support/packaging-fixture.ts';
import { testSpec } from '../support/registry-facts.ts';

const calendar = calendarFor('nyse');
const bars = sp500();
const openers = { openSession, openMonteCarlo: openMonteCarlo(openSession) };
/** Short fits of the families that train for long. */
const SHORT: Readonly<Record<string, object>> = {
  'lstm-multi-horizon': { units: [12], dense: [12], branch: 8, epochs: 3, batchSize: 64 },
  transformer: { dModel: 16, heads: 2, feedForward: 16, epochs: 3, batchSize: 64 },
};

let fixture: PackagingFixture;
before(async () => {
  fixture = await openPackagingFixture();
});
after(() => fixture.close());

const prepare = (kind: string): Prepared =>
  prepareUnit(
    {
      set: featureSetOrThrow('technical-152'),
      lookback: 20,
      label: { kind, horizons: [7, 14, 30] },
      split: { kind: 'chronological', ratios: [0.7, 0.15, 0.15], purge: 'auto', embargo: 'auto' },
      scaling: { features: 'minmax', labels: 'minmax' },
      timeframe: '1d',
      calendar,
      missing: 'ffill',
    },
    [bars],
  ).prepared;

/** The instant after the close of the session of `date`. */
const closeOf = (date: string): number => calendar.closeTime(Date.parse(date), '1d');

/** A day of early spring and one of autumn of every year from `first` to `last`. */
const yearsOf = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, at) => first + at).flatMap((year) => [
    `${year}-03-15`,
    `${year}-11-01`,
  ]);

type Answer = Awaited<ReturnType<typeof predict>>;

/**
 * Confidence and the chance to rise are what the package's own maps say. Of a network that sees nothing
 * a map may be one rate for all shares, so that windows differ in them is not asked.
 */
function assertCalibrated(
  horizons: Answer['horizons'],
  { confidence: { byHorizon } }: Preprocessing,
): void {
  horizons.forEach(({ confidence, probabilityUp }, k) => {
    const { directional, probabilityUp: up } = byHorizon[k]!;
    assertWithin(confidence!, directional.y, CONFIDENCE_RANGE);
    assertWithin(probabilityUp!, up.y, PROBABILITY_RANGE);
  });
}

/** `value` lies between the least and the greatest of `rates`, both held within `range`. */
function assertWithin(value: number, rates: readonly number[], range: readonly [number, number]) {
  const [low, high] = [rates[0]!, rates.at(-1)!].map((rate) => clamp(rate, ...range));
  assert.ok(
    value >= low! - 1e-12 && value <= high! + 1e-12,
    `${value} is not of ${low} to ${high}`,
  );
}

const cases = [
  { family: 'lstm-multi-horizon', kind: 'forwardLogReturn', skip: withoutTensorflow },
  { family: 'lstm-multi-horizon', kind: 'forwardPrice', skip: withoutTensorflow },
  { family: 'transformer', kind: 'forwardLogReturn', skip: withoutTensorflow },
  { family: 'transformer', kind: 'forwardPrice', skip: withoutTensorflow },
  { family: 'ridge', kind: 'forwardLogReturn', skip: false as const },
  { family: 'naive', kind: 'forwardPrice', skip: false as const },
];

for (const { family, kind, skip } of cases) {
  test(
    `a trained ${family} on ${kind} equals its package and serves real windows`,
    { skip },
    async () => {
      const prepared = prepare(kind);
      const { monteCarlo } = modelFamilyOrThrow(family).traits;
      const job = { family, params: SHORT[family] ?? {}, seed: 1, prepared };
      const context = fitContext(prepared);
      const bundle = await runFitJob({ ...job, multiplyByClose: kind === 'forwardPrice' }, context);
      const spec = testSpec({ confidence: { method: 'directional', samples: 30 } });
      const verified = await fixture.load(
        await fixture.run(await fixture.inputOf(bundle, prepared, spec)),
      );
      const pkg = await openPackage(verified, openers);
      const ask = (date: string) => predict(pkg, bars, { asOf: closeOf(date), confidence: 'mc' });
      // The quietest autumn since 1964, and the month after Lehman Brothers failed.
      const [calm, turbulent] = [await ask('2017-11-01'), await ask('2008-10-15')];
      assert.equal(calm.asOf, '2017-11-01T00:00:00.000Z');
      for (const { price } of [...calm.horizons, ...turbulent.horizons]) {
        assert.ok(price > 300 && price < 6000, `${price} is a price of the index`);
      }
      if (monteCarlo) {
        const windows = await Promise.all(yearsOf(2009, 2017).map(ask));
        for (const { horizons } of windows) assertCalibrated(horizons, verified.preprocessing);
        const spread = ({ horizons }: typeof calm) => horizons.map((each) => each.relativeStd);
        assert.notDeepEqual(spread(calm), spread(turbulent));
        const width = ({ horizons, lastClose }: typeof calm) =>
          horizons.map(({ interval80 }) => (interval80![1] - interval80![0]) / lastClose);
        assert.notDeepEqual(width(calm), width(turbulent));
      } else {
        assert.deepEqual(
          calm.horizons.map(({ confidence }) => confidence),
          [null, null, null],
        );
      }
      await pkg.release();
    },
  );
}
