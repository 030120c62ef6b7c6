import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { clipScale, valueTest } from '../../../core/metrics/e-value.ts';
import { blockRows, confidenceSequence, sequenceRadius } from '../../../core/metrics/sequential.ts';
import { normals } from '../evaluation/planted.ts';

interface Golden {
  readonly radii: readonly { k: number; alpha: number; halfway: number; radius: number }[];
  readonly cases: readonly {
    h: number;
    planned: number;
    alpha: number;
    alphaHarm: number;
    offline: number[];
    trial: number[];
    sequence: { decision: string; blocks: number; mean: number; lower: number; upper: number };
    value: {
      decision: string;
      blocks: number;
      scale: number;
      wealth: number;
      wealthHarm: number;
    };
  }[];
}

const golden = JSON.parse(
  readFileSync(new URL('../../golden/sequential.json', import.meta.url), 'utf8'),
) as Golden;

const close = (actual: number, expected: number, tolerance = 1e-9): void =>
  assert.ok(
    Math.abs(actual - expected) <= tolerance * Math.max(1, Math.abs(expected)),
    `${actual} is not ${expected}`,
  );

const draw = (seed: number, n: number, shift = 0): Float64Array => {
  const normal = normals(seed);
  return Float64Array.from({ length: n }, () => normal() + shift);
};

const plan = { horizon: 1, alpha: 0.05, plannedRows: 1000 };
const strict = { horizon: 1, alpha: 0.05, scale: 2 };

test('radii of the confidence sequence are those of numpy', () => {
  for (const { k, alpha, halfway, radius } of golden.radii) {
    close(sequenceRadius(k, alpha, halfway), radius);
  }
  assert.equal(sequenceRadius(30, 0, 10), Infinity);
});

test('golden trials: better, worse and open, with and without overlap', () => {
  const seen = new Set<string>();
  for (const { h, planned, alpha, alphaHarm, ...rest } of golden.cases) {
    const trial = Float64Array.from(rest.trial);
    const levels = { horizon: h, alpha, alphaHarm };
    const sequence = confidenceSequence(trial, { ...levels, plannedRows: planned });
    assert.equal(sequence.decision, rest.sequence.decision);
    assert.equal(sequence.blocks, rest.sequence.blocks);
    assert.equal(sequence.rows, rest.sequence.blocks * blockRows(h));
    close(sequence.mean, rest.sequence.mean);
    close(sequence.lower, rest.sequence.lower);
    close(sequence.upper, rest.sequence.upper);
    const scale = clipScale(Float64Array.from(rest.offline), h)!;
    close(scale, rest.value.scale);
    const value = valueTest(trial, { ...levels, scale });
    assert.equal(value.decision, rest.value.decision);
    assert.equal(value.blocks, rest.value.blocks);
    close(value.wealth, rest.value.wealth);
    close(value.wealthHarm, rest.value.wealthHarm);
    seen.add(`${sequence.decision} ${h}`).add(`value ${value.decision} ${h}`);
  }
  assert.ok(seen.size >= 10, [...seen].join(', '));
});

test('a challenger and its mirror get mirrored verdicts', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const d = draw(seed, 400, (seed % 5) / 10);
    const mirrored = d.map((x) => -x);
    const opposite = { better: 'worse', worse: 'better', open: 'open' } as const;
    const a = confidenceSequence(d, plan);
    const b = confidenceSequence(mirrored, plan);
    assert.equal(b.decision, opposite[a.decision]);
    assert.equal(b.rows, a.rows);
    const [va, vb] = [valueTest(d, strict), valueTest(mirrored, strict)];
    assert.equal(vb.decision, opposite[va.decision]);
    assert.equal(vb.wealth, va.wealthHarm);
  }
});

test('the unit of the loss does not matter', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const d = draw(seed, 500, 0.2);
    const scaled = d.map((x) => x * 1024);
    const [a, b] = [confidenceSequence(d, plan), confidenceSequence(scaled, plan)];
    assert.deepEqual([b.decision, b.rows], [a.decision, a.rows]);
    const value = valueTest(scaled, { ...strict, scale: 2048 });
    assert.deepEqual(value, valueTest(d, strict));
  }
});

test('later rows never change a decision, whatever they are', () => {
  for (const worst of [-1e9, NaN, Infinity]) {
    const d = draw(3, 600, 0.6);
    const [sequence, value] = [confidenceSequence(d, plan), valueTest(d, strict)];
    assert.equal(sequence.decision, 'better');
    assert.equal(value.decision, 'better');
    d.fill(worst, Math.max(sequence.rows, value.rows));
    assert.deepEqual(confidenceSequence(d, plan), sequence);
    assert.deepEqual(valueTest(d, strict), value);
  }
});

test('a row that is not finite before a decision leaves the trial open', () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    for (const at of [0, 37, 99]) {
      const d = draw(5, 600, 3);
      d[at] = bad;
      const sequence = confidenceSequence(d, plan);
      assert.deepEqual([sequence.decision, sequence.status], ['open', 'notFinite']);
      const value = valueTest(d.fill(0, 0, at), strict);
      assert.deepEqual([value.decision, value.status], ['open', 'notFinite']);
    }
  }
  const allBad = new Float64Array(300).fill(NaN);
  assert.equal(valueTest(allBad, strict).status, 'notFinite');
  assert.equal(confidenceSequence(allBad, plan).decision, 'open');
  assert.equal(clipScale(allBad, 1), null);
});

test('too few rows decide nothing, however large the difference', () => {
  const d = draw(7, 99, 50);
  const sequence = confidenceSequence(d, plan);
  assert.deepEqual([sequence.decision, sequence.status], ['open', 'insufficientEvidence']);
  assert.equal(sequence.lower, -Infinity);
  assert.equal(confidenceSequence(draw(7, 100, 50), plan).decision, 'better');
  const few = valueTest(draw(7, 19, 50), strict);
  assert.deepEqual([few.decision, few.status], ['open', 'insufficientEvidence']);
  assert.equal(valueTest(draw(7, 20, 50), strict).decision, 'better');
  assert.equal(confidenceSequence(new Float64Array(0), plan).status, 'insufficientEvidence');
  assert.equal(valueTest(new Float64Array(0), strict).wealth, 1);
});

test('the same model twice, or a fixed advantage, is no evidence', () => {
  for (const level of [0, 0.3, -1e-7]) {
    const d = new Float64Array(800).fill(level);
    const sequence = confidenceSequence(d, plan);
    assert.deepEqual([sequence.decision, sequence.status], ['open', 'constant']);
    const value = valueTest(d, { ...strict, scale: 0.3 });
    assert.deepEqual([value.decision, value.status], ['open', 'constant']);
  }
  assert.equal(clipScale(new Float64Array(100), 1), null);
});

test('a later try needs more: a promotion at a lower level is one at a higher level, no later', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const d = draw(seed, 1000, 0.15);
    const easy = confidenceSequence(d, plan);
    const hard = confidenceSequence(d, { ...plan, alpha: 0.001 });
    if (hard.decision === 'better') assert.equal(easy.decision, 'better');
    if (hard.decision === 'better') assert.ok(easy.rows <= hard.rows);
    assert.equal(valueTest(d, { ...strict, alpha: 0 }).decision === 'better', false);
  }
});

test('an exact decision is marked as certain', () => {
  const value = valueTest(draw(2, 400, 1), strict);
  assert.deepEqual([value.decision, value.certain], ['better', true]);
  // Even blocks win, odd ones lose: one stream alone is rich, and that is exact too.
  const uneven = Float64Array.from({ length: 400 }, (_, t) => (t % 4 < 2 ? 1.9 : -0.1));
  assert.equal(valueTest(uneven, { ...strict, horizon: 2 }).decision, 'better');
});

test('a plan out of range is refused', () => {
  const d = draw(1, 100);
  for (const wrong of [{ horizon: 0 }, { horizon: 1.5 }, { alpha: 0.5 }, { alpha: NaN }]) {
    assert.throws(() => confidenceSequence(d, { ...plan, ...wrong }), { code: 'metrics.plan' });
    assert.throws(() => valueTest(d, { ...strict, ...wrong }), { code: 'metrics.plan' });
  }
  assert.throws(() => confidenceSequence(d, { ...plan, plannedRows: 0 }));
  for (const scale of [0, -1, NaN, Infinity]) {
    assert.throws(() => valueTest(d, { ...strict, scale }), { code: 'metrics.plan' });
  }
});
