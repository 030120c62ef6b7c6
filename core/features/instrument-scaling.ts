import { labelClasses, labelKindOrThrow } from '../labels/index.ts';
import { applyScaler, withinBounds, type ScalerState } from '../scaling/index.ts';
import { labelStatistics } from './fitted-on.ts';
import type { Prepared, Scalers } from './prepared.ts';

/**
 * Scalers by instrument, in their order, where each is scaled by itself; undefined where one scaler serves all. An
 * instrument without training rows has none of its own: that of all stands in.
 */
export function instrumentScalers({
  byInstrument,
  scalers,
}: Pick<Prepared, 'byInstrument' | 'scalers'>): readonly Scalers[] | undefined {
  if (!byInstrument?.some((own) => own?.scalers)) return undefined;
  return byInstrument.map((own) => own?.scalers ?? scalers);
}

/** Position of the instrument that a row belongs to, -1 of none. */
export const instrumentAt = ({ instruments }: Pick<Prepared, 'instruments'>, row: number): number =>
  instruments.findIndex(({ from, to }) => row >= from && row < to);

const identity = (columns: number): ScalerState => ({
  kind: 'none',
  offset: new Array<number>(columns).fill(0),
  factor: new Array<number>(columns).fill(1),
});

/**
 * The data as a family sees it that is fitted on instruments scaled each by itself: features and labels are scaled
 * already, and what is left for its own scaler is the identity. Its graph stands inside one that does the same to its
 * input and undoes it in its answer (core/onnx/instrument-scaling.ts).
 */
export function scaledByInstrument(prepared: Prepared, scalers: readonly Scalers[]): Prepared {
  const { instruments, featureNames, horizons, split } = prepared;
  const [width, h] = [featureNames.length, horizons.length];
  const features = new Float64Array(prepared.features.length);
  const labels = boundedLabels(prepared);
  for (const [i, { from, to }] of instruments.entries()) {
    const own = prepared.features.subarray(from * width, to * width);
    features.set(applyScaler(scalers[i]!.features, own).values, from * width);
    const known = labels.subarray(from * h, to * h);
    labels.set(applyScaler(scalers[i]!.labels, known).values, from * h);
  }
  const { byInstrument: _own, labelBounds: _done, outliers: _told, ...rest } = prepared;
  return {
    ...rest,
    features,
    labels,
    scalers: { features: identity(width), labels: identity(h) },
    ...labelStatistics(labels, h, split.train),
  };
}

/** A copy of the labels, those of training rows within the bounds where there are some. */
function boundedLabels({ labels, labelBounds, split, horizons }: Prepared): Float64Array {
  const out = labels.slice();
  if (labelBounds === undefined) return out;
  const h = horizons.length;
  for (const row of split.train) {
    out.set(withinBounds(labels.subarray(row * h, (row + 1) * h), labelBounds), row * h);
  }
  return out;
}

/** Answers of such a family for some rows, back in label units; probabilities stay what they are. */
export function unscaledAnswers(
  prepared: Prepared,
  scalers: readonly Scalers[],
  rows: Int32Array,
  answers: Float64Array,
): Float64Array {
  if (labelClasses(labelKindOrThrow(prepared.labelKind)) > 0) return answers;
  const h = prepared.horizons.length;
  return answers.map((value, at) => {
    const { offset, factor } = scalers[instrumentAt(prepared, rows[Math.floor(at / h)]!)]!.labels;
    return value / factor[at % h]! + offset[at % h]!;
  });
}
