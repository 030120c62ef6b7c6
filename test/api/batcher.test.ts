import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Batcher } from '../../api/serving/batcher.ts';
import { openSession } from '../../core/onnx/session.impl.ts';
import {
  forecastValues,
  openMonteCarlo,
  openPackage,
  type PredictionWindow,
} from '../../core/predict/index.ts';
import { verifyPackage } from '../../core/packages/verify.ts';
import { expectedOf, LOOKBACK, makePackage, testKeys } from '../support/model-package.ts';

/** A batcher of a small package, the sizes of its runs, and windows that differ. */
async function batching() {
  const built = await makePackage();
  const verified = verifyPackage(built.files, testKeys, expectedOf(built));
  const openers = { openSession, openMonteCarlo: openMonteCarlo(openSession) };
  const opened = await openPackage(verified, openers);
  const runs: number[] = [];
  const { offset, factor } = verified.preprocessing.scalers.features;
  const windowOf = (n: number): PredictionWindow => ({
    instrument: verified.manifest.instruments[0]!,
    values: Float64Array.from({ length: LOOKBACK * offset.length }, (_, i) => {
      return offset[i % offset.length]! + (0.1 * n) / factor[i % offset.length]!;
    }),
    ...{ lastClose: 1_000, asOf: Date.UTC(2024, 0, 5), staleBars: 0, volatility: undefined },
  });
  const batcher = new Batcher(opened, (windows) => runs.push(windows));
  return { opened, batcher, runs, windowOf };
}

it('windows whose forecasts wait for something else share one run once the first needs its own', async () => {
  const { opened, batcher, runs, windowOf } = await batching();
  const windows = [1, 2, 3, 4].map(windowOf);
  const settle: (() => void)[] = [];
  const later = windows.slice(0, 3).map((window, k) => {
    const beside = new Promise<void>((resolve, reject) => {
      // One of them fails: its forecast is needed all the same.
      settle.push(() => (k === 1 ? reject(new Error('no samples')) : resolve()));
    });
    return batcher.forecast(window, beside);
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(runs, []);
  settle[1]!();
  const values = await Promise.all(later);
  for (const one of settle) one();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(runs, [3]);

  const patient = batcher.forecast(windows[0]!, new Promise(() => undefined));
  const asked = await batcher.forecast(windows[3]!);
  assert.deepEqual([await patient, runs], [values[0], [3, 2]]);
  for (const [k, forecast] of [...values, asked].entries()) {
    assert.deepEqual(forecast, await forecastValues(opened, [windows[k]!]));
  }
  await opened.release();
});
