import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { bootstrapInterval, intervalOf, resampledMeans } from '../../../core/metrics/bootstrap.ts';
import { compareLosses } from '../../../core/metrics/comparison.ts';
import { metrics } from '../../../core/metrics/index.ts';
import { computeMetric } from '../../../core/metrics/score.ts';
import { skillScore } from '../../../core/metrics/skill.ts';
import { studentTUpperTail } from '../../../core/metrics/student-t.ts';

interface Golden {
  tTails: { t: number; df: number; p: number }[];
  comparisons: {
    n: number;
    h: number;
    other: number[];
    challenger: number[][];
    meanDifference: number;
    seedVariance: number;
    terms: number;
    statistic: number;
    df: number;
    p: number;
    dm: number | null;
    dmP: number | null;
  }[];
  forecasts: Record<string, number | null> & { actual: number[]; predicted: number[] };
  bootstrap: {
    n: number;
    block: number;
    resamples: number;
    starts: number[];
    a: number[];
    b: number[];
    skill: number;
    low: number;
    high: number;
  };
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/statistics.json', import.meta.url), 'utf8'),
) as Golden;

/** Equal to 1e-9 of the larger, or both below anything that matters. */
function assertClose(got: number, want: number, what: string): void {
  const scale = Math.max(Math.abs(got), Math.abs(want));
  assert.ok(Math.abs(got - want) <= 1e-9 * scale, `${what}: ${got} is not ${want}`);
}

test("Student's t tail agrees with scipy", () => {
  for (const { t, df, p } of golden.tTails)
    assertClose(studentTUpperTail(t, df), p, `t ${t} df ${df}`);
});

test('the comparison test agrees with numpy and scipy', () => {
  for (const c of golden.comparisons) {
    const got = compareLosses({
      other: Float64Array.from(c.other),
      challenger: c.challenger.map((losses) => Float64Array.from(losses)),
      horizon: c.h,
    });
    assert.equal(got.status, 'tested');
    assertClose(got.meanDifference, c.meanDifference, 'mean');
    assertClose(got.seedVariance, c.seedVariance, 's2');
    assert.equal(got.test?.terms, c.terms);
    assertClose(got.test!.statistic, c.statistic, 'T');
    assertClose(got.test!.degreesOfFreedom, c.df, 'df');
    assertClose(got.test!.p, c.p, 'p');
    if (c.dm === null) assert.equal(got.dieboldMariano, null);
    else {
      assertClose(got.dieboldMariano!.statistic, c.dm, 'DM');
      assertClose(got.dieboldMariano!.p, c.dmP!, 'DM p');
    }
  }
});

test('every metric of the catalogue agrees with numpy', () => {
  const actual = Float64Array.from(golden.forecasts.actual);
  const predicted = Float64Array.from(golden.forecasts.predicted);
  // Daily from 2020-01-01, as in the generator.
  const openTime = actual.map((_, i) => Date.UTC(2020, 0, 1 + i));
  const rows = { openTime, actual, predicted, actualChange: actual, predictedChange: predicted };
  for (const metric of metrics) {
    const [got, want] = [computeMetric(metric, rows), golden.forecasts[metric.name]];
    if (want === null) assert.ok(Number.isNaN(got), metric.name);
    else assertClose(got, want!, metric.name);
  }
});

test('the bootstrap of a skill agrees with numpy on the same draws', () => {
  const { n, block, resamples, starts, a, b, skill, low, high } = golden.bootstrap;
  const draws = { n, block, resamples, starts: Int32Array.from(starts), tooFewBlocks: true };
  const groups = { count: n, group: Int32Array.from({ length: n }, (_, i) => i) };
  const columns = [Float64Array.from(a), Float64Array.from(b)];
  const value = ([x = NaN, y = NaN]: readonly number[]) => skillScore(x, y);
  const interval = bootstrapInterval(columns, value, groups, draws);
  assertClose(interval.value!, skill, 'skill');
  assertClose(interval.low!, low, 'low');
  assertClose(interval.high!, high, 'high');
  const [mine, other] = resampledMeans(columns, groups, draws);
  const skills = mine!.map((x, i) => skillScore(x, other![i]!));
  assert.deepEqual(intervalOf(skills[0]!, skills.subarray(1), true), interval);
});
