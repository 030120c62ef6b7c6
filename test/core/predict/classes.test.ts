import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sliceBars } from '../../../core/bars/bars.ts';
import { classLabelOrThrow, labelParamsOf } from '../../../core/labels/index.ts';
import type { VerifiedPackage } from '../../../core/packages/verify.ts';
import {
  classReliability,
  fitClassConfidence,
  forecastFrom,
  naiveForecast,
  wantedBars,
  windowFromBars,
} from '../../../core/predict/index.ts';
import { seededUniform } from '../../../core/seeded-uniform.ts';
import { bars, code, now, openMade, releaseAll } from '../../support/opened-package.ts';

after(releaseAll);
const { verified } = await openMade();
const label = { kind: 'threeClass', horizons: [7, 14, 30], window: 40, floor: 0 };
const params = labelParamsOf(label);
const horizon = <T>(value: T): T[] => [value, value, value];
const pkg: VerifiedPackage = {
  ...verified,
  preprocessing: {
    ...verified.preprocessing,
    label: { kind: 'threeClass', horizons: label.horizons, params },
    classes: { priors: horizon([0.2, 0.5, 0.3]), changes: horizon([-0.03, 0.001, 0.04]) },
    confidence: fitClassConfidence(
      horizon({
        answered: Float64Array.of(0.4, 0.9),
        hit: Float64Array.of(0, 1),
        score: Float64Array.of(-1, 1),
        rose: Float64Array.of(0, 1),
      }),
    ),
  },
};
const window = windowFromBars(pkg, bars, { asOf: now });
const said = Float64Array.of(0.7, 0.2, 0.1, 0.1, 0.8, 0.1, 0.2, 0.2, 0.6);

test('the answer of a model of classes: class, probabilities, expected change and threshold', () => {
  const { horizons } = forecastFrom(pkg, window, said);
  assert.deepEqual(
    horizons.map(({ classes, direction }) => [classes?.class, direction]),
    [
      ['sell', 'down'],
      ['hold', 'neutral'],
      ['buy', 'up'],
    ],
  );
  assert.deepEqual(horizons[0]!.classes!.probabilities, { sell: 0.7, hold: 0.2, buy: 0.1 });
  const expected = 0.7 * -0.03 + 0.2 * 0.001 + 0.1 * 0.04;
  assert.ok(Math.abs(horizons[0]!.change - expected) < 1e-15);
  assert.ok(Math.abs(horizons[0]!.price - window.lastClose * (1 + expected)) < 1e-9);
  assert.deepEqual([horizons[0]!.interval80, horizons[0]!.relativeStd], [null, null]);
  // On two validation rows a smoothed rate is all that can be said: (1 + 1) / (2 + 2).
  assert.deepEqual([horizons[0]!.confidence, horizons[0]!.probabilityUp], [0.5, 0.5]);
});

test('the threshold is that of the label at the last bar', () => {
  const { horizons } = forecastFrom(pkg, window, said);
  const kind = classLabelOrThrow('threeClass');
  horizons.forEach(({ classes, horizon: h }) => {
    assert.equal(classes!.threshold, kind.thresholdAfter(params, bars.close, h));
    assert.ok(classes!.threshold! > 0);
  });
});

test('bars that begin too late for the threshold give none rather than another one', () => {
  const count = 900;
  const wide = { ...params, window: count };
  const { label: packaged } = pkg.preprocessing;
  const far: VerifiedPackage = {
    ...pkg,
    preprocessing: { ...pkg.preprocessing, label: { ...packaged, params: wide } },
  };
  const cut = sliceBars(bars, bars.openTime.length - count);
  assert.deepEqual(windowFromBars(far, cut, { asOf: now }).thresholds, [NaN, NaN, NaN]);
  const kind = classLabelOrThrow('threeClass');
  const whole = label.horizons.map((h) => kind.thresholdAfter(wide, bars.close, h));
  const enough = sliceBars(bars, bars.openTime.length - wantedBars(far, now));
  assert.deepEqual(windowFromBars(far, enough, { asOf: now }).thresholds, whole);
  // Where the history itself begins there, training had no more either.
  const { thresholds } = windowFromBars(far, cut, { asOf: now, fromFirstBar: true });
  assert.deepEqual(
    thresholds,
    label.horizons.map((h) => kind.thresholdAfter(wide, cut.close, h)),
  );
});

test('probabilities that cannot be are refused', () => {
  const bad = said.slice();
  bad[0] = 0.9;
  assert.throws(() => forecastFrom(pkg, window, bad), code('predict.implausible'));
  bad[0] = NaN;
  assert.throws(() => forecastFrom(pkg, window, bad), code('predict.non-finite'));
});

test('the fallback says the class shares of the training part', () => {
  const { horizons } = naiveForecast(pkg, window);
  assert.deepEqual(horizons[0]!.classes!.probabilities, { sell: 0.2, hold: 0.5, buy: 0.3 });
  assert.equal(horizons[0]!.direction, 'neutral');
});

test('abstains where no class is more probable than the most frequent one always is', () => {
  const careful = { ...pkg, preprocessing: { ...pkg.preprocessing, abstain: {} } };
  const sure = forecastFrom(careful, window, said);
  assert.deepEqual([sure.abstain, sure.abstainReasons], [false, []]);
  const flat = Float64Array.from({ length: 9 }, (_, i) => [0.25, 0.51, 0.24][i % 3]!);
  assert.deepEqual(forecastFrom(careful, window, flat).abstainReasons, ['undecided']);
});

test('confidence is calibrated: what is stated is what happens', () => {
  const uniform = seededUniform(3);
  const draw = (n: number) => {
    const answered = Float64Array.from({ length: n }, () => 0.4 + 0.5 * uniform());
    // The model is too sure of itself: what it gives p comes with p^2.
    const hit = answered.map((p) => Number(uniform() < p * p));
    return [{ answered, hit, score: answered, rose: hit }];
  };
  const calibration = fitClassConfidence(draw(4000));
  const [seen] = classReliability(draw(4000), calibration, [1]);
  assert.ok(Math.abs(seen!.statedMean! - seen!.observedMean!) < 0.03);
  for (const { stated, observed, rows } of seen!.bins) {
    if (rows > 200) assert.ok(Math.abs(stated - observed) < 0.08, `${stated} against ${observed}`);
  }
});
