/**
 * Seeded uniform numbers in [0, 1) with 53 bits: xoshiro128** (Blackman and Vigna 2018), its state spread
 * from the seed by splitmix64
 * (Steele, Lea and Flood 2014). The same seed gives the same numbers on every machine.
 */
export function seededUniform(seed: number): () => number {
  let state = BigInt.asUintN(64, BigInt(Math.trunc(seed)));
  const next64 = (): bigint => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  };
  // Four 32-bit words of state for xoshiro128**: fast in plain numbers, unlike 64-bit arithmetic.
  const words = new Uint32Array(4);
  for (let i = 0; i < 4; i += 2) {
    const word = next64();
    words[i] = Number(word & 0xffffffffn);
    words[i + 1] = Number(word >> 32n);
  }
  const next32 = (): number => {
    const result = Math.imul(rotate(Math.imul(words[1]!, 5), 7), 9) >>> 0;
    const shifted = words[1]! << 9;
    words[2]! ^= words[0]!;
    words[3]! ^= words[1]!;
    words[1]! ^= words[2]!;
    words[0]! ^= words[3]!;
    words[2]! ^= shifted;
    words[3] = rotate(words[3]!, 11);
    return result;
  };
  return () => ((next32() >>> 5) * 67_108_864 + (next32() >>> 6)) / 9_007_199_254_740_992;
}

const rotate = (x: number, by: number): number => ((x << by) | (x >>> (32 - by))) >>> 0;
