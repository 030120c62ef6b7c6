import { hash } from 'node:crypto';

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

/** sha256 over the window's values (float64, little-endian, as all machines that this runs on), hex. */
export function windowDigest(window: Float64Array): string {
  return hash('sha256', new Uint8Array(window.buffer, window.byteOffset, window.byteLength), 'hex');
}

/**
 * Uniform noise [samples x width] for the Monte-Carlo graph, keyed by (package digest, window digest,
 * sample): the same window has the same samples on every replica and in every replay, and sample k does
 * not depend on how many are drawn. `room` [samples x width] is filled and given back, where the caller has one.
 */
export function monteCarloNoise(
  key: { readonly packageDigest: string; readonly windowDigest: string },
  samples: number,
  width: number,
  room?: Float32Array,
): Float32Array {
  const noise = room ?? new Float32Array(samples * width);
  const prefix = `${key.packageDigest}\n${key.windowDigest}\n`;
  for (let s = 0; s < samples; s++) {
    // At once, and as text: an object for each hash takes twice the time.
    const seed = hash('sha256', `${prefix}${s}`, 'hex');
    fillUniform(noise, s * width, (s + 1) * width, Buffer.from(seed, 'hex'));
  }
  return noise;
}
