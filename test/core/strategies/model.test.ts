import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sliceBars } from '../../../core/bars/index.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import {
  byFallback,
  decide,
  needsModel,
  sliceModel,
  strategySpecSchema,
  warmupBarsOf,
  type Decided,
  type ModelColumns,
} from '../../../core/strategies/index.ts';
import { sp500 } from '../../support/example-bars.ts';
import { modelColumns } from '../../support/model-columns.ts';

const calendar = calendarFor('nyse');

/** Answers by hand: null is a failure, 'abstain' an answer of .5 that is not to be acted on. */
function answers(given: readonly (number | null | 'abstain')[]): ModelColumns {
  const score = Float64Array.from(given, (s) => (s === 'abstain' ? 0.5 : (s ?? NaN)));
  return {
    score,
    probabilityUp: score.map((s) => (1 + s) / 2),
    change: score.map((s) => s / 10),
    abstained: Uint8Array.from(given, (s) => (s === 'abstain' ? 1 : 0)),
    failed: Uint8Array.from(given, (s) => (s === null ? 1 : 0)),
  };
}
function run(spec: object, given: readonly (number | null | 'abstain')[]): Decided {
  const bars = sliceBars(sp500(), 0, given.length);
  return decide(strategySpecSchema.parse(spec), { bars, calendar, model: answers(given) });
}
const positions = (spec: object, given: readonly (number | null | 'abstain')[]): number[] =>
  Array.from(run(spec, given).positions);
const deciders = ({ parts, decidedBy }: Decided): string[] =>
  Array.from(decidedBy, (by) => parts[by]!.name);
const hold = (position: number) => ({ kind: 'buy-and-hold', position });

test('model-signal: steps of the recommendation, a score on a cut reaches it', () => {
  const scores = [0.35, 0.34, 0.15, 0.14, 0, -0.15, -0.35, NaN];
  const spec = { kind: 'model-signal' };
  assert.deepEqual(positions(spec, scores), [1, 0.5, 0.5, 0, 0, 0, 0, NaN]);
  const short = { ...spec, short: true };
  assert.deepEqual(positions(short, scores), [1, 0.5, 0.5, 0, 0, -0.5, -1, NaN]);
  const cuts = { buy: 0.3, strongBuy: 0.5 };
  assert.deepEqual(positions({ ...spec, cuts }, scores), [0.5, 0.5, 0, 0, 0, 0, 0, NaN]);
});

test('model-signal: in proportion to strongBuy, nothing below buy', () => {
  const spec = { kind: 'model-signal', sizing: 'proportional', short: true };
  const cuts = { buy: 0.1, strongBuy: 0.4 };
  assert.deepEqual(
    positions({ ...spec, cuts }, [0.8, 0.4, 0.2, 0.1, 0.09, -0.2]),
    [1, 1, 0.5, 0.25, 0, -0.5],
  );
});

test('model-signal by the expected change', () => {
  // Changes of .02, .008, .004, -.02.
  const spec = { kind: 'model-signal', by: 'change', short: true };
  assert.deepEqual(positions(spec, [0.2, 0.08, 0.04, -0.2]), [1, 0.5, 0, -1]);
});

test('an abstention is flat, or keeps the last position for so many bars after its answer', () => {
  const given = [0.5, 'abstain', 'abstain', 'abstain', 0.2, null, 'abstain', 'abstain'] as const;
  const spec = { kind: 'model-signal' };
  assert.deepEqual(positions(spec, given), [1, 0, 0, 0, 0.5, 0, 0, 0]);
  const keep = { ...spec, whenAbstained: 'keep', keepBars: 2 };
  assert.deepEqual(positions(keep, given), [1, 1, 1, 0, 0.5, 0, 0.5, 0]);
});

test('where the model fails the fallback decides, and says so; flat without one', () => {
  const given = [0.5, null, null, 0.2];
  const flat = run({ kind: 'model-signal' }, given);
  assert.deepEqual(Array.from(flat.positions), [1, 0, 0, 0.5]);
  assert.deepEqual(deciders(flat), [
    'model-signal',
    'model-signal.flat',
    'model-signal.flat',
    'model-signal',
  ]);
  const found = run({ kind: 'model-signal', fallback: hold(0.7) }, given);
  assert.deepEqual(Array.from(found.positions), [1, 0.7, 0.7, 0.5]);
  assert.equal(deciders(found)[1], 'model-signal.fallback:buy-and-hold');
  assert.deepEqual(
    [0, 1, 2, 3].map((t) => byFallback(found, t)),
    [false, true, true, false],
  );
});

test('a failing model through all that stands around it: the classical strategy answers', () => {
  const bars = sliceBars(sp500(), 0, 400);
  const failed = new Uint8Array(400).fill(1);
  const nothing = new Float64Array(400).fill(NaN);
  const model = { score: nothing, probabilityUp: nothing, change: nothing, failed };
  const fallback = { kind: 'sma-cross', fast: 10, slow: 30, short: true };
  const of = { kind: 'model-signal', fallback };
  const expected = decide(strategySpecSchema.parse(fallback), { bars, calendar }).positions;
  for (const spec of [
    of,
    { kind: 'hybrid', members: [{ strategy: of }, { strategy: of, weight: 3 }] },
    { kind: 'model-filter', fallback },
    { kind: 'model-filter', of, fallback },
    { kind: 'regime', calm: of, normal: of, turbulent: of, window: 20, period: 2 },
  ]) {
    const parsed = strategySpecSchema.parse(spec);
    const found = decide(parsed, { bars, calendar, model });
    const from = warmupBarsOf(parsed);
    assert.deepEqual(found.positions.subarray(from), expected.subarray(from), spec.kind);
    for (let t = from; t < 400; t++) assert.ok(byFallback(found, t), `${spec.kind} ${t}`);
  }
});

test('model-filter: long and short pass where the probability agrees', () => {
  // probabilityUp .7, .59, .5, .41, .3
  const given = [0.4, 0.18, 0, -0.18, -0.4];
  const filter = (position: number, least: number) =>
    positions({ kind: 'model-filter', of: hold(position), least }, given);
  assert.deepEqual(filter(1, 0.5), [1, 1, 1, 0, 0]);
  assert.deepEqual(filter(-0.5, 0.5), [0, 0, -0.5, -0.5, -0.5]);
  assert.deepEqual(filter(1, 0.6), [1, 0, 0, 0, 0]);
  assert.deepEqual(filter(-1, 0.6), [0, 0, 0, 0, -1]);
  assert.deepEqual(filter(0, 0.6), [0, 0, 0, 0, 0]);
});

test('model-filter: abstentions, failures and answers that nobody asked for', () => {
  const given = ['abstain', null, NaN, 0.5] as const;
  const spec = { kind: 'model-filter', of: hold(0.8) };
  assert.deepEqual(positions(spec, given), [0, 0, NaN, 0.8]);
  const pass = { ...spec, whenAbstained: 'pass', fallback: hold(0.3) };
  assert.deepEqual(positions(pass, given), [0.8, 0.3, NaN, 0.8]);
  assert.deepEqual(deciders(run(pass, given)), [
    'model-filter.of:buy-and-hold',
    'model-filter.fallback:buy-and-hold',
    'model-filter',
    'model-filter.of:buy-and-hold',
  ]);
});

test('hybrid by weights: the mean; by vote: more than the quorum', () => {
  const members = (...of: readonly (readonly [number, number])[]) =>
    of.map(([position, weight]) => ({ strategy: hold(position), weight }));
  const at = (spec: object) => positions({ kind: 'hybrid', ...spec }, [0])[0]!;
  assert.equal(at({ members: members([1, 1], [-0.5, 3]) }), -0.125);
  const vote = (quorum: number, ...of: readonly (readonly [number, number])[]) =>
    at({ by: 'vote', quorum, members: members(...of) });
  assert.equal(vote(0.5, [1, 1], [0.2, 1], [-1, 1]), 1);
  assert.equal(vote(0.5, [1, 1], [0, 1]), 0);
  assert.equal(vote(0.4, [1, 1], [0, 1]), 1);
  assert.equal(vote(0.5, [1, 1], [-1, 2]), -1);
  assert.equal(vote(0.1, [1, 1], [-1, 1]), 0);
  assert.equal(vote(0.1, [1, 2], [-1, 3], [0, 5]), -1);
});

test('hybrid of a classical strategy and a model: as its members by themselves', () => {
  const bars = sliceBars(sp500(), 0, 600);
  const model = modelColumns(600);
  const by = (spec: object) => decide(strategySpecSchema.parse(spec), { bars, calendar, model });
  const cross = { kind: 'sma-cross', short: true };
  const signal = { kind: 'model-signal', short: true };
  const members = [{ strategy: cross }, { strategy: signal, weight: 2 }];
  const found = by({ kind: 'hybrid', members });
  const [a, b] = [by(cross).positions, by(signal).positions];
  for (let t = 49; t < 600; t++) {
    assert.ok(Math.abs(found.positions[t]! - (a[t]! + 2 * b[t]!) / 3) < 1e-15, `row ${t}`);
    assert.equal(byFallback(found, t), model.failed![t] === 1);
  }
});

test('a model that is missing or not aligned is an error, not a flat position', () => {
  const bars = sliceBars(sp500(), 0, 50);
  const spec = strategySpecSchema.parse({
    kind: 'volatility-target',
    of: { kind: 'model-signal' },
  });
  assert.equal(needsModel(spec), true);
  assert.throws(() => decide(spec, { bars, calendar }), { code: 'strategies.no-model' });
  assert.throws(() => decide(spec, { bars, calendar, model: modelColumns(49) }), {
    code: 'strategies.model-length',
  });
  const cut = sliceModel(modelColumns(60), 5, 55);
  assert.equal(decide(spec, { bars, calendar, model: cut }).positions.length, 50);
});
