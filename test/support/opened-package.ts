import assert from 'node:assert/strict';
import type { Bars } from '../../core/bars/bars.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { RatchetError } from '../../core/errors.ts';
import { openSession } from '../../core/onnx/session.impl.ts';
import { verifyPackage } from '../../core/packages/verify.ts';
import { openMonteCarlo, openPackage } from '../../core/predict/index.ts';
import type { OpenedPackage } from '../../core/predict/index.ts';
import { expectedOf, makePackage, testKeys } from './model-package.ts';
import type { PackageOptions } from './model-package.ts';
import { syntheticBars } from './synthetic-bars.ts';

export const openers = { openSession, openMonteCarlo: openMonteCarlo(openSession) };
const opened: OpenedPackage[] = [];

/** Makes, verifies and opens a package; `releaseAll` belongs into `after`. */
export async function openMade(options: PackageOptions = {}): Promise<OpenedPackage> {
  const built = await makePackage(options);
  const pkg = await openPackage(verifyPackage(built.files, testKeys, expectedOf(built)), openers);
  opened.push(pkg);
  return pkg;
}

export async function releaseAll(): Promise<void> {
  await Promise.all(opened.map((pkg) => pkg.release()));
}

export const calendar = calendarFor('nyse');
export const barsOf = (count: number, volatility?: (bar: number) => number): Bars =>
  syntheticBars(count, {
    seed: 'predict',
    instrument: '^GSPC',
    ...(volatility ? { volatility } : {}),
  });
export const bars = barsOf(1400);
export const lastOpen = bars.openTime.at(-1)!;
/** Just after the last bar's close. */
export const now = calendar.closeTime(lastOpen, '1d') + 60_000;

/** A check for `assert.throws`: the stable code, and details that must be among the error's. */
export const code = (wanted: string, details?: object) => (error: unknown) => {
  assert.ok(error instanceof RatchetError, String(error));
  assert.equal(error.code, wanted);
  if (details) assert.deepEqual({ ...error.details, ...details }, error.details);
  return true;
};
