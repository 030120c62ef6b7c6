import { z } from 'zod';
import type { ExperimentSpec } from './spec.ts';

const THREE_HORIZONS = [0.5, 0.3, 0.2] as const;
const weightsSchema = z.array(z.number().min(0));

/**
 * Weight of each horizon in the loss that versions are compared by, adding up to 1: the family's `lossWeights` where it
 * has such a hyperparameter, else 0.5, 0.3, 0.2 for three horizons and equal weights for any other number.
 */
export function lossWeightsOf(spec: Pick<ExperimentSpec, 'label' | 'hyperparameters'>): number[] {
  const horizons = spec.label.horizons.length;
  const given = weightsSchema.safeParse(spec.hyperparameters['lossWeights']);
  if (given.success && given.data.length === horizons) {
    const sum = given.data.reduce((a, b) => a + b, 0);
    if (sum > 0) return given.data.map((w) => w / sum);
  }
  if (horizons === THREE_HORIZONS.length) return [...THREE_HORIZONS];
  return Array.from({ length: horizons }, () => 1 / horizons);
}
