import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeBundle, encodeBundle, type FitBundle } from '../../../core/models/bundle.ts';
import { randomFor } from '../../../core/models/random.ts';
import { decodeSections, encodeSections, sectionOrThrow } from '../../../core/models/sections.ts';

const sample = () =>
  encodeSections({
    kind: 'sample',
    version: 1,
    meta: { name: 'Bär', n: 3 },
    sections: {
      f32: Float32Array.of(1.5, -0, NaN),
      f64: Float64Array.of(Math.PI, Infinity),
      i32: Int32Array.of(-1),
      u8: Uint8Array.of(1, 2, 3),
      none: new Float64Array(0),
    },
  });

const corrupt = { code: 'bytes.corrupt' };

describe('section files', () => {
  it('give back what was put in, bit for bit', () => {
    const file = decodeSections(sample(), 'sample', 1);
    assert.deepEqual(file.meta, { name: 'Bär', n: 3 });
    assert.deepEqual(file.sections['f32'], Float32Array.of(1.5, -0, NaN));
    assert.deepEqual(file.sections['f64'], Float64Array.of(Math.PI, Infinity));
    assert.deepEqual(file.sections['i32'], Int32Array.of(-1));
    assert.deepEqual(file.sections['u8'], Uint8Array.of(1, 2, 3));
    assert.equal(file.sections['none']!.length, 0);
  });

  it('read bytes that lie anywhere in a larger buffer', () => {
    const bytes = sample();
    for (let offset = 0; offset < 9; offset++) {
      const shifted = Buffer.concat([Buffer.alloc(offset), bytes]).subarray(offset);
      assert.deepEqual(decodeSections(shifted, 'sample', 1), decodeSections(bytes, 'sample', 1));
    }
  });

  it('refuse every flipped bit', () => {
    const bytes = sample();
    for (let at = 0; at < bytes.length; at++) {
      const flipped = bytes.slice();
      flipped[at]! ^= 1 << (at % 8);
      assert.throws(() => decodeSections(flipped, 'sample', 1), corrupt, `byte ${at}`);
    }
  });

  it('refuse what is cut, zeroed or half replaced, at 50 random places', () => {
    const bytes = sample();
    const other = encodeSections({ kind: 'sample', version: 1, meta: 0, sections: {} });
    const random = randomFor(50);
    for (let i = 0; i < 50; i++) {
      const at = Math.floor(random() * (bytes.length - 1));
      const zeroed = bytes.slice().fill(0, at);
      const mixed = Buffer.concat([bytes.subarray(0, at), other]);
      for (const bad of [bytes.subarray(0, at), zeroed, mixed]) {
        assert.throws(() => decodeSections(bad, 'sample', 1), corrupt);
      }
    }
  });

  it('refuse another kind, another version and a section that is not there', () => {
    assert.throws(() => decodeSections(sample(), 'other', 1), corrupt);
    assert.throws(() => decodeSections(sample(), 'sample', 2), corrupt);
    const file = decodeSections(sample(), 'sample', 1);
    assert.throws(() => sectionOrThrow(file, 'missing', Float32Array), corrupt);
    assert.throws(() => sectionOrThrow(file, 'f64', Float32Array), corrupt);
  });
});

describe('fit bundle', () => {
  const bundle: FitBundle = {
    family: 'some-family',
    params: { a: 1 },
    seed: 7,
    summary: {
      epochsRun: 1,
      bestEpoch: 1,
      bestValidLoss: 0.25,
      weightsDigest: 'ab',
      history: [],
    },
    weights: Uint8Array.of(1, 2, 3),
    graphs: { model: Uint8Array.of(4), monteCarlo: { graph: Uint8Array.of(5), noiseWidth: 9 } },
    context: {
      featureNames: ['f'],
      lookback: 2,
      horizons: [1],
      scalers: {
        features: { kind: 'minmax', offset: [0], factor: [1], clip: [-1, 2] },
        labels: { kind: 'none', offset: [0], factor: [1] },
      },
      classes: 0,
      multiplyByClose: false,
    },
    probes: { rows: Int32Array.of(3), predictions: Float64Array.of(0.5) },
    equality: { maxRelative: 1e-8, rows: 1 },
    libraries: { tensorflow: '0' },
  };

  it('survives encoding, with and without a Monte-Carlo graph', () => {
    assert.deepEqual(decodeBundle(encodeBundle(bundle)), bundle);
    const plain = { ...bundle, graphs: { model: Uint8Array.of(4) } };
    assert.deepEqual(decodeBundle(encodeBundle(plain)), plain);
  });

  it('is refused when a byte of it changed', () => {
    const bytes = encodeBundle(bundle);
    bytes[100]! ^= 1;
    assert.throws(() => decodeBundle(bytes), corrupt);
  });
});
