import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calendarFor } from '../../../core/calendar/index.ts';
import { instantsOf } from '../../../core/backtest/instants.ts';
import { barPositions } from '../../../core/indicators/index.ts';
import { decide, strategies, strategySpecSchema } from '../../../core/strategies/index.ts';
import { walkBars } from '../../support/example-bars.ts';

const HOUR = 3_600_000;
const calendar = calendarFor('24x7');
const barsOf = (rows: number, seed: number) =>
  walkBars(
    Float64Array.from({ length: rows }, (_, t) => t * HOUR),
    seed,
    '1h',
  );

test('what was decided stays as it is whatever is decided after it, and is decided alike again', () => {
  const specs = strategies
    .filter(({ traits, example, nested }) => !traits.readsModel && !example && !nested)
    .map(({ name }) => strategySpecSchema.parse({ kind: name }));
  assert.ok(specs.length >= 5);
  const [bars, others] = [barsOf(700, 1), barsOf(700, 2)];
  for (const spec of specs) {
    const { positions } = decide(spec, { bars, calendar });
    const before = positions.slice();
    for (const other of specs) decide(other, { bars: others, calendar });
    assert.deepEqual(positions, before, spec.kind);
    assert.deepEqual(decide(spec, { bars, calendar }).positions, before, spec.kind);
  }
});

test('bars lie where their calendar says, whether or not they follow one another', () => {
  const hours = [0, 1, 2, 5, 6, 256, 257, 600, 600.5, 601.5, 602.5, 603];
  const openTime = Float64Array.from(hours, (hour) => (hour + 400_000) * HOUR);
  const { index, anchors } = barPositions(openTime, calendar, '1h');
  assert.deepEqual(
    [...index],
    Array.from(openTime, (time) => calendar.indexOf(time, '1h')),
  );
  assert.ok(anchors.length >= 2);
});

test('bars that overlap open no sooner than the one before has closed', () => {
  const of = (hours: readonly number[]) =>
    instantsOf(
      { ...barsOf(hours.length, 1), openTime: Float64Array.from(hours, (hour) => hour * HOUR) },
      calendar,
    );
  const hoursOf = (column: Float64Array): number[] => Array.from(column, (time) => time / HOUR);
  const apart = of([0, 1, 3]);
  assert.deepEqual(
    [hoursOf(apart.openAt), hoursOf(apart.closeAt)],
    [
      [0, 1, 3],
      [1, 2, 4],
    ],
  );
  const overlapping = of([0, 0.5, 3]);
  assert.deepEqual(hoursOf(overlapping.openAt), [0, 1, 3]);
  assert.ok(overlapping.closeAt.every((close, t) => close > overlapping.openAt[t]!));
});
