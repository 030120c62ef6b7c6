/** Sketches of rows: a few numbers whose distance is at most that of the rows. */

/** Numbers of a sketch, a multiple of `AT_ONCE`. Of 152 features as many leave one of some thirty points to be looked at. */
export const PLACES = 32;
/** Dot products that are summed side by side. */
const AT_ONCE = 4;
/** What is left of a direction when others are taken out of it: with less it is made of rounding. */
const LEAST_LEFT = 1e-6;

/**
 * Numbers of `row` along each direction [PLACES x width]: the sketch. Directions at right angles to each other make the
 * distance of two sketches that of the rows' shadows, which is at most theirs.
 */
export function writeSketch(
  directions: Float64Array,
  row: Float32Array | Float64Array,
  into: Float64Array,
): void {
  const width = row.length;
  for (let k = 0; k < PLACES; k += AT_ONCE) {
    const [a, b, c, d] = [k * width, (k + 1) * width, (k + 2) * width, (k + 3) * width];
    let [sumA, sumB, sumC, sumD] = [0, 0, 0, 0];
    for (let i = 0; i < width; i++) {
      const value = row[i]!;
      sumA += value * directions[a + i]!;
      sumB += value * directions[b + i]!;
      sumC += value * directions[c + i]!;
      sumD += value * directions[d + i]!;
    }
    into[k] = sumA;
    into[k + 1] = sumB;
    into[k + 2] = sumC;
    into[k + 3] = sumD;
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Makes directions of length 1, each at right angles to those before it (Gram and Schmidt, twice); 0 what is none. */
function straighten(directions: Float64Array, width: number): void {
  const one = (k: number): Float64Array => directions.subarray(k * width, (k + 1) * width);
  for (let k = 0; k < PLACES; k++) {
    const own = one(k);
    for (let pass = 0; pass < 2; pass++) {
      const before = Math.sqrt(dot(own, own));
      for (let j = 0; j < k; j++) {
        const other = one(j);
        const share = dot(own, other);
        for (let i = 0; i < width; i++) own[i]! -= share * other[i]!;
      }
      const left = Math.sqrt(dot(own, own));
      const factor = left > LEAST_LEFT * before && Number.isFinite(left) ? 1 / left : 0;
      for (let i = 0; i < width; i++) own[i] = factor === 0 ? 0 : own[i]! * factor;
    }
  }
}

/**
 * Directions [PLACES x width] along which rows (row-major) differ much: those from the first one to the next ones, which of a
 * farthest-first traversal lie far apart. Fewer where there are not so many, and 0 in their places.
 */
export function directionsBetween(rows: Float32Array, width: number): Float64Array {
  const directions = new Float64Array(PLACES * width);
  const some = Math.min(PLACES, rows.length / width - 1);
  for (let k = 0; k < some; k++) {
    for (let c = 0; c < width; c++)
      directions[k * width + c] = rows[(k + 1) * width + c]! - rows[c]!;
  }
  straighten(directions, width);
  return directions;
}
