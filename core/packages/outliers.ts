import { PACKAGE_PATHS, PackageError } from './files.ts';
import type { StoredOutliers } from './manifest.ts';

/** Training rows that stand for all of them, ready to be compared with. */
export interface OutlierReference extends Omit<StoredOutliers, 'offset' | 'factor' | 'points'> {
  /** By feature: standardised = (x - offset) * factor. */
  readonly offset: Float64Array;
  readonly factor: Float64Array;
  /** Standardised, row-major [points x features]. */
  readonly points: Float32Array;
}

/** base64 of float32, little-endian. */
function encodeFloat32(values: Float32Array): string {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => bytes.writeFloatLE(value, 4 * i));
  return bytes.toString('base64');
}

/** What `outliers.json` says. */
export const storedOutliers = (reference: OutlierReference): StoredOutliers => ({
  ...reference,
  offset: [...reference.offset],
  factor: [...reference.factor],
  points: encodeFloat32(reference.points),
});

/**
 * The reference of a package with `features` features. Throws `package.content` where the numbers do not
 * fit together or are not finite.
 */
export function readOutliers(stored: StoredOutliers, features: number): OutlierReference {
  const bytes = Buffer.from(stored.points, 'base64');
  const points = new Float32Array(bytes.length >> 2);
  for (let i = 0; i < points.length; i++) points[i] = bytes.readFloatLE(4 * i);
  const whole = bytes.length > 0 && bytes.length % (4 * features) === 0;
  if (stored.offset.length !== features || !whole || !points.every(Number.isFinite)) {
    const path = PACKAGE_PATHS.outliers;
    throw new PackageError('package.content', `${path} is not one of ${features} features`, {
      path,
    });
  }
  return {
    ...stored,
    offset: Float64Array.from(stored.offset),
    factor: Float64Array.from(stored.factor),
    points,
  };
}
