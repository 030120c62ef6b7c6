import { RatchetError } from '../errors.ts';
import type { ScalerState } from '../scaling/scaler.ts';
import type { Samples, Windows } from './model.ts';

/** Column `c` of a row-major matrix through its scaler: within its bounds, (x - offset) x factor, clipped. */
function scaleValue(value: number, scaler: ScalerState, column: number): number {
  const { bounds } = scaler;
  const seen = bounds
    ? Math.min(Math.max(value, bounds.low[column]!), bounds.high[column]!)
    : value;
  const scaled = (seen - scaler.offset[column]!) * scaler.factor[column]!;
  if (!scaler.clip) return scaled;
  return Math.min(Math.max(scaled, scaler.clip[0]), scaler.clip[1]);
}

/**
 * All feature rows, scaled in double and rounded once to float32, row-major [rows x features]; the
 * same arithmetic as the exported graph. NaN rows (warm-up) stay NaN and must not be in a window.
 */
export function scaleFeatures(samples: Samples, scaler: ScalerState): Float32Array {
  const { features, featureCount } = samples;
  assertColumns(scaler, featureCount, 'feature');
  const out = new Float32Array(features.length);
  for (let at = 0, c = 0; at < features.length; at++) {
    out[at] = scaleValue(features[at]!, scaler, c);
    c = c + 1 === featureCount ? 0 : c + 1;
  }
  return out;
}

/** The last row of each window, scaled, in double: row-major [samples x features]. */
export function scaleLastRows(samples: Samples, scaler: ScalerState): Float64Array {
  const { features, featureCount, endRow } = samples;
  assertColumns(scaler, featureCount, 'feature');
  const out = new Float64Array(endRow.length * featureCount);
  for (let i = 0; i < endRow.length; i++) {
    const from = endRow[i]! * featureCount;
    for (let c = 0; c < featureCount; c++) {
      out[i * featureCount + c] = scaleValue(features[from + c]!, scaler, c);
    }
  }
  return out;
}

/** Labels in scaled units, row-major [samples x horizons]. */
export function scaleLabels(samples: Samples, scaler: ScalerState): Float64Array {
  const horizons = samples.horizons.length;
  assertColumns(scaler, horizons, 'label');
  return samples.labels.map((y, at) => scaleValue(y, scaler, at % horizons));
}

/** Back from scaled units to label units, in place: x = scaled / factor + offset. */
export function unscaleLabels(scaled: Float64Array, scaler: ScalerState): Float64Array {
  const horizons = scaler.offset.length;
  for (let at = 0; at < scaled.length; at++) {
    const k = at % horizons;
    scaled[at] = scaled[at]! / scaler.factor[k]! + scaler.offset[k]!;
  }
  return scaled;
}

function assertColumns(scaler: ScalerState, columns: number, what: string): void {
  if (scaler.offset.length === columns && scaler.factor.length === columns) return;
  throw new RatchetError(
    'model.shape-mismatch',
    `the ${what} scaler has ${scaler.offset.length} columns, the samples have ${columns}`,
  );
}

/**
 * Refuses samples no model may see: none at all (`training.no-samples`), windows outside the rows
 * (`model.shape-mismatch`), labels that are no class, or NaN and infinities (`training.not-finite`, with the place of the first).
 */
export function assertUsable(samples: Samples, part: string, reads: 'window' | 'last-row'): void {
  const { endRow, lookback, featureCount, features, horizons, labels, classes } = samples;
  if (endRow.length === 0) {
    throw new RatchetError('training.no-samples', `the ${part} part has no samples`);
  }
  if (labels.length !== endRow.length * horizons.length) {
    throw new RatchetError('model.shape-mismatch', `${part}: labels do not match the samples`);
  }
  assertWindowsFinite(samples, part, reads === 'window' ? lookback : 1);
  const rows = features.length / featureCount;
  if (!Number.isInteger(rows)) {
    throw new RatchetError('model.shape-mismatch', `${part}: features are no whole rows`);
  }
  const bad = labels.findIndex((y) => !Number.isFinite(y));
  if (bad >= 0) {
    const sample = Math.floor(bad / horizons.length);
    throw notFinite(part, `label of sample ${sample}, horizon ${horizons[bad % horizons.length]}`);
  }
  const isClass = (label: number): boolean =>
    Number.isInteger(label) && label >= 0 && label < classes;
  if (classes > 0 && !labels.every(isClass)) {
    throw new RatchetError(
      'model.shape-mismatch',
      `${part}: a label is none of ${classes} classes`,
    );
  }
}

/** Throws `training.not-finite` when one of the `depth` last rows of a window is not all finite. */
export function assertWindowsFinite(samples: Windows, part: string, depth: number): void {
  const { features, featureCount, endRow } = samples;
  const rows = Math.floor(features.length / featureCount);
  // Windows overlap: each row is looked at once.
  const checked = new Uint8Array(rows);
  for (const end of endRow) {
    if (end - depth + 1 < 0 || end >= rows) {
      throw new RatchetError('model.shape-mismatch', `${part}: window ending at row ${end}`);
    }
    for (let row = end; row > end - depth && checked[row] === 0; row--) {
      checked[row] = 1;
      for (let c = 0; c < featureCount; c++) {
        if (!Number.isFinite(features[row * featureCount + c]!)) {
          throw notFinite(part, `feature ${c} at row ${row}`);
        }
      }
    }
  }
}

const notFinite = (part: string, where: string): RatchetError =>
  new RatchetError('training.not-finite', `${part} part: ${where} is NaN or infinite`);
