import { SALT_WEIGHTS, glorotUniform } from '../network/initialise.ts';
import type { FlatWeights, Parameter } from '../network/layout.ts';
import { normalFrom, randomFor, type Random } from '../random.ts';
import type { TransformerLayout } from './layout.ts';

/** SD of learned positions at the start, as in BERT (Devlin et al., 2019). */
const POSITION_SD = 0.02;

/**
 * First weights: kernels Glorot uniform, those of queries, keys and values each for itself, biases 0,
 * learned positions normal. A pure function of the seed and the layout.
 */
export function initialWeights(layout: TransformerLayout, seed: number): FlatWeights {
  const theta = new Float32Array(layout.parameterCount);
  layout.parameters.forEach((parameter, index) => {
    const into = theta.subarray(parameter.offset, parameter.offset + parameter.size);
    initialiseParameter(parameter, into, randomFor(seed, SALT_WEIGHTS, index));
  });
  return { theta, movingMean: new Float32Array(0), movingVariance: new Float32Array(0) };
}

function initialiseParameter({ name, shape }: Parameter, into: Float32Array, random: Random): void {
  const [rows, columns] = [shape[0]!, shape[1]!];
  if (name === 'positions') {
    const normal = normalFrom(random);
    into.forEach((_, i) => {
      into[i] = POSITION_SD * normal();
    });
  } else if (name.endsWith('.kernel')) {
    glorotUniform(into, rows, name.startsWith('attention') ? columns / 3 : columns, random);
  }
}
