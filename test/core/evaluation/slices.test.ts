import assert from 'node:assert/strict';
import { test } from 'node:test';
import { regimesOf, trailingVolatility } from '../../../core/evaluation/regimes.ts';
import { SLICES_MAX, sliceScores, type SliceInput } from '../../../core/evaluation/slices.ts';
import { DAY_MS, normals } from './planted.ts';

const START = Date.UTC(2015, 0, 1);

/** Two instruments over `days`; the model saves half of the loss in rows that `good` names, nothing elsewhere. */
function sliced(
  days: number,
  good: (row: { day: number; instrument: number; regime: number }) => boolean,
  names: readonly string[] = ['A', 'B'],
): SliceInput {
  const rows = Array.from({ length: days * names.length }, (_, i) => ({
    day: Math.floor(i / names.length),
    instrument: i % names.length,
    regime: Math.floor(i / names.length) % 4 === 3 ? -1 : Math.floor(i / names.length) % 4,
  }));
  const normal = normals(11);
  const reference = Float64Array.from(rows, () => 1 + 0.1 * normal() ** 2);
  const loss = reference.map((value, i) => (good(rows[i]!) ? 0.5 : 1) * value);
  return {
    openTime: Float64Array.from(rows, ({ day }) => START + day * DAY_MS),
    instruments: names,
    instrument: Int32Array.from(rows, (row) => row.instrument),
    regime: Int32Array.from(rows, (row) => row.regime),
    barsPerDay: 1,
    horizons: [5, 1],
    overall: { loss, reference },
    byHorizon: [
      { loss, reference },
      { loss: reference, reference },
    ],
    score: (own, k) => ({ value: own.length, low: k, high: k, tooFewBlocks: false }),
  };
}

const skillBy = (input: SliceInput, by: string): Record<string, string> =>
  Object.fromEntries(
    sliceScores(input)
      .slices.filter((slice) => slice.by === by)
      .map((slice) => [slice.name, slice.skill?.value?.toFixed(2) ?? 'too few']),
  );

test('skill is found in the slice where it is, and only there', () => {
  const ofB = sliced(800, ({ instrument }) => instrument === 1);
  assert.deepEqual(skillBy(ofB, 'instrument'), { A: '0.00', B: '0.50' });
  const of2016 = sliced(800, ({ day }) => new Date(START + day * DAY_MS).getUTCFullYear() === 2016);
  assert.deepEqual(skillBy(of2016, 'year'), { 2015: '0.00', 2016: '0.50', 2017: 'too few' });
  const lively = sliced(800, ({ regime }) => regime === 2);
  assert.deepEqual(skillBy(lively, 'regime'), { calm: '0.00', middling: '0.00', lively: '0.50' });
  assert.deepEqual(skillBy(ofB, 'horizon'), { 5: '0.25', 1: '0.00' });
});

test('counts: rows, decision times, independent horizons; scores at the horizon that has most of them', () => {
  const { slices, left } = sliceScores(sliced(800, () => true));
  assert.deepEqual(left, {});
  const [five, one, a] = slices;
  assert.deepEqual([five!.rows, five!.timeStamps, five!.independent], [1600, 800, 160]);
  assert.equal(one!.independent, 800);
  assert.deepEqual([a!.rows, a!.timeStamps, a!.independent], [800, 800, 160]);
  assert.deepEqual([five!.score!.low, one!.score!.low, a!.score!.low], [0, 1, 1]);
  const regimes = slices.filter((slice) => slice.by === 'regime');
  assert.equal(
    regimes.reduce((sum, slice) => sum + slice.rows, 0),
    1200,
    'rows of no known regime are in no slice',
  );
});

test('too few independent rows: counted, with their loss, and not judged', () => {
  const { slices } = sliceScores(sliced(99, () => true));
  for (const slice of slices.filter(({ by }) => by !== 'horizon')) {
    assert.equal(slice.skill, null);
    assert.equal(slice.score, null);
    assert.ok(slice.loss < slice.referenceLoss);
  }
});

test('one slice of a kind is the whole, and is not told twice', () => {
  const input = sliced(120, () => true, ['A']);
  const kinds = new Set(sliceScores({ ...input, horizons: [5] }).slices.map(({ by }) => by));
  assert.deepEqual([...kinds], ['regime']);
});

test('many instruments: the largest are reported, the others counted', () => {
  const names = Array.from({ length: SLICES_MAX + 3 }, (_, i) => `I${i}`);
  const input = sliced(110, () => false, names);
  const { slices, left } = sliceScores(input);
  assert.equal(slices.filter(({ by }) => by === 'instrument').length, SLICES_MAX);
  assert.deepEqual(left, { instrument: 3 });
});

test('regimes: terciles of the training part, of each instrument by itself', () => {
  const bars = 20;
  const normal = normals(5);
  const rows = 600;
  /** Daily moves of 1 % throughout training; then calm, as before, lively. */
  const priceOf = (scale: number): number[] => {
    let price = 100;
    return Array.from({ length: rows }, (_, i) => {
      const third = i < 300 ? 1 : i < 400 ? 0.1 : i < 500 ? 1 : 10;
      price *= Math.exp(scale * third * 0.01 * normal());
      return price;
    });
  };
  const close = Float64Array.from([...priceOf(1), ...priceOf(0.2)]);
  const both = (from: number, to: number): Int32Array =>
    Int32Array.from([
      ...Array.from({ length: to - from }, (_, i) => from + i),
      ...Array.from({ length: to - from }, (_, i) => rows + from + i),
    ]);
  const instruments = [
    { from: 0, to: rows },
    { from: rows, to: 2 * rows },
  ];
  const of = (from: number, to: number): Int32Array =>
    regimesOf({ timeframe: '1d', close, instruments, train: both(20, 300), test: both(from, to) });
  assert.ok(
    of(325, 400).every((regime) => regime === 0),
    'calm, the quiet instrument too',
  );
  assert.ok(
    of(525, 600).every((regime) => regime === 2),
    'lively',
  );
  const trained = of(bars, 300);
  for (const regime of [0, 1, 2]) {
    const share = trained.filter((r) => r === regime).length / trained.length;
    assert.ok(Math.abs(share - 1 / 3) < 0.01, `a third of training each: ${share}`);
  }
  assert.ok(
    of(0, bars).every((regime) => regime === -1),
    'not known in the first bars',
  );
});

test('later bars change no regime: trailing means trailing', () => {
  const normal = normals(6);
  const close = Float64Array.from({ length: 80 }, () => 100 * Math.exp(0.01 * normal()));
  const whole = trailingVolatility(close, 20);
  assert.deepEqual(trailingVolatility(close.slice(0, 50), 20), whole.slice(0, 50));
  assert.ok(Number.isNaN(whole[19]!) && Number.isFinite(whole[20]!));
});

test('an instrument that training did not see has no regime', () => {
  const close = Float64Array.from({ length: 60 }, (_, i) => 100 + (i % 7));
  const [train, testRows] = [Int32Array.of(), Int32Array.of(40, 50)];
  const instruments = [{ from: 0, to: 60 }];
  const regimes = regimesOf({ timeframe: '1d', close, instruments, train, test: testRows });
  assert.deepEqual([...regimes], [-1, -1]);
});
