import { SALT_WEIGHTS, glorotUniform } from '../network/initialise.ts';
import type { FlatWeights, Parameter } from '../network/layout.ts';
import { normalFrom, randomFor, type Random } from '../random.ts';
import type { Layout } from './layout.ts';

/**
 * First weights as Keras makes them: kernels Glorot uniform (Glorot and Bengio, 2010), recurrent
 * matrices orthogonal (Saxe, McClelland and Ganguli, 2014), biases 0, forget gates 1, gamma 1, beta 0,
 * moving mean 0 and variance 1. A pure function of the seed and the layout.
 */
export function initialWeights(layout: Layout, seed: number): FlatWeights {
  const theta = new Float32Array(layout.parameterCount);
  layout.parameters.forEach((parameter, index) => {
    const into = theta.subarray(parameter.offset, parameter.offset + parameter.size);
    initialiseParameter(parameter, layout, into, randomFor(seed, SALT_WEIGHTS, index));
  });
  return {
    theta,
    movingMean: new Float32Array(layout.statisticsCount),
    movingVariance: new Float32Array(layout.statisticsCount).fill(1),
  };
}

function initialiseParameter(
  { name, shape }: Parameter,
  layout: Layout,
  into: Float32Array,
  random: Random,
): void {
  if (name.endsWith('.gamma')) into.fill(1);
  if (!name.endsWith('.kernel')) {
    // Keras' unit_forget_bias: a new network remembers.
    if (name.startsWith('lstm') && name.endsWith('.bias')) {
      into.fill(1, into.length / 4, into.length / 2);
    }
    return;
  }
  const [rows, width] = [shape[0]!, shape[1]!];
  if (name.startsWith('lstm')) {
    const inputs = rows - width / 4;
    glorotUniform(into.subarray(0, inputs * width), inputs, width, random);
    into.set(orthogonalRows(width / 4, width, random), inputs * width);
  } else if (name === 'output.kernel' && layout.shape.branch > 0) {
    // [horizons, branch]: each row is the kernel [branch, 1] of one output.
    glorotUniform(into, width, 1, random);
  } else if (name === 'branch.kernel') {
    // Each branch is a layer of its own: its fan-out is one branch, not all of them.
    glorotUniform(into, rows, layout.shape.branch, random);
  } else {
    glorotUniform(into, rows, width, random);
  }
}

/**
 * `rows` orthonormal rows of length `width` >= rows, uniform over all such: Gram-Schmidt of normal
 * rows, each projected twice because once loses digits (Giraud et al., 2005).
 */
function orthogonalRows(rows: number, width: number, random: Random): Float64Array {
  const normal = normalFrom(random);
  const q = Float64Array.from({ length: rows * width }, normal);
  for (let r = 0; r < rows; r++) {
    const row = q.subarray(r * width, (r + 1) * width);
    for (let pass = 0; pass < 2; pass++) {
      for (let s = 0; s < r; s++) subtractProjection(row, q.subarray(s * width, (s + 1) * width));
    }
    const norm = Math.hypot(...row);
    for (let i = 0; i < width; i++) row[i]! /= norm;
  }
  return q;
}

function subtractProjection(row: Float64Array, unit: Float64Array): void {
  let dot = 0;
  for (let i = 0; i < row.length; i++) dot += row[i]! * unit[i]!;
  for (let i = 0; i < row.length; i++) row[i]! -= dot * unit[i]!;
}
