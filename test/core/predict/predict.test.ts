import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sliceBars } from '../../../core/bars/bars.ts';
import type { Bars } from '../../../core/bars/bars.ts';
import { openSession } from '../../../core/onnx/session.impl.ts';
import { verifyPackage } from '../../../core/packages/verify.ts';
import {
  drawSamples,
  naiveForecast,
  openPackage,
  predict,
  predictWindows,
  windowFromBars,
} from '../../../core/predict/index.ts';
import type { OpenedPackage } from '../../../core/predict/index.ts';
import { LOOKBACK, expectedOf, makePackage, testKeys } from '../../support/model-package.ts';
import {
  bars,
  barsOf,
  calendar,
  code,
  lastOpen,
  now,
  openMade,
  openers,
  releaseAll,
} from '../../support/opened-package.ts';

after(releaseAll);
const pkg = await openMade();

test('an answer has everything that row A7 asks for', async () => {
  const answer = await predict(pkg, bars, { asOf: now, confidence: 'mc' });
  assert.equal(answer.asOf, new Date(lastOpen).toISOString());
  assert.equal(answer.lastClose, bars.close.at(-1));
  assert.deepEqual([answer.stale, answer.staleBars], [false, 0]);
  assert.ok(answer.consistency > 0 && answer.consistency <= 1);
  for (const [k, horizon] of answer.horizons.entries()) {
    assert.equal(horizon.horizon, [7, 14, 30][k]);
    const target = calendar.addBars(lastOpen, horizon.horizon, '1d');
    assert.equal(horizon.targetDate, new Date(target).toISOString().slice(0, 10));
    assert.ok(Math.abs(horizon.price / answer.lastClose - 1 - horizon.change) < 1e-12);
    assert.ok(horizon.confidence! >= 0.1 && horizon.confidence! <= 0.9);
    assert.ok(horizon.relativeStd! >= 0.1 && horizon.relativeStd! <= 0.9);
    assert.ok(horizon.probabilityUp! > 0 && horizon.probabilityUp! < 1);
    const [low, high] = horizon.interval80!;
    assert.ok(low < horizon.price && horizon.price < high);
  }
});

test('without confidence: the same forecast, and null where nothing was computed', async () => {
  const mc = await predict(pkg, bars, { asOf: now, confidence: 'mc' });
  const none = await predict(pkg, bars, { asOf: now, confidence: 'none' });
  const unknown = { confidence: null, relativeStd: null, probabilityUp: null, interval80: null };
  assert.deepEqual(
    none.horizons,
    mc.horizons.map((horizon) => ({ ...horizon, ...unknown })),
  );
});

test('a family without Monte-Carlo graph answers `mc` requests without confidence', async () => {
  const linear = await openMade({ monteCarlo: false });
  const answer = await predict(linear, bars, { asOf: now, confidence: 'mc' });
  assert.ok(answer.horizons.every(({ confidence, interval80 }) => !confidence && !interval80));
});

test('two replicas give the same answer, bit for bit, in any order', async () => {
  const replica = await openMade();
  const earlier = sliceBars(bars, 0, 1300);
  const ask = (on: OpenedPackage, of: Bars) => predict(on, of, { asOf: now, confidence: 'mc' });
  const first = [await ask(pkg, bars), await ask(pkg, earlier)];
  const second = [await ask(replica, earlier), await ask(replica, bars)];
  assert.deepEqual(second.reverse(), first);
});

test('another version of the package draws other samples for the same window', async () => {
  const other = await openMade({ version: 2 });
  const [a, b] = await Promise.all(
    [pkg, other].map((on) => predict(on, bars, { asOf: now, confidence: 'mc' })),
  );
  assert.deepEqual(
    a!.horizons.map((h) => h.price),
    b!.horizons.map((h) => h.price),
  );
  assert.notDeepEqual(
    a!.horizons.map((h) => h.interval80),
    b!.horizons.map((h) => h.interval80),
  );
});

test('a batch answers as each request alone', async () => {
  const ends = [900, 1000, 1200, 1400];
  const windows = ends.map((end) =>
    windowFromBars(pkg.verified, sliceBars(bars, 0, end), { asOf: now }),
  );
  const batch = await predictWindows(pkg, windows, 'mc');
  for (const [i, window] of windows.entries()) {
    assert.deepEqual(batch[i], (await predictWindows(pkg, [window], 'mc'))[0]);
  }
  assert.deepEqual(await predictWindows(pkg, [], 'mc'), []);
});

test('a price label gives prices, and the graph its close', async () => {
  const price = await openMade({ labelKind: 'forwardPrice' });
  const answer = await predict(price, bars, { asOf: now, confidence: 'mc' });
  for (const { price: p, change, interval80 } of answer.horizons) {
    assert.ok(Math.abs(p - answer.lastClose * (1 + change)) < 1e-9 * p);
    assert.ok(interval80![0] > 0.2 * answer.lastClose && interval80![1] < 5 * answer.lastClose);
  }
});

test('confidence differs between a calm and a turbulent window', async () => {
  const calm = barsOf(1400, (bar) => (bar < 1340 ? 0.01 : 0.003));
  const turbulent = barsOf(1400, (bar) => (bar < 1340 ? 0.01 : 0.04));
  const ask = (of: Bars) => predict(pkg, of, { asOf: now, confidence: 'mc' });
  const [a, b] = [await ask(calm), await ask(turbulent)];
  const width = (answer: typeof a) =>
    answer.horizons.map(({ interval80, price }) => (interval80![1] - interval80![0]) / price);
  assert.notDeepEqual(
    a.horizons.map(({ confidence }) => confidence),
    b.horizons.map(({ confidence }) => confidence),
  );
  // The package's digest keys the noise: what is by chance alike at one horizon is not at all of them.
  const apart = width(a).map((w, k) => Math.abs(w / width(b)[k]! - 1));
  assert.ok(Math.max(...apart) > 0.01, `intervals differ by ${apart}`);
});

test('a model that computes NaN is an explicit error, for forecasts and for samples', async () => {
  const run = async () => Float64Array.of(0.01, NaN, 0.02);
  const options = { asOf: now, confidence: 'mc' as const };
  const nan = { ...pkg, session: { ...pkg.session, run } };
  await assert.rejects(predict(nan, bars, options), code('predict.non-finite', { horizon: 14 }));
  const monteCarlo = { ...pkg.monteCarlo!, sample: async () => new Float64Array(300).fill(NaN) };
  await assert.rejects(predict({ ...pkg, monteCarlo }, bars, options), code('predict.non-finite'));
});

test('a forecast beyond any price is an error too', async () => {
  const huge = { ...pkg, session: { ...pkg.session, run: async () => Float64Array.of(800, 1, 1) } };
  await assert.rejects(
    predict(huge, bars, { asOf: now, confidence: 'none' }),
    code('predict.non-finite', { horizon: 7 }),
  );
});

test('the naive fallback says that nothing changes', () => {
  const window = windowFromBars(pkg.verified, bars, { asOf: now });
  const answer = naiveForecast(pkg.verified, window);
  for (const { price, change, direction } of answer.horizons) {
    assert.deepEqual([price, change, direction], [answer.lastClose, 0, 'neutral']);
  }
});

test('samples do not depend on how many are drawn', async () => {
  const { verified } = pkg;
  const session = await openSession(verified.monteCarlo!);
  const shape = {
    lookback: LOOKBACK,
    features: 152,
    noiseWidth: verified.preprocessing.confidence.noiseWidth,
  };
  const { values: window } = windowFromBars(verified, bars, { asOf: now });
  const draw = (samples: number) => drawSamples(session, shape, { window, samples, noiseKey: 'k' });
  const [few, many] = [await draw(5), await draw(50)];
  many.subarray(0, 15).forEach((v, i) => assert.ok(Math.abs(v - few[i]!) < 1e-6));
  assert.deepEqual(await draw(5), few);
  await session.release();
});

test('a package that computes something else here than where it was made is not opened', async () => {
  const built = await makePackage({
    change: (content) => ({
      ...content,
      golden: {
        ...content.golden,
        expected: content.golden.expected.map((row) => row.map((v) => v + 1e-4)),
      },
    }),
  });
  const verified = verifyPackage(built.files, testKeys, expectedOf(built));
  let released = 0;
  const counting: typeof openSession = async (bytes, options) => {
    const session = await openSession(bytes, options);
    return { ...session, release: async () => (released++, session.release()) };
  };
  await assert.rejects(
    openPackage(verified, { ...openers, openSession: counting }),
    code('package.probe'),
  );
  assert.equal(released, 1, 'nothing stays open');
});

test('a package of a feature set whose code has changed is not opened', async () => {
  const built = await makePackage({
    change: (content) => ({
      ...content,
      manifest: { ...content.manifest, featureHash: '0'.repeat(64) },
    }),
  });
  const verified = verifyPackage(built.files, testKeys, expectedOf(built));
  await assert.rejects(openPackage(verified, openers), code('package.features-changed'));
});

test('columns that the code no longer computes so are not served', async () => {
  const built = await makePackage({
    change: (content) => ({
      ...content,
      manifest: { ...content.manifest, featureColumns: [{ indicator: 'vanished' }] },
    }),
  });
  const verified = verifyPackage(built.files, testKeys, expectedOf(built));
  assert.deepEqual(verified.manifest.featureColumns, [{ indicator: 'vanished' }]);
  await assert.rejects(openPackage(verified, openers), code('package.features-changed'));
});
