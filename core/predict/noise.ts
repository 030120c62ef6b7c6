import { createHash } from 'node:crypto';

/** 24 bits: the significand of a float32. */
const FLOAT_STEP = 2 ** -24;
/** Words to let the generator mix its seed before the first one counts (its author's advice). */
const MIXING_ROUNDS = 15;

/**
 * sfc32, a small fast counting generator: 128 bits of state, exact in 32-bit integers, so that every
 * machine draws the same numbers. Reference: Chris Doty-Humphrey, PractRand, `sfc`.
 *
 * Fills `out` from `start` to `end` with floats in [0, 1) that fit a float32 exactly (24 bits), so that none can
 * round up to 1. `seed` holds at least 12 bytes.
 */
export function fillUniform(out: Float32Array, start: number, end: number, seed: Uint8Array): void {
  const view = new DataView(seed.buffer, seed.byteOffset, seed.byteLength);
  let a = view.getInt32(0, true);
  let b = view.getInt32(4, true);
  let c = view.getInt32(8, true);
  let counter = 1;
  for (let i = start - MIXING_ROUNDS; i < end; i++) {
    const drawn = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + drawn) | 0;
    if (i >= start) out[i] = (drawn >>> 8) * FLOAT_STEP;
  }
}

/** sha256 over the window's values (float64, little-endian) and its shape, hex. */
export function windowDigest(window: Float64Array): string {
  const bytes = new Uint8Array(window.length * 8);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < window.length; i++) view.setFloat64(8 * i, window[i]!, true);
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Uniform noise [samples x width] for the Monte-Carlo graph, keyed by (package digest, window digest,
 * sample): the same window has the same samples on every replica and in every replay, and sample k does
 * not depend on how many are drawn.
 */
export function monteCarloNoise(
  key: { readonly packageDigest: string; readonly windowDigest: string },
  samples: number,
  width: number,
): Float32Array {
  const noise = new Float32Array(samples * width);
  for (let s = 0; s < samples; s++) {
    const text = `${key.packageDigest}\n${key.windowDigest}\n${s}`;
    fillUniform(noise, s * width, (s + 1) * width, createHash('sha256').update(text).digest());
  }
  return noise;
}
