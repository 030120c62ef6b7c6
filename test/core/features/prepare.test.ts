import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bars, sliceBars } from '../../../core/bars/bars.ts';
import { takeBars } from '../../../core/bars/build.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { featureSetOrThrow } from '../../../core/features/index.ts';
import { barsForPlan, type PreparePlan, prepareUnit } from '../../../core/features/prepare.ts';
import {
  decodePrepared,
  encodePrepared,
  type Prepared,
  samplesOf,
  trainingSamples,
} from '../../../core/features/prepared.ts';
import { decodeRefit, encodeRefit } from '../../../core/features/refit.ts';
import { SCALER_KINDS } from '../../../core/scaling/index.ts';
import { TooFewRowsError } from '../../../core/splits/index.ts';
import { nasdaq, sp500 } from '../../support/example-bars.ts';
import { seededUniform } from '../../support/seeded-uniform.ts';

const plan: PreparePlan = {
  set: featureSetOrThrow('technical-152'),
  lookback: 60,
  label: { kind: 'forwardLogReturn', horizons: [7, 14, 30] },
  split: { kind: 'chronological', ratios: [0.7, 0.15, 0.15], purge: 'auto', embargo: 'auto' },
  scaling: { features: 'minmax', labels: 'minmax' },
  timeframe: '1d',
  calendar: calendarFor('nyse'),
  missing: 'ffill',
};
const bars = sliceBars(sp500(), 0, 1500);
const { prepared, summary } = prepareUnit(plan, [bars]);

test('samples begin after warm-up and lookback and end where labels end', () => {
  assert.equal(prepared.split.train[0], 199 + 59);
  assert.equal(prepared.split.test.at(-1), 1500 - 30 - 1);
  assert.equal(summary.samples, 1500 - 30 - 258);
  const { train, valid, test: tested } = summary.parts;
  assert.equal(train.rows + valid.rows + tested.rows + summary.dropped, summary.samples);
  assert.ok(train.last < valid.first && valid.last < tested.first);
  const lastValid = prepared.split.valid.at(-1)!;
  assert.equal(prepared.trainedThrough, bars.openTime[lastValid + 30]);
  assert.ok(prepared.trainedThrough < bars.openTime[prepared.split.test[0]!]!);
});

test('samplesOf gives the labels of its rows, all finite, windows included', () => {
  for (const part of [prepared.split.train, prepared.split.valid, prepared.split.test]) {
    const samples = samplesOf(prepared, part);
    assert.ok(samples.labels.every(Number.isFinite));
    const first = (part[0]! - 59) * 152;
    assert.ok(samples.features.subarray(first, (part.at(-1)! + 1) * 152).every(Number.isFinite));
  }
  const row = prepared.split.valid[3]!;
  const { labels } = samplesOf(prepared, Int32Array.of(row));
  assert.equal(labels[1], Math.log(bars.close[row + 14]! / bars.close[row]!));
});

test('changing bars after the training part moves neither scalers nor training rows', () => {
  const from = prepared.split.train.at(-1)! + 31;
  const raise = (column: Float64Array): Float64Array =>
    column.map((value, t) => (t >= from ? value * 3 : value));
  const changed: Bars = {
    ...bars,
    open: raise(bars.open),
    high: raise(bars.high),
    low: raise(bars.low),
    close: raise(bars.close),
    volume: raise(bars.volume),
  };
  const other = prepareUnit(plan, [changed]).prepared;
  assert.deepEqual(other.scalers, prepared.scalers);
  assert.deepEqual(other.trainLabelMean, prepared.trainLabelMean);
  assert.deepEqual(
    other.features.subarray(0, from * 152),
    prepared.features.subarray(0, from * 152),
  );
  assert.deepEqual(
    samplesOf(other, other.split.train).labels,
    samplesOf(prepared, prepared.split.train).labels,
  );
  // The change itself is seen: the test would notice a scaler fitted on everything.
  assert.notDeepEqual(other.features, prepared.features);
});

test('too few bars are refused with the computed minimum, which then suffices', () => {
  const minimum = barsForPlan(plan);
  assert.equal(minimum, 199 + 59 + 597 + 30);
  assert.equal(prepareUnit(plan, [sliceBars(bars, 0, minimum)]).summary.samples, 597);
  assert.throws(
    () => prepareUnit(plan, [sliceBars(bars, 0, minimum - 1)]),
    (error) => error instanceof TooFewRowsError && error.details['minimumSamples'] === 597,
  );
  assert.throws(() => prepareUnit(plan, []), { code: 'features.noBars' });
});

test('a pool: windows stay inside instruments, parts are cut at the same time', () => {
  const pool = prepareUnit(plan, [bars, sliceBars(nasdaq(), 300, 1500)]).prepared;
  assert.deepEqual(
    pool.instruments.map(({ id, from, to }) => [id, from, to]),
    [
      ['^GSPC', 0, 1500],
      ['^IXIC', 1500, 2700],
    ],
  );
  for (const part of Object.values(pool.split)) {
    for (const end of part) {
      const owner = pool.instruments.find(({ from, to }) => end >= from && end < to)!;
      assert.ok(end - 59 - 199 >= owner.from);
    }
  }
  const times = (rows: Int32Array): number[] => [...rows].map((row) => pool.openTime[row]!);
  assert.ok(Math.max(...times(pool.split.train)) < Math.min(...times(pool.split.valid)));
  assert.ok(Math.max(...times(pool.split.valid)) < Math.min(...times(pool.split.test)));
});

test('says whose traded value is derived from volume and price', () => {
  assert.deepEqual(summary.valueDerived, ['^GSPC']);
  const traded = prepareUnit(plan, [{ ...bars, valueDerived: false }]).summary;
  assert.equal('valueDerived' in traded, false);
});

test('bars with a price that is not above 0 are refused by name', () => {
  const close = Float64Array.from(bars.close);
  close[900] = -1;
  assert.throws(() => prepareUnit(plan, [{ ...bars, close }]), {
    code: 'features.notFinite',
    message: /of \^GSPC is not finite in bar 900/,
  });
});

test('back fill in the head moves no sample: neither labels nor windows know what lies behind them', () => {
  const holed = (value: number): Bars => {
    const copy = (column: Float64Array): Float64Array => Float64Array.from(column);
    const gaps = { ...bars, volume: copy(bars.volume), close: copy(bars.close) };
    gaps.volume.fill(NaN, 0, 150);
    gaps.close.fill(NaN, 0, 5);
    // The values that fill the head back, and those that could only do so by looking ahead.
    for (let t = 700; t < 1500; t++) gaps.volume[t] = gaps.volume[t]! * value;
    return gaps;
  };
  const [one, other] = [1, 5].map((factor) => prepareUnit(plan, [holed(factor)]).prepared);
  const width = plan.set.names.length;
  const until = 700 * width;
  assert.deepEqual(one!.features.subarray(0, until), other!.features.subarray(0, until));
  assert.equal(one!.split.train[0], prepared.split.train[0], 'the head costs no sample');
  assert.ok(one!.labels.subarray(0, 15).every(Number.isNaN), 'no label on a price filled in');
  const first = (one!.split.train[0]! - plan.lookback + 1) * width;
  assert.ok(one!.features.subarray(first, until).every(Number.isFinite));
  const strict = prepareUnit({ ...plan, missingHead: 'drop' }, [holed(1)]).prepared;
  assert.equal(strict.openTime.length, 1500 - 150, 'without a back fill such bars are left out');
});

test('outliers: bounds know training rows only; a fit sees labels within, an evaluation as they came', () => {
  const outliers = {
    features: { kind: 'winsorize', lower: 0.01, upper: 0.99 },
    labels: { kind: 'clipSd', sds: 1 },
  } as const;
  const made = prepareUnit({ ...plan, outliers, refit: 'all' }, [bars]);
  const { bounds } = made.prepared.scalers.features;
  const from = prepared.split.train.at(-1)! + 31;
  const wild = (column: Float64Array) => column.map((x, t) => (t >= from ? x * 5 : x));
  const later = {
    ...bars,
    close: wild(bars.close),
    high: wild(bars.high),
    volume: wild(bars.volume),
  };
  const other = prepareUnit({ ...plan, outliers }, [later]).prepared;
  assert.deepEqual(other.scalers, made.prepared.scalers);
  assert.deepEqual(other.labelBounds, made.prepared.labelBounds);
  assert.notDeepEqual(made.refit!.scalers.features.bounds, bounds, 'a refit has rows of its own');

  const { prepared: own } = made;
  assert.deepEqual(own.features, prepared.features);
  assert.deepEqual(own.labels, prepared.labels);
  assert.deepEqual(own.trainLabelMean, prepared.trainLabelMean);
  const fit = trainingSamples(own);
  const { low, high } = own.labelBounds!;
  const raw = samplesOf(own, own.split.train).labels;
  const moved = raw.filter((y, i) => y !== fit.labels[i]).length / raw.length;
  assert.ok(fit.labels.every((y, i) => y >= low[i % 3]! && y <= high[i % 3]!));
  assert.equal(moved, own.outliers!.labels!.share);
  assert.ok(moved > 0.1);
  const beyond = fit.features.some((x, i) => x > bounds!.high[i % 152]!);
  assert.equal(beyond, false);
  assert.deepEqual(fields(decodePrepared(encodePrepared(own))), fields(own));
  assert.deepEqual(decodeRefit(encodeRefit(made.refit!)), made.refit);
});

test('instruments of a pool may have policies of their own', () => {
  const holes = (of: Bars): Bars =>
    takeBars(
      of,
      [...of.openTime.keys()].filter((t) => t % 50 !== 7),
    );
  const pool = [holes(bars), holes(sliceBars(nasdaq(), 0, 1500))];
  const rows = (missingBy: Record<string, 'drop'>): number[] =>
    prepareUnit({ ...plan, missingBy }, pool).prepared.instruments.map(({ from, to }) => to - from);
  assert.deepEqual(rows({}), [1500, 1500]);
  assert.deepEqual(rows({ '^IXIC': 'drop' }), [1500, 1470]);
});

const fields = (p: Prepared): object => ({ ...p });

test('encode and decode give the same data, equal data the same bytes', () => {
  const bytes = encodePrepared(prepared);
  assert.deepEqual(fields(decodePrepared(bytes)), fields(prepared));
  assert.deepEqual(encodePrepared(decodePrepared(bytes)), bytes);
  // Unaligned memory, as it comes out of a pool.
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  assert.deepEqual(decodePrepared(shifted.subarray(3)).split, prepared.split);
});

test('every kind of scaler is stored, fitted on rows of training windows only', () => {
  for (const kind of SCALER_KINDS) {
    const scaling = { features: kind, labels: kind };
    const made = prepareUnit({ ...plan, scaling }, [bars]).prepared;
    assert.deepEqual(decodePrepared(encodePrepared(made)).scalers, made.scalers);
    assert.equal(made.scalers.features.kind, kind);
  }
});

test('short, long, mangled and foreign bytes are refused', () => {
  const bytes = encodePrepared(prepared);
  const refused = (broken: Uint8Array): void =>
    assert.throws(() => decodePrepared(broken), { code: 'prepared.corrupt' });
  for (const length of [0, 7, 15, 16, 500, bytes.length - 8, bytes.length - 1]) {
    refused(bytes.subarray(0, length));
  }
  refused(new Uint8Array([...bytes, 0]));
  refused(new Uint8Array([...bytes, 0, 0, 0, 0, 0, 0, 0, 0]));
  const foreign = bytes.slice();
  foreign[0] = 0x50;
  refused(foreign);
  const huge = bytes.slice();
  new DataView(huge.buffer).setUint32(8, 0xfffffff8, true);
  refused(huge);
});

test('a header that lies about its columns is refused', () => {
  const uniform = seededUniform(8);
  const bytes = encodePrepared(prepared);
  const headerBytes = new DataView(bytes.buffer).getUint32(8, true);
  const header = new TextDecoder().decode(bytes.subarray(16, 16 + headerBytes));
  const lie = (from: string, to: string): Uint8Array => {
    assert.ok(header.includes(from) && from.length === to.length, from);
    const copy = bytes.slice();
    copy.set(new TextEncoder().encode(header.replace(from, to)), 16);
    return copy;
  };
  for (const broken of [
    lie('"rows":1500', '"rows":1501'),
    lie('"lookback":60', '"lookback":-6'),
    lie('"horizons":[7,14,30]', '"horizons":[7,14,3,]'),
    lie('"to":1500', '"to":9999'),
    lie('"timeframe":"1d"', '"timeframe":"1w"'),
  ]) {
    assert.throws(() => decodePrepared(broken), { code: 'prepared.corrupt' });
  }
  for (let k = 0; k < 200; k++) {
    const copy = bytes.slice();
    const at = Math.floor(uniform() * (16 + headerBytes));
    copy[at] = copy[at]! ^ (1 << Math.floor(uniform() * 8));
    try {
      decodePrepared(copy);
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'prepared.corrupt');
    }
  }
});

test('an invented bar fills features, and is neither decided on nor an outcome', () => {
  const holes = new Set([700, 701, 1100]);
  const keep = [...bars.openTime.keys()].filter((row) => !holes.has(row));
  const holed = takeBars(bars, keep);
  for (const missing of ['ffill', 'zero'] as const) {
    const { prepared: made } = prepareUnit({ ...plan, missing }, [holed]);
    assert.deepEqual(made.openTime, bars.openTime);
    assert.equal(made.close[700], bars.close[699]);
    const label = (row: number, k: number): number => made.labels[row * 3 + k]!;
    for (const hole of holes) {
      plan.label.horizons.forEach((horizon, k) => {
        assert.ok(Number.isNaN(label(hole, k)), `decided on bar ${hole}`);
        assert.ok(Number.isNaN(label(hole - horizon, k)), `outcome in bar ${hole}`);
      });
    }
    assert.equal(label(690, 0), prepared.labels[690 * 3]);
    const ends = Object.values(made.split).flatMap((rows) => [...rows]);
    const unknown = (row: number): boolean =>
      holes.has(row) || plan.label.horizons.some((horizon) => holes.has(row + horizon));
    assert.ok(ends.length > 0 && !ends.some(unknown));
  }
});
