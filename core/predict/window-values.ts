import { packagedFeatureSetOrThrow } from '../features/index.ts';
import type { VerifiedPackage } from '../packages/verify.ts';
import { PredictError } from './predict-error.ts';

/** -1: all are. Written out, as a window has thousands of values: `findIndex` takes several times as long. */
function firstNotFinite(values: Float64Array): number {
  for (let at = 0; at < values.length; at++) {
    if (!Number.isFinite(values[at]!)) return at;
  }
  return -1;
}

/** Throws `predict.bad-window` that names the first value which is not finite. */
export function checkFinite(values: Float64Array, pkg: VerifiedPackage): void {
  const at = firstNotFinite(values);
  if (at < 0) return;
  const names = pkg.preprocessing.featureNames;
  const [row, field] = [Math.floor(at / names.length), names[at % names.length]];
  throw new PredictError(
    'predict.bad-window',
    `${field} in row ${row} of the window is ${values[at]}, not a finite number`,
    { details: { row, field } },
  );
}

/**
 * The same of features that were made here: throws `predict.stale-source` where one has no value because its exogenous
 * source has had none for longer than the feature's `period`, the age that the spec allows.
 */
export function checkMade(values: Float64Array, pkg: VerifiedPackage): void {
  if (firstNotFinite(values) < 0) return;
  const { columns } = packagedFeatureSetOrThrow(pkg.manifest);
  const at = values.findIndex(
    (value, i) => Number.isNaN(value) && columns[i % columns.length]!.use.exogenous.length > 0,
  );
  if (at < 0) return checkFinite(values, pkg);
  const { name, use: read } = columns[at % columns.length]!;
  const row = Math.floor(at / columns.length);
  const [column] = read.exogenous;
  throw new PredictError(
    'predict.stale-source',
    `${column} has no value that is recent enough for ${name} in row ${row} of the window: the source has brought nothing newer`,
    { details: { row, field: name, column } },
  );
}
