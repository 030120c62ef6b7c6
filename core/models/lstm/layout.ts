import type { BranchWeights, DenseWeights, LstmNetWeights } from '../../onnx/networks.ts';
import {
  type FlatLayout,
  type FlatWeights,
  ParameterList,
  parameterOf,
} from '../network/layout.ts';

/** Keras' default; the exported graph uses the same. */
export const BATCH_NORM_EPSILON = 1e-3;

/** Sizes of one network. */
export interface NetworkShape {
  readonly inputs: number;
  readonly units: readonly number[];
  readonly dense: readonly number[];
  /** Width of the relu layer of each horizon; 0: none, one linear layer gives all outputs. */
  readonly branch: number;
  readonly horizons: number;
  /** Outputs of a horizon; 1 where there are branches. */
  readonly outputs: number;
}

/** Where everything lies in the flat vectors of a network. */
export interface Layout extends FlatLayout {
  readonly shape: NetworkShape;
}

/**
 * Order of the parameters. An LSTM layer's kernel is [inputs + units, 4 units]: the input rows, then
 * the recurrent rows, gates i, f, c, o as in Keras; the fused kernel takes it in one piece. The
 * branches are joined: one matrix [width, horizons x branch], outputs [horizons, branch]; without
 * branches the outputs are one matrix [width, horizons x outputs].
 */
export function layoutOf(shape: NetworkShape): Layout {
  const list = new ParameterList();
  const add = list.add.bind(list);
  let width = shape.inputs;
  shape.units.forEach((units, k) => {
    add(`lstm${k}.kernel`, width + units, 4 * units);
    add(`lstm${k}.bias`, 4 * units);
    add(`lstm${k}.gamma`, units);
    add(`lstm${k}.beta`, units);
    width = units;
  });
  shape.dense.forEach((units, k) => {
    add(`dense${k}.kernel`, width, units);
    add(`dense${k}.bias`, units);
    width = units;
  });
  if (shape.branch > 0) {
    add('branch.kernel', width, shape.horizons * shape.branch);
    add('branch.bias', shape.horizons * shape.branch);
    add('output.kernel', shape.horizons, shape.branch);
    add('output.bias', shape.horizons);
  } else {
    add('output.kernel', width, shape.horizons * shape.outputs);
    add('output.bias', shape.horizons * shape.outputs);
  }
  const statisticsCount = shape.units.reduce((a, b) => a + b, 0);
  return { shape, ...list.layout(statisticsCount) };
}

/** Columns [from, from + count) of a row-major matrix. */
function columns(matrix: Float32Array, width: number, from: number, count: number): Float32Array {
  const rows = matrix.length / width;
  const out = new Float32Array(rows * count);
  for (let r = 0; r < rows; r++) {
    out.set(matrix.subarray(r * width + from, r * width + from + count), r * count);
  }
  return out;
}

/** The weights in Keras' layout, as the ONNX builders take them. */
export function toNetWeights(
  layout: Layout,
  weights: FlatWeights,
  rates: LstmNetWeights['rates'],
): LstmNetWeights {
  const { shape } = layout;
  const part = (name: string): Float32Array => parameterOf(layout, weights.theta, name);
  let width = shape.inputs;
  let statistics = 0;
  const lstm = shape.units.map((units, k) => {
    const joined = part(`lstm${k}.kernel`);
    const inputs = width;
    width = units;
    const from = statistics;
    statistics += units;
    return {
      inputs,
      units,
      kernel: joined.slice(0, inputs * 4 * units),
      recurrent: joined.slice(inputs * 4 * units),
      bias: part(`lstm${k}.bias`),
      gamma: part(`lstm${k}.gamma`),
      beta: part(`lstm${k}.beta`),
      movingMean: weights.movingMean.slice(from, statistics),
      movingVariance: weights.movingVariance.slice(from, statistics),
    };
  });
  const dense: DenseWeights[] = shape.dense.map((units, k) => {
    const inputs = width;
    width = units;
    return { inputs, units, kernel: part(`dense${k}.kernel`), bias: part(`dense${k}.bias`) };
  });
  const common = { lstm, dense, batchNormEpsilon: BATCH_NORM_EPSILON, rates };
  if (shape.branch > 0) return { ...common, branches: branchesOf(shape, width, part) };
  const units = shape.horizons * shape.outputs;
  const output = { inputs: width, units, kernel: part('output.kernel'), bias: part('output.bias') };
  return { ...common, branches: [], output };
}

function branchesOf(
  shape: NetworkShape,
  inputs: number,
  part: (name: string) => Float32Array,
): BranchWeights[] {
  const { branch: units, horizons } = shape;
  const kernel = part('branch.kernel');
  const bias = part('branch.bias');
  const output = part('output.kernel');
  const outputBias = part('output.bias');
  return Array.from({ length: horizons }, (_, k) => ({
    hidden: {
      inputs,
      units,
      kernel: columns(kernel, horizons * units, k * units, units),
      bias: bias.slice(k * units, (k + 1) * units),
    },
    output: { kernel: output.slice(k * units, (k + 1) * units), bias: outputBias[k]! },
  }));
}
