/** Uniform numbers in [0, 1), a pure function of the key. */
export type Random = () => number;

/** 32-bit finaliser of MurmurHash3: every input bit reaches every output bit. */
function mix32(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** One 32-bit number from several: order matters, (1, 2) and (2, 1) differ. */
export function hashKey(...parts: readonly number[]): number {
  let h = 0x9e3779b9;
  for (const part of parts) h = mix32((h + 0x6d2b79f5) ^ mix32(part)) + 0x9e3779b9;
  return mix32(h);
}

/**
 * sfc32, Chris Doty-Humphrey's small fast counting generator (PractRand), keyed by integers.
 * Same key, same numbers, on every machine.
 */
export function randomFor(...key: readonly number[]): Random {
  let a = hashKey(...key, 1);
  let b = hashKey(...key, 2);
  let c = hashKey(...key, 3);
  let counter = 1;
  const next = (): number => {
    const t = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    return (t >>> 0) / 2 ** 32;
  };
  // The author's advice for seeded states: the first outputs still resemble the key.
  for (let i = 0; i < 12; i++) next();
  return next;
}

/** Standard normal numbers by Box and Muller (1958), one of each pair. */
export function normalFrom(random: Random): Random {
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Indices 0..n-1 in a random order (Fisher and Yates). */
export function permutation(n: number, random: Random): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
