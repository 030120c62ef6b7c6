import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sliceBars, type Bars } from '../../core/bars/index.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { outcomesOfPredictions, pairedLosses, realisedLosses } from '../../registry/outcomes.ts';
import { leftOutOfPerformance, performance } from '../../registry/performance.ts';
import { openTrial } from '../../registry/trials.ts';
import { walkBars, withRows } from '../support/made-bars.ts';
import { MODEL, testSpec } from '../support/registry-facts.ts';
import {
  INSTRUMENT,
  openSettleFixture,
  varianceOf,
  type SaidPrediction,
  type SettleFixture,
} from '../support/settle-fixture.ts';

const NOW = Date.parse('2024-06-03T22:00:00Z');
const HORIZONS = [7, 14, 30];
const WEIGHTS = [0.5, 0.3, 0.2];
const nyse = calendarFor('nyse');
const OTHER = '^IXIC';
const series: Readonly<Record<string, Bars>> = {
  [INSTRUMENT]: walkBars(260, { instrument: INSTRUMENT }),
  [OTHER]: walkBars(260, { instrument: OTHER, seed: 2 }),
};
const at = (row: number): number => series[INSTRUMENT]!.openTime[row]!;
const evening = (row: number): string =>
  new Date(nyse.closeTime(at(row), '1d') + 3_600_000).toISOString();
/** Neither version learnt from a bar after this one. */
const TRAINED_ROW = 40;

let fixture: SettleFixture;
before(async () => {
  fixture = await openSettleFixture({ now: NOW });
  const spec = testSpec({
    data: { sources: [{ dataset: 'index-daily' }], instruments: [INSTRUMENT, OTHER] },
    fit: 'pooled',
    hyperparameters: { lossWeights: WEIGHTS },
  });
  const trainedThrough = new Date(at(TRAINED_ROW)).toISOString();
  for (let n = 1; n <= 3; n++) await fixture.addVersion({ spec, trainedThrough });
  for (const bars of Object.values(series)) {
    await fixture.addBars(bars, { arrivedAt: NOW, dataset: 'index-daily' });
  }
  await fixture.record([
    ...ofVersion(1, [38, 39, 40, 41, 42, 60, 80, 100], 0.02),
    ...ofVersion(2, [40, 41, 42, 80, 100, 101], -0.01),
  ]);
  await fixture.record([
    // Two answers to one decision: the one made first counts, though its id is the later one.
    said(1, 120, 0.03, { id: 'z-first', at: NOW - 2_000 }),
    said(1, 120, 0.07, { id: 'a-second', at: NOW - 1_000 }),
    said(2, 120, 0.01, { id: 'b-bars', row: { input: 'bars' }, at: NOW - 3_000 }),
    said(2, 120, 0.04, { id: 'c-fallback', answer: { fallback: 'naive' }, at: NOW - 2_000 }),
    said(2, 120, 0.05, { id: 'd-own', row: { role: 'shadow' } }),
    // One instrument of one version: no pair.
    said(2, 130, 0.01, { id: 'e-alone', instrument: OTHER }),
  ]);
  await fixture.settle(evening(125));
});
after(() => fixture.close());

/** A forecast that changes with the row, so that two rows never look the same. */
function said(
  version: number,
  row: number,
  change: number,
  more: Partial<SaidPrediction> = {},
): SaidPrediction {
  const instrument = more.instrument ?? INSTRUMENT;
  const id = `v${version}-${instrument}-${String(row).padStart(4, '0')}`;
  const lastClose = series[instrument]!.close[row]!;
  const horizons = HORIZONS.map((horizon) => ({
    horizon,
    change: change + row / 10_000 + horizon / 1_000,
  }));
  return { id, asOf: at(row), version, instrument, lastClose, horizons, ...more };
}

const ofVersion = (version: number, rows: readonly number[], change: number) =>
  rows.flatMap((row) => [
    said(version, row, change),
    said(version, row, change * 0.5, { instrument: OTHER }),
  ]);

/** By the definition: sum_h w_h (f - y)^2 / var, log returns. */
function lossOf(instrument: string, row: number, change: number): number {
  const { close } = series[instrument]!;
  return HORIZONS.reduce((sum, horizon, k) => {
    const forecast = Math.log(1 + change + row / 10_000 + horizon / 1_000);
    const actual = Math.log(close[row + horizon]! / close[row]!);
    return sum + (WEIGHTS[k]! * (forecast - actual) ** 2) / varianceOf(horizon);
  }, 0);
}
const naiveOf = (instrument: string, row: number): number => {
  const { close } = series[instrument]!;
  return HORIZONS.reduce((sum, horizon, k) => {
    const actual = Math.log(close[row + horizon]! / close[row]!);
    return sum + (WEIGHTS[k]! * actual ** 2) / varianceOf(horizon);
  }, 0);
};
const both = (of: (instrument: string) => number): number => (of(INSTRUMENT) + of(OTHER)) / 2;
const near = (found: ArrayLike<number>, expected: readonly number[]): void => {
  assert.equal(found.length, expected.length);
  expected.forEach((value, i) =>
    assert.ok(Math.abs(found[i]! - value) < 1e-9 * Math.max(1, Math.abs(value)), `row ${i}`),
  );
};

test('pairs: decisions that both answered and that are settled, after what either learnt', async () => {
  const found = await pairedLosses(fixture.db, { model: MODEL, champion: 1, challenger: 2 });
  // Row 40 is the last bar they learnt from; at row 125 the 30 bars after 100 are not over.
  assert.deepEqual([...found.asOf], [41, 42, 80].map(at));
  near(found.champion, [
    both((of) => lossOf(of, 41, of === OTHER ? 0.01 : 0.02)),
    both((of) => lossOf(of, 42, of === OTHER ? 0.01 : 0.02)),
    both((of) => lossOf(of, 80, of === OTHER ? 0.01 : 0.02)),
  ]);
  near(
    found.challenger,
    [41, 42, 80].map((row) => both((of) => lossOf(of, row, of === OTHER ? -0.005 : -0.01))),
  );
  near(
    found.naive,
    [41, 42, 80].map((row) => both((of) => naiveOf(of, row))),
  );
  assert.deepEqual([found.rows, found.horizon], [6, 30]);
  const between = { from: at(42), to: at(80) };
  const part = await pairedLosses(fixture.db, {
    model: MODEL,
    champion: 1,
    challenger: 2,
    ...between,
  });
  assert.deepEqual([...part.asOf], [at(42)]);
  const early = { settledBy: Date.parse(evening(124)) };
  const none = await pairedLosses(fixture.db, {
    model: MODEL,
    champion: 1,
    challenger: 2,
    ...early,
  });
  assert.equal(none.asOf.length, 0, 'nothing was settled by then');
});

test('a trial names its versions and its start; without a champion or rows there is nothing', async () => {
  await openTrial(fixture.db, {
    id: 'trial-1',
    model: MODEL,
    version: 2,
    championVersion: 1,
    generation: 1,
    kind: 'shadow',
    policy: 'beats-champion',
    mode: 'prove',
    settings: {},
    startedAsOf: new Date(at(42)),
    share: 0,
    gateDecisionId: 'decision',
    experimentId: 'experiment',
    words: 'It started.',
  });
  const found = await pairedLosses(fixture.db, { trialId: 'trial-1' });
  assert.deepEqual([...found.asOf], [42, 80].map(at));
  const later = await pairedLosses(fixture.db, { trialId: 'trial-1', from: at(43) });
  assert.deepEqual([...later.asOf], [at(80)]);
  const before = await pairedLosses(fixture.db, { trialId: 'trial-1', from: at(41) });
  assert.deepEqual([...before.asOf], [42, 80].map(at), 'never before its start');
  for (const query of [
    { trialId: 'none' },
    { model: MODEL, champion: 1, challenger: 3 },
    { model: 'none', champion: 1, challenger: 2 },
  ]) {
    const { asOf, horizon } = await pairedLosses(fixture.db, query);
    assert.deepEqual([asOf.length, horizon], [0, 1]);
  }
});

test('of several answers the first of the version itself; revisions replace', async () => {
  await fixture.settle(evening(160));
  const own = await realisedLosses(fixture.db, { model: MODEL, version: 2, from: at(110) });
  assert.deepEqual([...own.asOf], [120, 130].map(at));
  near(own.loss, [lossOf(INSTRUMENT, 120, 0.05), lossOf(OTHER, 130, 0.01)]);
  near(own.naive, [naiveOf(INSTRUMENT, 120), naiveOf(OTHER, 130)]);
  const first = await realisedLosses(fixture.db, { model: MODEL, version: 1, from: at(120) });
  near(first.loss, [lossOf(INSTRUMENT, 120, 0.03)]);
  const pair = { model: MODEL, champion: 1, challenger: 2 };
  const decided = await pairedLosses(fixture.db, { ...pair, from: at(101) });
  assert.deepEqual([...decided.asOf], [at(120)], 'row 130 has one version, row 101 too');
  // A revision of the target bar of row 120 over 7 bars.
  const { close } = series[INSTRUMENT]!;
  const factor = 1.02;
  const corrected = withRows(series[INSTRUMENT]!, { 127: { close: close[127]! * factor } });
  const arrival = { arrivedAt: Date.parse(evening(161)), dataset: 'index-daily' };
  await fixture.addBars(sliceBars(corrected, 127, 128), arrival);
  assert.equal((await fixture.settle(evening(161))).revised, 5, 'every answer to that decision');
  const moved = await realisedLosses(fixture.db, { model: MODEL, version: 1, from: at(120) });
  const [w] = WEIGHTS;
  const part = (later: number): number => {
    const error = Math.log(1 + 0.03 + 120 / 10_000 + 7 / 1_000) - Math.log(later / close[120]!);
    return (w! * error ** 2) / varianceOf(7);
  };
  near(moved.loss, [
    lossOf(INSTRUMENT, 120, 0.03) - part(close[127]!) + part(close[127]! * factor),
  ]);
  const asItStood = { settledBy: Date.parse(evening(160)) };
  const then = await realisedLosses(fixture.db, {
    model: MODEL,
    version: 1,
    from: at(120),
    ...asItStood,
  });
  near(then.loss, [lossOf(INSTRUMENT, 120, 0.03)]);
});

test('performance: figures of the same rows, and what they leave out', async () => {
  const rows = await performance(fixture.db, { model: MODEL, version: 1, instrument: OTHER });
  assert.deepEqual(
    rows.map(({ horizon }) => horizon),
    HORIZONS,
  );
  const decisions = [41, 42, 60, 80, 100];
  const { close } = series[OTHER]!;
  const week = rows[0]!;
  const cases = decisions.map((row) => {
    const change = 0.01 + row / 10_000 + 7 / 1_000;
    return { change, actual: close[row + 7]! / close[row]! - 1 };
  });
  const mean = (of: (row: { change: number; actual: number }) => number): number =>
    cases.reduce((sum, row) => sum + of(row), 0) / cases.length;
  const mse = mean(({ change, actual }) => (Math.log(1 + change) - Math.log(1 + actual)) ** 2);
  const naive = mean(({ actual }) => Math.log(1 + actual) ** 2);
  const moved = cases.filter(({ actual }) => Math.abs(actual) > 0.005);
  assert.deepEqual(
    [week.n, week.independent, week.moved, week.positions, week.revised, week.intervals],
    [5, 5 / 7, moved.length, 5, 0, 0],
  );
  near(
    [week.mse, week.naiveMse, week.skillVsNaive!, week.rmse, week.scaledLoss!],
    [mse, naive, 1 - mse / naive, Math.sqrt(mse), mse / varianceOf(7)],
  );
  const rises = moved.filter(({ actual }) => actual > 0).length / moved.length;
  near([week.directionAccuracy2!, week.alwaysUp!], [rises, rises]);
  // Always long: the index is hypothetical, and pays 2 bp a side.
  const signal = mean(({ actual }) => actual - 0.0004);
  near(
    [week.meanSignalReturn, week.totalSignalReturn, week.costOfSide!],
    [signal, (signal * 5) / 7, 0.0002],
  );
  assert.equal(week.coverage80, null);
  assert.deepEqual([week.from.getTime(), week.to.getTime()], [at(41), at(100)]);
  const shadow = await performance(fixture.db, { model: MODEL, role: 'shadow' });
  assert.deepEqual(
    shadow.map((row) => [row.version, row.n, row.revised]),
    [
      [2, 1, 1],
      [2, 1, 0],
      [2, 1, 0],
    ],
  );
  const nothing = { callersBars: 0, fallback: 0, repeated: 0, unknown: 0 };
  assert.deepEqual(await leftOutOfPerformance(fixture.db, { model: MODEL }), [
    // Rows 40 of both instruments; three horizons each.
    { version: 2, ...nothing, inSample: 6, callersBars: 3, fallback: 3 },
    { version: 1, ...nothing, inSample: 18, repeated: 3 },
  ]);
});

test('outcomes of single predictions, newest revision, by horizon', async () => {
  const found = await outcomesOfPredictions(fixture.db, ['z-first', 'nobody']);
  assert.deepEqual([...found.keys()], ['z-first']);
  const own = found.get('z-first')!;
  assert.deepEqual(
    own.map(({ horizon, revision }) => [horizon, revision]),
    [
      [7, 1],
      [14, 0],
      [30, 0],
    ],
  );
  assert.equal((await outcomesOfPredictions(fixture.db, [])).size, 0);
});
