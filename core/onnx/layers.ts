import type { ScalerState } from '../scaling/scaler.ts';
import type { Graph } from './graph.ts';
import { ELEMENT_TYPES } from './onnx-format.ts';

/** A fully connected layer: kernel [inputs x units] row-major, bias [units]. */
export interface DenseWeights {
  readonly inputs: number;
  readonly units: number;
  readonly kernel: Float32Array;
  readonly bias: Float32Array;
}

/**
 * One LSTM layer with the batch norm that follows it, in Keras layout: kernel [inputs x 4 units],
 * recurrent [units x 4 units], bias [4 units], gates in the order i, f, c, o; batch norm [units].
 */
export interface LstmLayerWeights {
  readonly inputs: number;
  readonly units: number;
  readonly kernel: Float32Array;
  readonly recurrent: Float32Array;
  readonly bias: Float32Array;
  readonly gamma: Float32Array;
  readonly beta: Float32Array;
  readonly movingMean: Float32Array;
  readonly movingVariance: Float32Array;
}

/** One horizon's branch: relu(hidden), then one linear unit. */
export interface BranchWeights {
  readonly hidden: DenseWeights;
  readonly output: { readonly kernel: Float32Array; readonly bias: number };
}

const KERAS_GATES = ['i', 'f', 'c', 'o'] as const;
const ONNX_GATES = ['i', 'o', 'f', 'c'] as const;

/** Keras [rows x 4 units] (gates i,f,c,o) -> ONNX [4 units x rows] (gates i,o,f,c): transposed as well. */
export function toOnnxGates(kernel: Float32Array, rows: number, units: number): Float32Array {
  const out = new Float32Array(4 * units * rows);
  ONNX_GATES.forEach((gate, to) => {
    const from = KERAS_GATES.indexOf(gate);
    for (let u = 0; u < units; u++) {
      for (let r = 0; r < rows; r++) {
        out[(to * units + u) * rows + r] = kernel[r * 4 * units + from * units + u]!;
      }
    }
  });
  return out;
}

/**
 * ONNX's LSTM operator. x [T, N, inputs] -> [T, N, units], or [N, units] of the last step. Time-major,
 * because onnxruntime's CPU kernel knows only layout 0. Keras has one bias: ONNX's second stays zero.
 */
export function lstm(g: Graph, x: string, w: LstmLayerWeights, lastStepOnly: boolean): string {
  const bias = new Float32Array(8 * w.units);
  bias.set(toOnnxGates(w.bias, 1, w.units));
  const inputs = [
    x,
    g.constant(toOnnxGates(w.kernel, w.inputs, w.units), [1, 4 * w.units, w.inputs]),
    g.constant(toOnnxGates(w.recurrent, w.units, w.units), [1, 4 * w.units, w.units]),
    g.constant(bias, [1, 8 * w.units]),
  ];
  const [sequence, last] = g.opMany('LSTM', inputs, 2, { hidden_size: { int: w.units } });
  return lastStepOnly
    ? g.op('Squeeze', [last!, g.ints(0)])
    : g.op('Squeeze', [sequence!, g.ints(1)]);
}

/** Batch norm at inference as h * factor + shift, [units], folded in double precision. */
export function batchNormFactors(
  w: LstmLayerWeights,
  epsilon: number,
): { readonly factor: Float32Array; readonly shift: Float32Array } {
  const scale = Float64Array.from(w.gamma, (gamma, i) => {
    return gamma / Math.sqrt(w.movingVariance[i]! + epsilon);
  });
  const shift = Float32Array.from(scale, (s, i) => w.beta[i]! - w.movingMean[i]! * s);
  return { factor: Float32Array.from(scale), shift };
}

/** Batch norm at inference over the last axis: one Mul and one Add. */
export function batchNorm(g: Graph, x: string, w: LstmLayerWeights, epsilon: number): string {
  const { factor, shift } = batchNormFactors(w, epsilon);
  return g.op('Add', [mul(g, x, g.constant(factor)), g.constant(shift)]);
}

/** x [N, inputs] -> [N, units]. */
export function dense(g: Graph, x: string, w: DenseWeights): string {
  return g.op('Gemm', [x, g.constant(w.kernel, [w.inputs, w.units]), g.constant(w.bias)]);
}

export const relu = (g: Graph, x: string): string => g.op('Relu', [x]);
export const mul = (g: Graph, a: string, b: string): string => g.op('Mul', [a, b]);

/** The branches side by side: one hidden layer, and one block-diagonal output layer [N, branches]. */
export function joinBranches(branches: readonly BranchWeights[]): {
  hidden: DenseWeights;
  output: DenseWeights;
} {
  const inputs = branches[0]!.hidden.inputs;
  const width = branches.reduce((sum, branch) => sum + branch.hidden.units, 0);
  const hidden = new Float32Array(inputs * width);
  const hiddenBias = new Float32Array(width);
  const output = new Float32Array(width * branches.length);
  let column = 0;
  branches.forEach((branch, k) => {
    const { units, kernel, bias } = branch.hidden;
    hiddenBias.set(bias, column);
    for (let r = 0; r < inputs; r++) {
      hidden.set(kernel.subarray(r * units, (r + 1) * units), r * width + column);
    }
    for (let u = 0; u < units; u++) {
      output[(column + u) * branches.length + k] = branch.output.kernel[u]!;
    }
    column += units;
  });
  return {
    hidden: { inputs, units: width, kernel: hidden, bias: hiddenBias },
    output: {
      inputs: width,
      units: branches.length,
      kernel: output,
      bias: Float32Array.from(branches, (branch) => branch.output.bias),
    },
  };
}

/** `core/scaling` of the last axis inside the graph, in float64: within bounds, (x - offset) * factor, clipped. */
export function scale(g: Graph, x: string, scaler: ScalerState): string {
  const { bounds } = scaler;
  const raised = bounds ? g.op('Max', [x, g.constant(Float64Array.from(bounds.low))]) : x;
  const seen = bounds ? g.op('Min', [raised, g.constant(Float64Array.from(bounds.high))]) : x;
  const shifted = g.op('Sub', [seen, g.constant(Float64Array.from(scaler.offset))]);
  const scaled = mul(g, shifted, g.constant(Float64Array.from(scaler.factor)));
  if (!scaler.clip) return scaled;
  const [low, high] = scaler.clip;
  return g.op('Clip', [scaled, g.scalar(low, 'float64'), g.scalar(high, 'float64')]);
}

/** Inverse of the label scaler, in float64: y / factor + offset. */
export function unscale(g: Graph, y: string, scaler: ScalerState): string {
  const wide = g.op('Div', [y, g.constant(Float64Array.from(scaler.factor))]);
  return g.op('Add', [wide, g.constant(Float64Array.from(scaler.offset))]);
}

export function cast(g: Graph, x: string, to: 'float32' | 'float64'): string {
  return g.op('Cast', [x], { to: { int: ELEMENT_TYPES[to] } });
}
