/** The network of a policy: logits of actions from the newest scaled row, linear or with one hidden layer of tanh. */
import type { LinearWeights } from '../../onnx/linear.ts';
import { applyLinear } from '../linear-model.ts';
import { randomFor } from '../random.ts';
import { SALT_WEIGHTS } from '../network/initialise.ts';

export interface PolicyShape {
  readonly inputs: number;
  /** Units of the hidden layer; 0: there is none. */
  readonly hidden: number;
  /** Actions of each horizon. */
  readonly classes: number;
  readonly horizons: number;
}

/** All parameters in one vector: of the hidden layer kernel [inputs x hidden] and bias, then of the output. */
export type Theta = Float64Array;

export const outputsOf = ({ classes, horizons }: PolicyShape): number => classes * horizons;

const layer = (inputs: number, outputs: number): number => (inputs + 1) * outputs;

export function parameterCount(shape: PolicyShape): number {
  const { inputs, hidden } = shape;
  const outputs = outputsOf(shape);
  return hidden === 0 ? layer(inputs, outputs) : layer(inputs, hidden) + layer(hidden, outputs);
}

/** Views on the parameters, layer by layer. */
export function layersOf(shape: PolicyShape, theta: Theta): readonly LinearWeights[] {
  const { inputs, hidden } = shape;
  const outputs = outputsOf(shape);
  let at = 0;
  const take = (length: number): Float64Array => theta.subarray(at, (at += length));
  const next = (from: number, to: number): LinearWeights => ({
    coefficients: take(from * to),
    intercepts: take(to),
  });
  return hidden === 0 ? [next(inputs, outputs)] : [next(inputs, hidden), next(hidden, outputs)];
}

/**
 * Where a training begins: every action is equally likely whatever the row says, because the output layer is 0. The
 * hidden kernel is drawn as Glorot and Bengio (2010) do.
 */
export function initialTheta(shape: PolicyShape, seed: number): Theta {
  const theta = new Float64Array(parameterCount(shape));
  if (shape.hidden === 0) return theta;
  const random = randomFor(seed, SALT_WEIGHTS);
  const limit = Math.sqrt(6 / (shape.inputs + shape.hidden));
  const [first] = layersOf(shape, theta);
  const { coefficients } = first!;
  for (let at = 0; at < coefficients.length; at++) coefficients[at] = (2 * random() - 1) * limit;
  return theta;
}

export interface Forward {
  /** Row-major [rows x hidden]; absent without a hidden layer. */
  readonly hidden?: Float64Array;
  /** Row-major [rows x outputs]. */
  readonly logits: Float64Array;
}

/** `x` row-major [rows x inputs], scaled. */
export function forward(shape: PolicyShape, theta: Theta, x: Float64Array): Forward {
  const [first, second] = layersOf(shape, theta);
  const out = applyLinear(first!, x, shape.inputs);
  if (second === undefined) return { logits: out };
  const hidden = out.map(Math.tanh);
  return { hidden, logits: applyLinear(second, hidden, shape.hidden) };
}

/** Gradient by the parameters of what has the gradient `dLogits` [rows x outputs] by the logits of `forward`. */
export function backward(
  shape: PolicyShape,
  theta: Theta,
  x: Float64Array,
  { hidden }: Forward,
  dLogits: Float64Array,
): Theta {
  const gradient = new Float64Array(theta.length);
  const [first, second] = layersOf(shape, gradient);
  if (second === undefined || hidden === undefined) {
    addOuter(x, shape.inputs, dLogits, first!);
    return gradient;
  }
  addOuter(hidden, shape.hidden, dLogits, second);
  const { coefficients } = layersOf(shape, theta)[1]!;
  const outputs = outputsOf(shape);
  const dHidden = hidden.map((value, at) => {
    const row = Math.floor(at / shape.hidden) * outputs;
    const unit = (at % shape.hidden) * outputs;
    let sum = 0;
    for (let k = 0; k < outputs; k++) sum += dLogits[row + k]! * coefficients[unit + k]!;
    return sum * (1 - value * value);
  });
  addOuter(x, shape.inputs, dHidden, first!);
  return gradient;
}

/** Adds inputs^T x outputs to a layer's coefficients, and the sums of outputs to its intercepts. */
function addOuter(
  inputs: Float64Array,
  width: number,
  outputs: Float64Array,
  { coefficients, intercepts }: LinearWeights,
): void {
  const units = intercepts.length;
  const rows = outputs.length / units;
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < units; k++) {
      const d = outputs[row * units + k]!;
      if (d === 0) continue;
      intercepts[k]! += d;
      for (let i = 0; i < width; i++) {
        coefficients[i * units + k]! += inputs[row * width + i]! * d;
      }
    }
  }
}
