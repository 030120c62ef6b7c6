import { RatchetError } from '../../errors.ts';
import type { OnnxSession, SessionInput, SessionInputs } from '../session.ts';
import { type Forest, forestOf } from './forest.ts';
import { readTreePlan, type TreePlan } from './plan.ts';

/** The input, if it is doubles of that shape; throws `onnx.input`. */
function doubles(
  inputs: SessionInputs,
  name: string,
  [n, ...dims]: readonly number[],
): Float64Array {
  const given: SessionInput | undefined = inputs[name];
  const size = dims.reduce((product, dim) => product * dim, n!);
  if (given?.data instanceof Float64Array && given.data.length === size && size > 0) {
    if (
      given.dims.length === 1 + dims.length &&
      dims.every((dim, i) => given.dims[i + 1] === dim)
    ) {
      return given.data;
    }
  }
  throw new RatchetError('onnx.input', `${name}: not [${[n, ...dims].join(', ')}] doubles`);
}

/** What answers need of a plan and its trees: no node is an object here. */
type Answering = Omit<TreePlan, 'ensemble'> & { readonly forest: Forest };

function answeringOf(bytes: Uint8Array): Answering {
  const { ensemble, ...plan } = readTreePlan(bytes);
  return { ...plan, forest: forestOf(ensemble) };
}

/**
 * A graph of trees alone, answered here: an empty run of onnxruntime takes longer than 300 trees
 * do. All that such a graph computes is rounded in one way by IEEE 754, so answers have
 * onnxruntime's bits. Throws `onnx.open` for any other graph.
 */
export function openTreeSession(bytes: Uint8Array): OnnxSession {
  let answering: Answering | undefined;
  try {
    answering = answeringOf(bytes);
  } catch (cause) {
    throw new RatchetError('onnx.open', 'the model is not the graph of trees that it says', {
      cause,
    });
  }
  return {
    inputNames: answering.inputNames,
    run: async (inputs) => {
      if (!answering) throw new RatchetError('onnx.run', 'the session was released');
      return answersOf(answering, inputs);
    },
    release: async () => {
      answering = undefined;
    },
  };
}

function answersOf(
  { lookback, features, values, sums, steps, close, answer, forest }: Answering,
  inputs: SessionInputs,
): Float64Array {
  const n = inputs['x']?.dims[0] ?? 0;
  const x = doubles(inputs, 'x', [n, lookback, features]);
  const closes = close === undefined ? undefined : doubles(inputs, 'close', [n, 1]);
  const outputs = answer.length;
  const out = new Float64Array(n * outputs);
  for (let row = 0; row < n; row++) {
    forest.ask(x, (row * lookback + lookback - 1) * features);
    for (let target = 0; target < sums.length; target++) {
      values[sums[target]!] = forest.sums[target]!;
    }
    if (closes) values[close!] = closes[row]!;
    for (const step of steps) step(values);
    for (let k = 0; k < outputs; k++) out[row * outputs + k] = values[answer[k]!]!;
  }
  return out;
}
