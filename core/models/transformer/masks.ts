import { evenMask, type MaskPart } from '../network/dropout.impl.ts';
import type { TransformerShape } from './layout.ts';

/** Masks of a network: one of what is embedded, two a layer (what attention adds, what the relu layer adds). */
export const maskCount = ({ layers }: Pick<TransformerShape, 'layers'>): number => 1 + 2 * layers;

/**
 * The masks of one batch in order of use. Each is constant over the bars of a window, [B, 1, dModel], as
 * recurrent networks have it (Gal and Ghahramani, 2016): so the Monte-Carlo graph needs no more noise
 * than a few rows of dModel numbers a sample, and has exactly the distribution of training.
 */
export const masksOf = (shape: TransformerShape, rate: number, batch: number): MaskPart[] =>
  Array.from({ length: maskCount(shape) }, () => evenMask([batch, 1, shape.dModel], rate));
