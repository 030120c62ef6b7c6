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

/** Of the event loop, more than one run takes. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

it('windows whose forecasts wait for something else share one run once the first needs its own', async () => {
  const { opened, batcher, runs, windowOf } = await batching();
  const windows = [1, 2, 3, 4].map(windowOf);
  const settle: (() => void)[] = [];
  const later = windows.slice(0, 3).map((window) => {
    const beside = new Promise<void>((resolve) => settle.push(resolve));
    return batcher.forecast(window, beside);
  });
  await turns();
  assert.deepEqual(runs, []);
  settle[1]!();
  const values = await Promise.all(later);
  for (const one of settle) one();
  await turns();
  assert.deepEqual(runs, [3]);

  const patient = batcher.forecast(windows[0]!, new Promise(() => undefined));
  const asked = await batcher.forecast(windows[3]!);
  assert.deepEqual([await patient, runs], [values[0], [3, 2]]);
  for (const [k, forecast] of [...values, asked].entries()) {
    assert.deepEqual(forecast, await forecastValues(opened, [windows[k]!]));
  }
  await opened.release();
});

it('a window whose other half fails fails with it and is in no run', async () => {
  const { opened, batcher, runs, windowOf } = await batching();
  const failure = new Error('no samples');
  const beside = Promise.reject(failure);
  await assert.rejects(batcher.forecast(windowOf(1), beside), failure);
  await turns();
  assert.deepEqual(runs, []);
  await batcher.forecast(windowOf(2));
  assert.deepEqual(runs, [1]);
  await opened.release();
});

it('windows that are needed are not behind those that are not yet', async () => {
  const { opened, batcher, runs, windowOf } = await batching();
  const never = new Promise(() => undefined);
  const ended: string[] = [];
  const forecast = async (name: string, beside?: Promise<unknown>): Promise<void> => {
    await batcher.forecast(windowOf(1), beside);
    ended.push(name);
  };
  for (let n = 0; n < 70; n++) void forecast('later', never);
  await forecast('now');
  await turns();
  assert.equal(ended[0], 'now');
  assert.deepEqual(runs, [32], 'no run for those that nobody needs');
  await opened.release();
});
