/** Planted classes: rows whose class is drawn from probabilities that a model may know in part. */
import type { EvaluationInput } from '../../../core/evaluation/index.ts';
import { labelKindOrThrow } from '../../../core/labels/index.ts';
import { seededUniform } from '../../../core/seeded-uniform.ts';
import { plant, seedOf } from './planted.ts';

export const PRIORS = [0.25, 0.5, 0.25];

/** Sell, hold, buy over one horizon of one bar; `known` in 0..1 tilts the true shares of sell and buy. */
export function plantClasses(known: number, rows = 900): EvaluationInput {
  const uniform = seededUniform(5);
  const horizons = [1];
  const labels = new Float64Array(rows);
  const changes = new Float64Array(rows);
  const probabilities = new Float64Array(rows * 3);
  for (let row = 0; row < rows; row++) {
    const tilt = known * (2 * uniform() - 1);
    const truth = [0.25 * (1 - tilt), 0.5, 0.25 * (1 + tilt)];
    probabilities.set(truth, row * 3);
    const u = uniform();
    const of = u < truth[0]! ? 0 : u < truth[0]! + truth[1]! ? 1 : 2;
    labels[row] = of;
    changes[row] = 0.01 * (of - 1);
  }
  const { input } = plant({ rows, horizons });
  return {
    ...input,
    label: labelKindOrThrow('threeClass'),
    labelParams: { by: 'fixed', threshold: 0.005 },
    classes: { priors: [PRIORS], changes: [[-0.01, 0, 0.01]] },
    rows: { ...input.rows, labels, changes },
    seeds: [seedOf(1, probabilities), seedOf(2, probabilities)],
  };
}

/** Hold and buy with given classes and probabilities of buy; the seed documents' kind of model. */
export function binaryClasses(
  actual: readonly number[],
  buy: readonly number[],
  horizon = 1,
): EvaluationInput {
  const { input } = plant({ rows: actual.length, horizons: [horizon] });
  const share = actual.filter((c) => c === 1).length / actual.length;
  const probabilities = Float64Array.from(buy.flatMap((p) => [1 - p, p]));
  return {
    ...input,
    label: labelKindOrThrow('binaryForwardReturn'),
    labelParams: { by: 'fixed', threshold: 0.02 },
    classes: { priors: [[1 - share, share]], changes: [[0, 0.03]] },
    rows: {
      ...input.rows,
      labels: Float64Array.from(actual),
      changes: Float64Array.from(actual, (c) => 0.03 * c),
    },
    seeds: [seedOf(1, probabilities)],
  };
}
