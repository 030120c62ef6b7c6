import { evenMask, type MaskPart } from '../network/dropout.impl.ts';
import type { NetworkShape } from './layout.ts';

export interface DropoutRates {
  readonly dropout: number;
  readonly recurrentDropout: number;
}

/**
 * The masks of one batch in order of use: for each LSTM layer its inputs and its matrix, then each
 * shared layer, then the joined branches or, where there is neither, the last LSTM's newest step. Keras' marginal distribution on the fused kernel: an input
 * mask is constant over time, [1, B, inputs]; the recurrent mask drops rows of the recurrent matrix
 * and is shared by the batch. The input rows of that joined matrix are never dropped.
 */
export function masksOf(shape: NetworkShape, rates: DropoutRates, batch: number): MaskPart[] {
  const parts: MaskPart[] = [];
  let width = shape.inputs;
  for (const units of shape.units) {
    parts.push(evenMask([1, batch, width], rates.dropout));
    const rows = new Float32Array(width + units).fill(rates.recurrentDropout, width);
    parts.push({ shape: [width + units, 1], rates: rows });
    width = units;
  }
  for (const units of shape.dense) parts.push(evenMask([batch, units], rates.dropout));
  // What the outputs read is dropped as well, unless it is a shared layer, which was.
  if (shape.branch > 0) parts.push(evenMask([batch, shape.horizons * shape.branch], rates.dropout));
  else if (shape.dense.length === 0) parts.push(evenMask([batch, width], rates.dropout));
  return parts;
}
