/** Data quality, age, and the report that puts everything together. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { calendarFor } from '../../../core/calendar/index.ts';
import {
  calibrateCusum,
  driftReport,
  driftReportSchema,
  inputDrift,
  predictionDrift,
  qualityDrift,
  qualityWindows,
  renderDriftReport,
  runCusum,
  staleness,
  startCusum,
  type DriftReport,
  type DriftReportInput,
  type InputDrift,
  type RankVerdict,
} from '../../../core/drift/index.ts';
import { driftPlots } from '../../../core/drift/report/plots.ts';
import { DRIFT_SECTIONS } from '../../../core/drift/report/page.ts';
import { verdictOfAll } from '../../../core/drift/report.ts';
import type { QualityReport } from '../../../core/quality/report.ts';
import { syntheticBars } from '../../support/synthetic-bars.ts';
import { normals } from '../evaluation/planted.ts';

const DAY_MS = 86_400_000;
const calendar = calendarFor('nyse');
const day = (iso: string): number => Date.parse(`${iso}T00:00:00Z`);

describe('data quality', () => {
  const reportOf = (score: number, count = 0): QualityReport => ({
    instrument: '^TEST',
    rows: 100,
    firstBar: '2020-01-02',
    lastBar: '2020-05-27',
    score,
    minScore: 0.9,
    strict: false,
    passed: true,
    findings:
      count === 0
        ? []
        : [{ rule: 'flat', severity: 'warn', message: 'flat bars', count, rows: [] }],
  });
  const usual = Array.from({ length: 30 }, (_, i) => reportOf(0.99 - 0.001 * (i % 5), i % 3));

  test('worse than ever is drift, as usual is not, always perfect is not', () => {
    assert.equal(qualityDrift([...usual, reportOf(0.8, 9)]).verdict, 'drift');
    assert.equal(qualityDrift([...usual, reportOf(0.988, 1)]).verdict, 'none');
    const perfect = Array.from({ length: 31 }, () => reportOf(1));
    assert.equal(qualityDrift(perfect).verdict, 'none');
    assert.equal(qualityDrift(perfect.map(() => reportOf(0.5, 20))).verdict, 'none');
  });

  test('findings beside what is usual; 24 earlier windows', () => {
    const { findings, usualScore } = qualityDrift([...usual, reportOf(0.8, 9)]);
    assert.deepEqual(findings, [
      { rule: 'flat', severity: 'warn', rows: 9, usual: 1, message: 'flat bars' },
    ]);
    assert.ok(Math.abs(usualScore! - 0.988) < 1e-12);
    const few = qualityDrift([...usual.slice(0, 23), reportOf(0.2, 50)]);
    assert.deepEqual([few.verdict, few.p], ['notEnoughHistory', null]);
    assert.throws(() => qualityDrift([]), { code: 'drift.empty' });
  });

  test('windows are cut from the newest bar backwards, and a frozen feed in the last one is found', () => {
    const bars = syntheticBars(1010, { seed: 'quality drift' });
    const frozen = {
      ...bars,
      close: bars.close.slice(),
      high: bars.high.slice(),
      low: bars.low.slice(),
      open: bars.open.slice(),
      volume: bars.volume.slice(),
    };
    for (const column of [frozen.open, frozen.high, frozen.low, frozen.close]) {
      column.fill(bars.close[999]!, 1000);
    }
    frozen.volume.fill(0, 1000);
    const reports = qualityWindows(frozen, calendar, { window: 30 });
    assert.equal(reports.length, 33);
    assert.equal(reports.at(-1)!.rows, 30);
    assert.equal(qualityDrift(reports).verdict, 'drift');
    assert.equal(qualityDrift(qualityWindows(bars, calendar, { window: 30 })).verdict, 'none');
    assert.equal(qualityWindows(bars, calendar, { window: 30, maxWindows: 5 }).length, 6);
  });
});

describe('age', () => {
  const of = (newest: string, asOf: string, trained: string | null = '2024-01-02') =>
    staleness({
      newestBar: day(newest),
      asOf: Date.parse(asOf),
      trainedThrough: trained === null ? null : day(trained),
      calendar,
      timeframe: '1d',
      expiresAfter: 3,
      maxAge: 10,
    });

  test('a weekend makes no bar late, and a session that is not over is none', () => {
    assert.equal(of('2024-01-05', '2024-01-07T12:00:00Z').lagBars, 0);
    assert.equal(of('2024-01-05', '2024-01-08T12:00:00Z').lagBars, 0);
    assert.equal(of('2024-01-05', '2024-01-08T23:00:00Z').lagBars, 1);
    assert.deepEqual(
      ['2024-01-10T23:00:00Z', '2024-01-11T23:00:00Z'].map((at) => of('2024-01-05', at).dataStale),
      [false, true],
    );
  });

  test('the age of the model is in sessions, and may be unknown', () => {
    const young = of('2024-01-17', '2024-01-17T22:00:00Z');
    // Ten sessions after 2 January: the 15th is a holiday.
    assert.deepEqual([young.ageSessions, young.modelStale], [10, false]);
    assert.ok(of('2024-01-18', '2024-01-18T22:00:00Z').modelStale);
    const unknown = of('2024-01-18', '2024-01-18T22:00:00Z', null);
    assert.deepEqual([unknown.ageSessions, unknown.modelStale], [null, false]);
    assert.equal(of('2024-01-05', '2023-06-01T00:00:00Z').ageSessions, 0);
    // Where the data ended, a retrain would learn nothing new: the model is not stale for ever.
    assert.equal(of('2024-01-05', '2024-06-01T00:00:00Z').ageSessions, 3);
  });
});

const normal = normals(4);
const losses = Float64Array.from({ length: 700 }, () => normal() ** 2);
const times = losses.map((_, i) => day('2021-01-01') + i * DAY_MS);
const calibration = calibrateCusum(losses.subarray(0, 500), { perYear: 252, block: 21, seed: 1 });
assert.ok(calibration.status === 'calibrated');

function performanceOf(shift: number): NonNullable<DriftReport['performance']> {
  assert.ok(calibration.status === 'calibrated');
  const rows = { times: times.subarray(500), values: losses.subarray(500).map((u) => u + shift) };
  const { state, path, alarms } = runCusum(startCusum(), rows, calibration);
  return { calibration, state, path: [...path], alarms: [...alarms], unit: 'bar' };
}

const columns = (shift: number) => {
  const draw = normals(5);
  const rows = 35 * 40;
  const values = Float64Array.from({ length: rows * 6 }, (_, i) =>
    i >= (rows - 40) * 6 ? draw() + shift : draw(),
  );
  const openTime = Float64Array.from({ length: rows }, (_, i) => day('2021-01-01') + i * DAY_MS);
  return { names: ['a', 'b', 'c', '<d>', 'e', 'f'], rows, values, openTime };
};
const calmInputs = inputDrift(columns(0), { window: 40 });
const driftedInputs = inputDrift(columns(1.5), { window: 40 });
const noInputs: InputDrift = inputDrift({ ...columns(0), rows: 100 }, { window: 40 });
const qualityReports = qualityWindows(syntheticBars(1000, { seed: 'report' }), calendar, {
  window: 30,
});

function inputOf(over: Partial<DriftReportInput> = {}): DriftReportInput {
  return {
    model: 'index-gspc',
    version: 4,
    asOf: day('2024-11-01'),
    performance: performanceOf(0),
    inputs: [{ instrument: '^GSPC', drift: calmInputs }],
    predictions: [{ instrument: '^GSPC', drift: predictionDrift(columns(0), { window: 40 }) }],
    quality: [{ instrument: '^GSPC', drift: qualityDrift(qualityReports) }],
    staleness: [{ instrument: '^GSPC', staleness: ageOf(20, 1) }],
    previousInputVerdict: null,
    ...over,
  };
}

const ageOf = (ageSessions: number, lagBars: number) => ({
  newestBar: '2024-10-31T00:00:00.000Z',
  asOf: '2024-11-01T00:00:00.000Z',
  lagBars,
  expiresAfter: 3,
  dataStale: lagBars > 3,
  trainedThrough: '2024-09-01T00:00:00.000Z',
  ageSessions,
  maxAge: 126,
  modelStale: ageSessions > 126,
});
const staleModel = [{ instrument: '^GSPC', staleness: ageOf(127, 0) }];
const lateBars = [{ instrument: '^GSPC', staleness: ageOf(20, 4) }];
const drifted = [{ instrument: '^GSPC', drift: driftedInputs }];

describe('the report', () => {
  const verdictOf = (over: Partial<DriftReportInput>): string => {
    const { verdict, signals } = driftReport(inputOf(over));
    return [verdict, ...signals].join(' ');
  };

  test('losses, age and input drift twice ask for a retrain; anything else warns at most', () => {
    assert.equal(driftedInputs.verdict, 'drift');
    const notCalibrated = calibrateCusum(losses.subarray(0, 9), {
      perYear: 252,
      block: 21,
      seed: 1,
    });
    const waiting = { ...performanceOf(0), calibration: notCalibrated, path: [], alarms: [] };
    const moved = [{ instrument: 'x', drift: predictionDrift(columns(1.5), { window: 40 }) }];
    assert.deepEqual(
      {
        usual: verdictOf({}),
        worse: verdictOf({ performance: performanceOf(1.5) }),
        inputs: verdictOf({ inputs: drifted }),
        inputsAfterNone: verdictOf({ inputs: drifted, previousInputVerdict: 'none' }),
        inputsTwice: verdictOf({ inputs: drifted, previousInputVerdict: 'drift' }),
        inputsBefore: verdictOf({ previousInputVerdict: 'drift' }),
        stale: verdictOf({ staleness: staleModel }),
        late: verdictOf({ staleness: lateBars }),
        forecasts: verdictOf({ predictions: moved }),
        notCalibrated: verdictOf({ performance: waiting }),
        nothingSettled: verdictOf({ performance: null }),
        notCalibratedButStale: verdictOf({ performance: waiting, staleness: staleModel }),
        all: verdictOf({
          performance: performanceOf(1.5),
          inputs: drifted,
          previousInputVerdict: 'drift',
          staleness: staleModel,
        }),
      },
      {
        usual: 'none',
        worse: 'drift loss',
        inputs: 'warn',
        inputsAfterNone: 'warn',
        inputsTwice: 'drift input-twice',
        inputsBefore: 'none',
        stale: 'warn stale',
        late: 'warn',
        forecasts: 'warn',
        notCalibrated: 'notCalibrated',
        nothingSettled: 'notCalibrated',
        notCalibratedButStale: 'warn stale',
        all: 'drift loss stale input-twice',
      },
    );
  });

  test('of several instruments at least half must drift', () => {
    const of = (text: string): RankVerdict =>
      verdictOfAll(
        text.split('').map((c) => (c === 'd' ? 'drift' : c === 'n' ? 'none' : 'notEnoughHistory')),
      );
    assert.deepEqual(['', 'e', 'd', 'n', 'dn', 'dnn', 'ddnn', 'dee', 'ddnnn'].map(of), [
      'notEnoughHistory',
      'notEnoughHistory',
      'drift',
      'none',
      'drift',
      'none',
      'drift',
      'drift',
      'none',
    ]);
  });

  test('is JSON, with whole sentences, the verdict first and the corrections last', () => {
    const several = [...drifted, { instrument: 'KRW-BTC', drift: noInputs }];
    for (const over of [
      {},
      { performance: null },
      { inputs: several, staleness: staleModel },
      { performance: performanceOf(2) },
      { inputs: [], predictions: [], quality: [], staleness: [] },
    ]) {
      const report = driftReport(inputOf(over));
      assert.deepEqual(driftReportSchema.parse(JSON.parse(JSON.stringify(report))), report);
      for (const sentence of report.words) {
        assert.match(sentence, /^[A-Z^].*\.$/, sentence);
        assert.doesNotMatch(sentence, /NaN|undefined|null|Infinity|\.\./, sentence);
      }
      assert.match(report.words.at(-1)!, /^Corrections: /);
    }
  });

  test('says what a reader needs', () => {
    const words = (over: Partial<DriftReportInput>): string =>
      driftReport(inputOf(over)).words.join('\n');
    assert.match(words({}), /^No drift: losses and inputs are as usual\./);
    assert.match(words({}), /crosses it with a probability of 10 %/);
    assert.match(
      words({}),
      /single features are ranked but not flagged: with 6 features that takes 60 windows/,
    );
    assert.match(
      words({ performance: performanceOf(1.5) }),
      /A retrain is asked for: the forecasts became worse\./,
    );
    assert.match(words({ inputs: drifted }), /if the next report finds it again/);
    assert.match(words({ inputs: drifted }), /Inputs: drifted\. 6 of 6 features \(100 %\)/);
    assert.match(
      words({ staleness: lateBars }),
      /4 bars late, and 3 are allowed: look at the source/,
    );
    assert.match(words({ staleness: staleModel }), /127 sessions, more than the 126 allowed/);
    const fresh = [{ instrument: '^GSPC', staleness: ageOf(0, 0) }];
    assert.match(words({ staleness: fresh }), /has learnt from the newest session\./);
    assert.match(
      words({ inputs: [...drifted, { instrument: 'X', drift: noInputs }] }),
      /X: Inputs: not judged, for there are 0 earlier windows/,
    );
  });
});

describe('the page', () => {
  test('has its fixed sections in order, self-contained, names escaped, the same bytes again', () => {
    for (const over of [
      {},
      { performance: null },
      { inputs: [], predictions: [], quality: [], staleness: [] },
      { inputs: drifted, performance: performanceOf(1.5) },
    ]) {
      const page = renderDriftReport(driftReport(inputOf(over)));
      const found = [...page.matchAll(/<section id="([a-z-]+)">/g)].map((match) => match[1]);
      assert.deepEqual(
        found,
        DRIFT_SECTIONS.map(([id]) => id),
      );
      assert.doesNotMatch(page, /<script|src=|href="http|NaN|undefined|<d>/);
      assert.equal(renderDriftReport(driftReport(inputOf(over))), page);
    }
  });

  test('tells the market from the model by a forecast that cannot become worse', () => {
    const worse = performanceOf(1.5);
    const said = (shift: number): string => {
      const { path } = performanceOf(shift);
      const reference = {
        name: 'naive',
        c: calibration.status === 'calibrated' ? calibration.c : 0,
        path,
      };
      const report = driftReport(inputOf({ performance: { ...worse, reference } }));
      assert.match(driftPlots(report)[0]!.svg, /the same of naive/);
      return report.words.join('\n');
    };
    assert.match(said(0), /naive, which cannot become worse, did not: it is the model/);
    assert.match(
      said(1.5),
      /naive, which cannot become worse, alarmed around then too: the market/,
    );
  });

  test('draws the path with its alarms, the calibration, and the features against their history', () => {
    const report = driftReport(inputOf({ inputs: drifted, performance: performanceOf(1.5) }));
    const plots = driftPlots(report);
    assert.deepEqual(
      plots.map(({ name }) => name),
      ['cusum', 'calibration', 'inputs-^GSPC', 'predictions-^GSPC'],
    );
    const [cusum, histogram, features] = plots.map(({ svg }) => svg);
    assert.equal(
      [...cusum!.matchAll(/<circle/g)].length,
      report.performance!.path.filter(({ alarm }) => alarm).length,
    );
    assert.equal([...histogram!.matchAll(/<rect/g)].length, 40);
    assert.equal([...features!.matchAll(/<circle/g)].length, 6 * 31);
    for (const { svg } of plots) assert.doesNotMatch(svg, /NaN|Infinity/);
  });
});
