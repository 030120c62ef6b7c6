import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluate, type EvaluationInput } from '../../../core/evaluation/index.ts';
import { compareLosses } from '../../../core/metrics/comparison.ts';
import { nonInferiority } from '../../../core/metrics/non-inferiority.ts';
import { FRESHNESS_CLAIM, freshness } from '../../../core/policies/freshness.ts';
import type { Decision, Evidence } from '../../../core/policies/policy.ts';
import { evidenceOf } from '../../support/evidence.ts';
import { normals, plant } from '../evaluation/planted.ts';

const lineage = {
  template: 'same',
  trainedThrough: '2015-12-31T00:00:00.000Z',
  champion: { template: 'same', trainedThrough: '2015-06-30T00:00:00.000Z' },
};
/** Champion and challenger see the same signal, each with noise of its own. */
function sheet(challengerNoise: number, championNoise: number, changes: Partial<Evidence> = {}) {
  const { input, signal } = plant({
    rows: 2000,
    horizons: [1],
    forecast: { signal: 1, noise: challengerNoise },
  });
  const own = normals(99);
  const predictions = signal.map((x) => x + championNoise * 0.01 * own());
  const champion = { version: 3, trainedThrough: 0, predictions };
  const judged: EvaluationInput = { ...input, champion };
  return evidenceOf(evaluate(judged), { lineage, ...changes });
}
const decide = (evidence: Evidence, settings: object = {}): Decision =>
  freshness.decide(evidence, freshness.params.parse(settings));

test('an equal model on newer data is promoted for freshness, and never called better', () => {
  const { verdict, reasons, evidence } = decide(sheet(0.1, 0.1));
  assert.equal(verdict, 'accept', reasons.join());
  assert.match(
    reasons[0]!,
    /^Promoted for freshness, not proved better than champion v3: loss .* on 2000 common rows, p = .* margin of 2 %/,
  );
  assert.equal(evidence.claim, FRESHNESS_CLAIM);
  assert.equal(evidence.nonInferiority!.margin, 0.02);
  assert.ok(evidence.nonInferiority!.p < evidence.alphaK);
});

test('a model that is proved better is promoted with the same words', () => {
  const { verdict, reasons, evidence } = decide(sheet(0.05, 0.5));
  assert.equal(verdict, 'accept');
  assert.equal(evidence.claim, 'promoted for freshness, not proved better');
  assert.match(reasons[0]!, /not proved better/);
});

test('a model that is worse by more than the margin is refused; a wider margin lets it in', () => {
  const worse = sheet(0.25, 0.1);
  const { verdict, reasons, evidence } = decide(worse);
  assert.equal(verdict, 'reject');
  assert.match(
    reasons[0]!,
    /^Not proved to be within a margin of 2 % of champion v3: loss .* higher/,
  );
  assert.equal(evidence.claim, undefined);
  assert.equal(decide(worse, { margin: 0.1 }).verdict, 'accept');
});

test('another spec, older data or an unknown champion: freshness is no argument', () => {
  const good = sheet(0.1, 0.1);
  const refused = (champion: object | null): string => {
    const changed = { ...lineage, champion: champion && { ...lineage.champion, ...champion } };
    const { verdict, reasons } = decide({ ...good, lineage: changed });
    assert.equal(verdict, 'reject');
    return reasons[0]!;
  };
  assert.match(refused({ template: 'other' }), /trained by another one; use beats-champion$/);
  assert.match(refused({ trainedThrough: lineage.trainedThrough }), /^Not fresher: /);
  assert.match(refused({ trainedThrough: '2016-01-01' }), /^Not fresher: /);
  assert.match(refused({ trainedThrough: null }), /not known/);
  assert.match(refused(null), /not known/);
  const { lineage: _, ...without } = good;
  assert.equal(decide(without).verdict, 'reject');
});

test('the guards of every policy hold: rows, tries, the deployed seed, the same model twice', () => {
  const good = sheet(0.1, 0.1);
  const withComparison = (changes: object): Evidence => ({
    ...good,
    comparisons: good.comparisons.map((c) => (c.against === 'champion' ? { ...c, ...changes } : c)),
  });
  assert.match(
    decide(withComparison({ status: 'insufficientEvidence', independent: 12 })).reasons[0]!,
    /^Insufficient evidence: /,
  );
  assert.match(
    decide(withComparison({ servedMeanDifference: -1 })).reasons[0]!,
    /the seed that would be deployed is not by itself$/,
  );
  for (const k of [0, NaN, 1000]) {
    assert.equal(decide({ ...good, tries: { k, rowsDigest: '' } }).verdict, 'reject', `try ${k}`);
  }
  assert.equal(decide({ ...good, servedLoss: null }).verdict, 'reject');
  assert.equal(decide({ ...good, championVersion: 4 }).verdict, 'reject');
  const { input } = plant({ rows: 400, horizons: [1], seeds: [1] });
  const champion = { version: 3, trainedThrough: 0, predictions: input.seeds[0]!.predictions };
  const twice = decide(evidenceOf(evaluate({ ...input, champion }), { lineage }));
  assert.equal(twice.verdict, 'reject');
  assert.match(twice.reasons[0]!, /nothing fresher to promote/);
});

test('a first champion is decided as by beats-champion', () => {
  const first = evidenceOf(evaluate(plant().input));
  const { verdict, evidence } = decide(first);
  assert.equal(verdict, 'accept');
  assert.equal(evidence.claim, undefined);
});

test('settings that cannot be meant are refused', () => {
  for (const margin of [0, -0.02, 0.5, NaN]) {
    assert.throws(() => freshness.params.parse({ margin }), String(margin));
  }
});

const FORECAST_SD = Math.sqrt(0.02);

/** Persistent unit-variance series, AR(.95). */
function persistent(normal: () => number, n: number): Float64Array {
  let x = normal();
  return Float64Array.from(
    { length: n },
    () => (x = 0.95 * x + Math.sqrt(1 - 0.95 ** 2) * normal()),
  );
}

/**
 * Share of series that pass at margin 2 %, p < .05. Labels: overlapping h-bar sums of GARCH(1,1) t5 returns and a signal of
 * 2 % of the variance, which both forecasts see with noise of their own; the champion alone sees a further part, `worse`.
 */
function passRate(rows: number, horizon: number, worse: number, series: number): number {
  let passed = 0;
  for (let s = 0; s < series; s++) {
    const normal = normals(50_000 + s);
    const persist = (): Float64Array => persistent(normal, rows);
    const [signal, own, other, alone] = [persist(), persist(), persist(), persist()] as const;
    const y = labels(normal, rows, horizon);
    const champion = new Float64Array(rows);
    const challenger = new Float64Array(rows);
    for (let t = 0; t < rows; t++) {
      const advantage = Math.sqrt(worse) * alone[t]!;
      const label = y[t]! + FORECAST_SD * signal[t]! + advantage;
      const forecast = (noise: number): number => (FORECAST_SD * (signal[t]! + noise)) / 2;
      champion[t] = (label - forecast(other[t]!) - advantage) ** 2;
      challenger[t] = (label - forecast(own[t]!)) ** 2;
    }
    const compared = compareLosses({ other: champion, challenger: [challenger], horizon });
    if (nonInferiority(compared, 0.02)!.p < 0.05) passed++;
  }
  return passed / series;
}

function labels(normal: () => number, n: number, horizon: number): Float64Array {
  const burn = 100;
  const student = (): number => {
    let chi = 0;
    for (let i = 0; i < 5; i++) chi += normal() ** 2;
    return (normal() / Math.sqrt(chi / 5)) * Math.sqrt(3 / 5);
  };
  let variance = 1;
  const returns = Float64Array.from({ length: n + horizon + burn }, () => {
    const r = Math.sqrt(variance) * student();
    variance = 0.02 + 0.08 * r * r + 0.9 * variance;
    return r;
  });
  return Float64Array.from({ length: n }, (_, t) => {
    let sum = 0;
    for (let i = 1; i <= horizon; i++) sum += returns[burn + t + i]!;
    return sum / Math.sqrt(horizon);
  });
}

test('pass rates of equal and of 2 % worse models are those measured: 34 % and 6 % on daily bars', () => {
  const equal = passRate(720, 7, 0, 300);
  const worse = passRate(720, 7, 0.02, 300);
  // SE of a rate of .34 is .027 here, of .06 .014.
  assert.ok(equal > 0.24 && equal < 0.45, `equal: ${equal}`);
  assert.ok(worse < 0.11, `2 % worse: ${worse}`);
});

test('hourly rows are enough: equal models pass, 2 % worse ones do not', () => {
  const equal = passRate(4300, 1, 0, 60);
  const worse = passRate(4300, 1, 0.02, 100);
  assert.ok(equal > 0.9, `equal: ${equal}`);
  assert.ok(worse < 0.2, `2 % worse: ${worse}`);
});
