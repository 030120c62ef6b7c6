import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sliceBars } from '../../../core/bars/bars.ts';
import type { Bars } from '../../../core/bars/bars.ts';
import { takeBars } from '../../../core/bars/index.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { RatchetError } from '../../../core/errors.ts';
import { featureSetOrThrow } from '../../../core/features/index.ts';
import { openSession } from '../../../core/onnx/session.impl.ts';
import { verifyPackage } from '../../../core/packages/verify.ts';
import {
  drawSamples,
  naiveForecast,
  openMonteCarlo,
  openPackage,
  predict,
  predictWindows,
  windowFromBars,
  windowFromValues,
} from '../../../core/predict/index.ts';
import type { OpenedPackage } from '../../../core/predict/index.ts';
import { LOOKBACK, expectedOf, makePackage, testKeys } from '../../support/model-package.ts';
import type { PackageOptions } from '../../support/model-package.ts';
import { syntheticBars } from '../../support/synthetic-bars.ts';

const openers = { openSession, openMonteCarlo: openMonteCarlo(openSession) };
const opened: OpenedPackage[] = [];
after(() => Promise.all(opened.map((pkg) => pkg.release())));

async function open(options: PackageOptions = {}): Promise<OpenedPackage> {
  const built = await makePackage(options);
  const pkg = await openPackage(verifyPackage(built.files, testKeys, expectedOf(built)), openers);
  opened.push(pkg);
  return pkg;
}

const pkg = await open();
const calendar = calendarFor('nyse');
const barsOf = (count: number, volatility?: (bar: number) => number): Bars =>
  syntheticBars(count, {
    seed: 'predict',
    instrument: '^GSPC',
    ...(volatility ? { volatility } : {}),
  });
const bars = barsOf(1400);
const lastOpen = bars.openTime.at(-1)!;
/** Just after the last bar's close. */
const now = calendar.closeTime(lastOpen, '1d') + 60_000;
const code = (wanted: string, details?: object) => (error: unknown) => {
  assert.ok(error instanceof RatchetError, String(error));
  assert.equal(error.code, wanted);
  if (details) assert.deepEqual({ ...error.details, ...details }, error.details);
  return true;
};

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
  const linear = await open({ monteCarlo: false });
  const answer = await predict(linear, bars, { asOf: now, confidence: 'mc' });
  assert.ok(answer.horizons.every(({ confidence, interval80 }) => !confidence && !interval80));
});

test('two replicas give the same answer, bit for bit, in any order', async () => {
  const replica = await open();
  const earlier = sliceBars(bars, 0, 1300);
  const ask = (on: OpenedPackage, of: Bars) => predict(on, of, { asOf: now, confidence: 'mc' });
  const first = [await ask(pkg, bars), await ask(pkg, earlier)];
  const second = [await ask(replica, earlier), await ask(replica, bars)];
  assert.deepEqual(second.reverse(), first);
});

test('another version of the package draws other samples for the same window', async () => {
  const other = await open({ version: 2 });
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

test('too few bars: the number missing is exact, and that many more give the same bits', async () => {
  const set = featureSetOrThrow('technical-152');
  const needed = set.barsNeeded(lastOpen, LOOKBACK, calendar, '1d');
  const full = await predict(pkg, bars, { asOf: now, confidence: 'mc' });
  const exact = sliceBars(bars, bars.openTime.length - needed);
  assert.deepEqual(await predict(pkg, exact, { asOf: now, confidence: 'mc' }), full);
  for (const missing of [1, 17, needed - 1]) {
    const short = sliceBars(exact, missing);
    await assert.rejects(
      predict(pkg, short, { asOf: now, confidence: 'none' }),
      code('predict.too-few-bars', { missing, needed, have: needed - missing }),
    );
  }
  const none = sliceBars(bars, 0, 0);
  await assert.rejects(
    predict(pkg, none, { asOf: now, confidence: 'none' }),
    code('predict.too-few-bars', { have: 0 }),
  );
});

test('recorded history that is shorter than the anchor answers once it is warm', async () => {
  const young = (count: number) => sliceBars(bars, bars.openTime.length - count);
  const options = { asOf: now, confidence: 'none' as const, fromFirstBar: true };
  const warm = featureSetOrThrow('technical-152').warmupBars + LOOKBACK;
  const answer = await predict(pkg, young(warm), options);
  assert.ok(answer.horizons.every(({ price }) => price > 0));
  await assert.rejects(
    predict(pkg, young(warm - 3), options),
    code('predict.too-few-bars', { missing: 3 }),
  );
});

test('a bar that is still open at the instant of asking is not used', async () => {
  const inSession = calendar.closeTime(lastOpen, '1d') - 1;
  const answer = await predict(pkg, bars, { asOf: inSession, confidence: 'none' });
  assert.equal(answer.asOf, new Date(bars.openTime.at(-2)!).toISOString());
  const asked = await predict(pkg, sliceBars(bars, 0, 1399), {
    asOf: inSession,
    confidence: 'none',
  });
  assert.deepEqual(answer, asked);
});

test('stale: more than `expiresAfter` complete bars behind the calendar', async () => {
  for (const [behind, stale] of [
    [0, false],
    [3, false],
    [4, true],
    [30, true],
  ] as const) {
    const later = calendar.addBars(lastOpen, behind, '1d');
    const asOf = calendar.closeTime(later, '1d') + 1;
    const answer = await predict(pkg, bars, { asOf, confidence: 'none' });
    assert.deepEqual([answer.staleBars, answer.stale], [behind, stale]);
  }
});

test('a hole in the bars is filled as in training, at the anchor too', async () => {
  const set = featureSetOrThrow('technical-152');
  const needed = set.barsNeeded(lastOpen, LOOKBACK, calendar, '1d');
  const anchor = bars.openTime.length - needed;
  for (const hole of [anchor, anchor + 1, 1390]) {
    const rows = [...bars.openTime.keys()].filter((row) => row !== hole);
    const holed = takeBars(bars, rows);
    const long = await predict(pkg, holed, { asOf: now, confidence: 'none' });
    const fromBefore = takeBars(
      bars,
      rows.filter((row) => row >= anchor - 1),
    );
    assert.deepEqual(await predict(pkg, fromBefore, { asOf: now, confidence: 'none' }), long);
  }
});

test('a price label gives prices, and the graph its close', async () => {
  const price = await open({ labelKind: 'forwardPrice' });
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
  width(a).forEach((w, k) => assert.ok(Math.abs(w / width(b)[k]! - 1) > 0.01, 'interval differs'));
});

test('a window the caller brings gives what its bars gave', async () => {
  const window = windowFromBars(pkg.verified, bars, { asOf: now });
  const brought = windowFromValues(pkg.verified, {
    instrument: '^GSPC',
    values: window.values,
    lastClose: window.lastClose,
    openTime: lastOpen,
    asOf: now,
  });
  const close = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-12);
  close(brought.volatility!, window.volatility!);
  const [a, b] = await predictWindows(pkg, [window, brought], 'mc');
  assert.deepEqual(a!.horizons, b!.horizons);
  close(a!.consistency, b!.consistency);
});

test('a bad window is refused with the field named', () => {
  const good = {
    instrument: '^GSPC',
    values: new Float64Array(LOOKBACK * 152).fill(0.1),
    lastClose: 100,
    openTime: lastOpen,
    asOf: now,
  };
  windowFromValues(pkg.verified, good);
  for (const bad of [NaN, Infinity, -Infinity]) {
    const values = Float64Array.from(good.values);
    values[152 * 3 + 2] = bad;
    assert.throws(
      () => windowFromValues(pkg.verified, { ...good, values }),
      code('predict.bad-window', { row: 3, field: 'ret_3' }),
    );
  }
  const cases: [object, string][] = [
    [{ values: new Float64Array(7) }, 'window'],
    [{ lastClose: 0 }, 'lastClose'],
    [{ lastClose: NaN }, 'lastClose'],
    [{ openTime: Date.parse('2005-01-01') }, 'openTime'],
  ];
  for (const [change, field] of cases) {
    assert.throws(
      () => windowFromValues(pkg.verified, { ...good, ...change }),
      code('predict.bad-window', { field }),
    );
  }
});

test('another instrument or timeframe is refused by name', async () => {
  const options = { asOf: now, confidence: 'none' as const };
  await assert.rejects(
    predict(pkg, { ...bars, instrument: '^IXIC' }, options),
    code('predict.unknown-instrument', { instrument: '^IXIC' }),
  );
  await assert.rejects(
    predict(pkg, { ...bars, timeframe: '1h' }, options),
    code('predict.timeframe'),
  );
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
