import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sliceBars } from '../../../core/bars/bars.ts';
import { takeBars } from '../../../core/bars/index.ts';
import { featureSetOrThrow } from '../../../core/features/index.ts';
import type { VerifiedPackage } from '../../../core/packages/verify.ts';
import {
  naiveForecast,
  predict,
  predictWindows,
  windowFromBars,
  windowFromValues,
} from '../../../core/predict/index.ts';
import { LOOKBACK } from '../../support/model-package.ts';
import {
  bars,
  calendar,
  code,
  lastOpen,
  now,
  openMade,
  releaseAll,
} from '../../support/opened-package.ts';

after(releaseAll);
const pkg = await openMade();

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

test('stale counts bars of the calendar: nights and weekends of NYSE are none, 24x7 has no rest', () => {
  const { verified } = pkg;
  const at = (text: string): number => Date.parse(text);
  const staleAt = (of: VerifiedPackage, openTime: number, asOf: number) => {
    const values = new Float64Array(LOOKBACK * of.preprocessing.featureNames.length);
    const input = { instrument: '^GSPC', values, lastClose: 100, openTime, asOf };
    const answer = naiveForecast(of, windowFromValues(of, input));
    return [answer.staleBars, answer.stale];
  };
  // Thursday's bar, expiresAfter 3; Friday 2020-07-03 is a holiday.
  const thursday = at('2020-07-02');
  assert.deepEqual(staleAt(verified, thursday, at('2020-07-06T14:00:00Z')), [0, false]);
  assert.deepEqual(staleAt(verified, thursday, at('2020-07-08T23:00:00Z')), [3, false]);
  assert.deepEqual(staleAt(verified, thursday, at('2020-07-09T23:00:00Z')), [4, true]);
  const { preprocessing } = verified;
  const always = {
    ...verified,
    preprocessing: { ...preprocessing, calendar: '24x7', timeframe: '1h' as const },
  };
  const noon = at('2020-07-04T12:00:00Z');
  assert.deepEqual(staleAt(always, noon, at('2020-07-04T13:59:59Z')), [0, false]);
  assert.deepEqual(staleAt(always, noon, at('2020-07-04T16:00:00Z')), [3, false]);
  assert.deepEqual(staleAt(always, noon, at('2020-07-04T16:59:59Z')), [3, false]);
  assert.deepEqual(staleAt(always, noon, at('2020-07-04T17:00:00Z')), [4, true]);
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
