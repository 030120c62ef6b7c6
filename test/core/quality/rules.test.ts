import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBars, sliceBars, takeBars, type Bars } from '../../../core/bars/index.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import {
  assessQuality,
  failureReason,
  qualityRules,
  qualityScore,
  type QualityFinding,
  type QualityOptions,
} from '../../../core/quality/index.ts';
import { walkBars, withRows } from '../../support/made-bars.ts';

const nyse = calendarFor('nyse');
const always = calendarFor('24x7');
const HOUR = 3_600_000;

function findings(
  bars: Bars,
  rule: string,
  options: QualityOptions = {},
): readonly QualityFinding[] {
  const calendar = bars.timeframe === '1d' ? nyse : always;
  return assessQuality(bars, calendar, options).findings.filter((f) => f.rule === rule);
}
const severities = (bars: Bars, rule: string, options?: QualityOptions): string[] =>
  findings(bars, rule, options).map((f) => f.severity);
const clean = walkBars(600);
const hourly = walkBars(600, { timeframe: '1h', from: '2024-01-01' });
const positions = (bars: Bars): number[] => Array.from(bars.openTime.keys());

test('clean bars: score 1, no finding at all, for days and for hours', () => {
  for (const [bars, calendar] of [
    [clean, nyse],
    [hourly, always],
  ] as const) {
    const report = assessQuality(bars, calendar, { strict: true });
    assert.deepEqual([report.score, report.passed, report.findings], [1, true, []]);
    assert.equal(failureReason(report), undefined);
  }
});

test('no bars: fails with a reason', () => {
  const report = assessQuality(sliceBars(clean, 0, 0), nyse);
  assert.equal(report.passed, false);
  assert.match(failureReason(report)!, /no bars of WALK/);
});

test('every rule is documented and has a name of its own', () => {
  assert.equal(new Set(qualityRules.map((r) => r.name)).size, qualityRules.length);
  for (const rule of qualityRules)
    assert.ok(rule.docs && rule.threshold && rule.severity, rule.name);
});

test('order: disorder and duplicates block', () => {
  const disorder = takeBars(clean, [
    ...positions(clean).slice(0, 100),
    102,
    101,
    ...positions(clean).slice(103),
  ]);
  assert.deepEqual(severities(disorder, 'order'), ['block']);
  const twice = takeBars(clean, [
    ...positions(clean).slice(0, 100),
    99,
    ...positions(clean).slice(100),
  ]);
  assert.match(findings(twice, 'order')[0]!.message, /1 of them duplicates/);
});

test('ohlc: impossible prices block, single-precision noise does not', () => {
  const at = (change: object): Bars => withRows(clean, { 50: change });
  for (const change of [
    { high: clean.low[50]! * 0.99 },
    { low: clean.high[50]! * 1.01 },
    { close: 0, low: 0 },
    { close: Number.NaN },
    { open: -1 },
    { volume: -1 },
    { high: Number.POSITIVE_INFINITY },
  ]) {
    const [finding] = findings(at(change), 'ohlc');
    assert.deepEqual([finding?.severity, finding?.count], ['block', 1], JSON.stringify(change));
    assert.deepEqual(finding?.rows, [new Date(clean.openTime[50]!).toISOString().slice(0, 10)]);
  }
  const high = Math.max(clean.open[50]!, clean.close[50]!);
  assert.deepEqual(findings(at({ high: high * (1 - 5e-7) }), 'ohlc'), []);
});

test('missing: one in a hundred is allowed, more blocks; long holes by their length', () => {
  const lacking = (...rows: number[]): Bars =>
    takeBars(
      clean,
      positions(clean).filter((i) => !rows.includes(i)),
    );
  assert.deepEqual(severities(lacking(100, 200, 300, 400, 500, 550), 'missing'), []);
  assert.deepEqual(severities(lacking(50, 100, 150, 200, 300, 400, 500), 'missing'), ['block']);
  const hole = (n: number): Bars => lacking(...Array.from({ length: n }, (_, i) => 300 + i));
  assert.deepEqual(severities(hole(5), 'missing'), ['warn'], 'more than 7 days');
  assert.deepEqual(severities(hole(12), 'missing'), ['block', 'block'], 'more than 14 days');
  const long = walkBars(8_000, { timeframe: '1h', from: '2023-01-01' });
  const without = (n: number): Bars =>
    takeBars(
      long,
      positions(long).filter((i) => i < 300 || i >= 300 + n),
    );
  assert.deepEqual(severities(without(12), 'missing'), []);
  assert.deepEqual(severities(without(13), 'missing'), ['warn']);
  assert.deepEqual(severities(without(49), 'missing'), ['block']);
});

test('missing: bars on closed days are named', () => {
  const saturday = Date.parse('2016-01-02');
  const [finding] = findings(withRows(clean, { 252: { openTime: saturday } }), 'missing');
  assert.match(finding!.message, /times at which the nyse calendar has none/);
  assert.deepEqual(finding!.rows, ['2016-01-02']);
});

test('flat and zero volume: runs block with the day to begin from, single ones do not', () => {
  const flatRow = (i: number): object => ({
    open: clean.close[i]!,
    high: clean.close[i]!,
    low: clean.close[i]!,
    close: clean.close[i]!,
  });
  const flat = (n: number): Bars =>
    withRows(
      clean,
      Object.fromEntries(
        positions(clean)
          .slice(10, 10 + n)
          .map((i) => [i, flatRow(i)]),
      ),
    );
  assert.deepEqual(severities(flat(4), 'flat'), []);
  const [finding] = findings(flat(5), 'flat');
  assert.equal(finding!.severity, 'block');
  const next = new Date(clean.openTime[15]!).toISOString().slice(0, 10);
  assert.ok(finding!.message.includes(`set from: ${next}`));
  const silent = (n: number): Bars =>
    withRows(
      clean,
      Object.fromEntries(
        positions(clean)
          .slice(20, 20 + n)
          .map((i) => [i, { volume: 0 }]),
      ),
    );
  assert.deepEqual(severities(silent(2), 'zero-volume'), ['warn']);
  assert.deepEqual(severities(silent(3), 'zero-volume'), ['block']);
});

test('open = previous close: a habit of a year warns, where the market closes', () => {
  const copied = (bars: Bars): Bars =>
    withRows(
      bars,
      Object.fromEntries(
        positions(bars)
          .slice(1, 120)
          .map((i) => [
            i,
            {
              open: bars.close[i - 1]!,
              high: Math.max(bars.high[i]!, bars.close[i - 1]!),
              low: Math.min(bars.low[i]!, bars.close[i - 1]!),
            },
          ]),
      ),
    );
  assert.deepEqual(severities(copied(clean), 'open-equals-close'), ['warn']);
  assert.deepEqual(severities(copied(hourly), 'open-equals-close'), []);
});

test('leading artefact: trimmed for the other rules, only where the market never closes', () => {
  const launch = withRows(hourly, {
    0: { volume: 0 },
    1: { volume: 0 },
    2: { volume: 0 },
    4: { volume: 0 },
  });
  const report = assessQuality(launch, always);
  assert.deepEqual(
    report.findings.map((f) => [f.rule, f.count]),
    [['leading-artefact', 5]],
  );
  assert.deepEqual([report.rows, report.score], [595, 1]);
  const late = withRows(hourly, { 48: { volume: 0 } });
  assert.deepEqual(severities(late, 'leading-artefact'), []);
  assert.deepEqual(severities(withRows(clean, { 0: { volume: 0 } }), 'leading-artefact'), []);
});

test('a crash that stays is a jump; one that is taken back is a spike; neither lowers the score', () => {
  const crash = withRows(
    clean,
    Object.fromEntries(
      positions(clean)
        .slice(400)
        .map((i) => [i, scaled(clean, i, 0.8)]),
    ),
  );
  const report = assessQuality(crash, nyse);
  assert.deepEqual(
    report.findings.map((f) => f.rule),
    ['jump'],
  );
  assert.deepEqual([report.score, report.passed], [1, true]);
  const spike = withRows(clean, { 400: scaled(clean, 400, 0.8) });
  assert.deepEqual(severities(spike, 'spike-revert'), ['warn']);
  assert.deepEqual(severities(spike, 'spike-revert', { second: clean }), ['block']);
  assert.deepEqual(severities(spike, 'spike-revert', { second: spike }), ['warn']);
});

function scaled(bars: Bars, i: number, by: number): object {
  return {
    open: bars.open[i]! * by,
    high: bars.high[i]! * by,
    low: bars.low[i]! * by,
    close: bars.close[i]! * by,
  };
}

test('split-like: the price halves and the volume doubles; a crash with ten times the volume is none', () => {
  const from300 = (by: number, volume: number): Bars =>
    withRows(
      clean,
      Object.fromEntries(
        positions(clean)
          .slice(300)
          .map((i) => [i, { ...scaled(clean, i, by), volume: clean.volume[i]! * volume }]),
      ),
    );
  for (const ratio of [1 / 2, 1 / 4, 1 / 7, 2 / 3, 3 / 2, 10]) {
    assert.deepEqual(severities(from300(ratio, 1 / ratio), 'split-like'), ['block'], String(ratio));
  }
  assert.deepEqual(severities(from300(0.5, 20), 'split-like'), []);
  assert.deepEqual(severities(from300(0.6, 1), 'split-like'), [], 'no ratio that splits have');
  assert.deepEqual(severities(from300(0.75, 1.3), 'split-like'), [], 'too small a move');
});

test('vintage splice: another scale, a step inside, too short an overlap', () => {
  const old = sliceBars(clean, 0, 400);
  const all = { ...clean, close: clean.close.map((c) => c * 0.98) };
  assert.deepEqual(severities(clean, 'vintage-splice', { previous: old }), []);
  assert.match(findings(all, 'vintage-splice', { previous: old })[0]!.message, /1\.020408 x/);
  const stepped = { ...clean, close: clean.close.map((c, i) => (i < 200 ? c : c * 1.001)) };
  assert.match(findings(stepped, 'vintage-splice', { previous: old })[0]!.message, /steps 1 times/);
  const topUp = sliceBars(clean, 381);
  assert.match(findings(topUp, 'vintage-splice', { previous: old })[0]!.message, /only 19 bars/);
  assert.deepEqual(severities(sliceBars(clean, 380), 'vintage-splice', { previous: old }), []);
});

test('time zone: a shift against another market blocks, in either direction', () => {
  for (const hours of [9, -5]) {
    const shifted = { ...hourly, openTime: hourly.openTime.map((t) => t + hours * HOUR) };
    const [finding] = findings(shifted, 'time-zone', { references: [hourly] });
    const sign = hours > 0 ? '+' : '-';
    assert.ok(finding!.message.includes(`"${sign}0${Math.abs(hours)}:00"`), finding!.message);
    assert.equal(finding!.severity, 'block');
  }
  assert.deepEqual(severities(hourly, 'time-zone', { references: [hourly] }), []);
  const other = walkBars(600, { timeframe: '1h', from: '2024-01-01', seed: 9 });
  assert.deepEqual(severities(other, 'time-zone', { references: [hourly] }), [], 'unrelated');
});

test('time zone: without common bars the hours of trading tell', () => {
  const busy = (bars: Bars, shift: number): Bars => ({
    ...bars,
    volume: bars.volume.map((v, i) => {
      const hour = (((bars.openTime[i]! / HOUR + shift) % 24) + 24) % 24;
      return v * Math.exp(2 * Math.sin((hour / 24) * 2 * Math.PI));
    }),
  });
  const before = walkBars(600, { timeframe: '1h', from: '2023-01-01', seed: 2 });
  const references = [busy(before, 0)];
  assert.deepEqual(severities(busy(hourly, -9), 'time-zone', { references }), ['warn']);
  assert.deepEqual(severities(busy(hourly, 0), 'time-zone', { references }), []);
});

test('provisional: by the clock where arrival is known, else by volume', () => {
  const last = clean.openTime.length - 1;
  const closes = nyse.closeTime(clean.openTime[last]!, '1d');
  assert.deepEqual(severities(clean, 'provisional', { arrivedAt: closes }), ['warn']);
  assert.deepEqual(severities(clean, 'provisional', { arrivedAt: closes + HOUR }), []);
  const partial = withRows(clean, { [last]: { volume: 2e5 } });
  assert.deepEqual(severities(partial, 'provisional'), ['warn']);
  assert.deepEqual(severities(partial, 'provisional', { arrivedAt: closes + HOUR }), []);
});

test('copied column: equal volumes of two instruments; zeros and crypto do not count', () => {
  const other = withRows(walkBars(600, { seed: 5, instrument: 'OTHER' }), {
    70: { volume: clean.volume[70]! },
    80: { volume: 0 },
  });
  const [finding] = findings(withRows(clean, { 80: { volume: 0 } }), 'copied-column', {
    references: [other],
  });
  assert.deepEqual([finding!.severity, finding!.count], ['warn', 1]);
});

test('stale tail: three sessions behind are fine, four are not, and no clock, no finding', () => {
  const last = clean.openTime.at(-1)!;
  const closed = (n: number): number => nyse.closeTime(nyse.addBars(last, n, '1d'), '1d') + 1;
  assert.deepEqual(severities(clean, 'stale-tail', { now: closed(3) }), []);
  assert.deepEqual(severities(clean, 'stale-tail', { now: closed(4) }), ['warn']);
  assert.deepEqual(severities(clean, 'stale-tail'), []);
});

test('the score is that of the formula, and strict turns warnings into failure', () => {
  const none = { missing: 0, flat: 0, zeroVolume: 0, broken: 0 };
  assert.equal(qualityScore(none), 1);
  assert.equal(qualityScore({ ...none, missing: 0.005 }), 0.85);
  assert.equal(qualityScore({ ...none, flat: 0.02 }), 0.8);
  assert.equal(qualityScore({ ...none, zeroVolume: 0.5 }), 0.8);
  assert.equal(qualityScore({ ...none, broken: 0.0005 }), 0.85);
  assert.ok(qualityScore({ missing: 1, flat: 1, zeroVolume: 1, broken: 1 }) < 1e-12);
  const warned = withRows(clean, { 50: { volume: 0 } });
  assert.equal(assessQuality(warned, nyse).passed, true);
  const strict = assessQuality(warned, nyse, { strict: true });
  assert.match(
    failureReason(strict)!,
    /^WALK: zero-volume: 1 bar with volume 0 \(\d{4}-\d\d-\d\d.*\)$/,
  );
  const demanding = assessQuality(warned, nyse, { minScore: 0.99 });
  assert.match(failureReason(demanding)!, /score 0\.967 is below 0\.99/);
});

test('at most twenty rows of a finding are written out, all are counted', () => {
  const bad = withRows(clean, Object.fromEntries(positions(clean).map((i) => [i, { volume: -1 }])));
  const [finding] = findings(bad, 'ohlc');
  assert.deepEqual([finding!.count, finding!.rows.length], [600, 20]);
});

test('rules leave the bars as they were', () => {
  const frozen = concatBars([sliceBars(clean, 0, 300), sliceBars(clean, 300)]);
  const copy = structuredClone(frozen);
  assessQuality(frozen, nyse, { references: [clean], previous: clean, second: clean, now: 0 });
  assert.deepEqual(frozen, copy);
});
