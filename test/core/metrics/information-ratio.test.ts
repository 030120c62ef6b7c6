import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupByTime } from '../../../core/metrics/bootstrap.ts';
import {
  informationCoefficients,
  type ReturnPairs,
} from '../../../core/metrics/information-coefficient.ts';
import { normalBy } from '../../support/lstm-network.ts';

const DAY_MS = 86_400_000;
const DAYS = 900;
const metrics = informationCoefficients<ReturnPairs>((pairs) => pairs);

function valueOf(name: string, pairs: ReturnPairs): number {
  const metric = metrics.find((one) => one.name === name)!;
  const times = groupByTime(pairs.openTime);
  const { units, value } = metric.prepare(pairs, times);
  return value(new Float64Array(units === 'times' ? times.count : units).fill(1));
}

/** Returns that nothing foretells, and a forecast that is a level of the very prices: high after rises, low after falls. */
function martingale(seed: string): ReturnPairs {
  const normal = normalBy(seed);
  const openTime = Float64Array.from({ length: DAYS }, (_, i) => i * DAY_MS);
  const outcome = openTime.map(() => 0.01 * normal());
  const forecast = new Float64Array(DAYS);
  let level = 0;
  for (let i = 0; i < DAYS; i++) {
    forecast[i] = -level;
    // Known before the return that it is held against, and slow.
    level = 0.97 * level + outcome[i]!;
  }
  return { openTime, forecast, outcome };
}

for (const name of ['icir', 'rankIcir']) {
  test(`${name} of a slow forecast says nothing of a martingale`, () => {
    const months = DAYS / 30.4;
    const t = Array.from({ length: 60 }, (_, i) => {
      return valueOf(name, martingale(`martingale-${i}`)) * Math.sqrt(months);
    });
    // Taken within months, 60 of 60 lie beyond 2.
    const beyond = t.filter((value) => Math.abs(value) > 2).length;
    assert.ok(beyond <= 7, `${beyond} of 60 beyond two standard errors`);
    const mean = t.reduce((sum, value) => sum + value, 0) / t.length;
    assert.ok(Math.abs(mean) < 0.6, `mean ${mean}`);
  });
}

test('a relation that is there each month has a ratio that says so', () => {
  const normal = normalBy('steady');
  const { openTime, outcome } = martingale('steady');
  const forecast = outcome.map((value) => value + 0.01 * normal());
  assert.ok(valueOf('icir', { openTime, outcome, forecast }) > 2);
});
