import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  barCount,
  barsBetween,
  concatBars,
  takeBars,
  type Bars,
} from '../../../core/bars/index.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import {
  assessQuality,
  type QualityOptions,
  type QualityReport,
} from '../../../core/quality/index.ts';
import {
  binanceBars,
  dailyBars,
  indexBars,
  leanBars,
  readFile,
  skipWithoutLab,
  upbitBars,
} from '../../support/lab-data.ts';

const lab = { skip: skipWithoutLab };
const at = (iso: string): number => Date.parse(iso);
const FOREVER = Number.POSITIVE_INFINITY;
const daily = (bars: Bars, options?: QualityOptions): QualityReport =>
  assessQuality(bars, calendarFor('nyse'), options);
const hourly = (bars: Bars, options?: QualityOptions): QualityReport =>
  assessQuality(bars, calendarFor('24x7'), options);
const blocks = (report: QualityReport): string[] =>
  report.findings.filter((f) => f.severity === 'block').map((f) => f.rule);
const rowsOf = (report: QualityReport, rule: string): readonly string[] =>
  report.findings.filter((f) => f.rule === rule).flatMap((f) => f.rows);
const kst = (): Bars =>
  readFile('crypto-upbit-kst/KRW-ETH.minute60.2024.csv.gz', 'upbit-kst', '1h').bars;
/** The KST file as someone reads it who takes its stamps for UTC. */
const kstAsUtc = (): Bars => {
  const bars = kst();
  return { ...bars, openTime: bars.openTime.map((t) => t + 9 * 3_600_000) };
};

test('the bundled index bars pass', () => {
  const sp500 = daily(indexBars('sp500'));
  assert.deepEqual([sp500.passed, sp500.score], [true, 1]);
  assert.deepEqual(rowsOf(sp500, 'jump'), ['2018-02-05', '2018-02-08']);
  const nasdaq = daily(indexBars('nasdaq'));
  assert.equal(nasdaq.passed, true);
  assert.deepEqual(rowsOf(nasdaq, 'zero-volume'), ['2015-05-12', '2018-01-09']);
});

test('Lean raw: every split is found and blocks; with its factors the file passes', () => {
  const splits = {
    aapl: ['2000-06-21', '2005-02-28', '2014-06-09', '2020-08-31'],
    bac: ['2004-08-30'],
    goog: ['2014-04-03'],
    qqq: ['2000-03-20'],
    spy: [],
  };
  for (const [symbol, dates] of Object.entries(splits)) {
    const raw = daily(leanBars(symbol, 'raw'));
    assert.deepEqual(rowsOf(raw, 'split-like'), dates, symbol);
    assert.equal(raw.passed, dates.length === 0, symbol);
  }
  for (const symbol of ['aapl', 'bac', 'spy']) {
    assert.equal(daily(leanBars(symbol, 'adjusted')).passed, true, symbol);
  }
});

test('Lean: GOOG passes from the day of the split its factors lack, QQQ after its hole', () => {
  const goog = leanBars('goog', 'adjusted');
  assert.deepEqual(blocks(daily(goog)), ['split-like']);
  assert.equal(daily(barsBetween(goog, at('2014-04-03'), FOREVER)).passed, true);
  const qqq = leanBars('qqq', 'adjusted');
  const whole = daily(qqq);
  assert.ok(blocks(whole).includes('missing'));
  assert.match(whole.findings.map((f) => f.message).join(), /the longest 2304 days/);
  assert.equal(daily(barsBetween(qqq, at('2011-03-23'), FOREVER)).passed, true);
});

test(
  'Lean: the bad print of GOOG on 2008-09-30 is a spike, and a second source refutes it',
  lab,
  () => {
    const goog = leanBars('goog', 'raw');
    assert.deepEqual(rowsOf(daily(goog), 'spike-revert'), ['2008-09-30']);
    const second = dailyBars('stocks/GOOGL');
    assert.ok(blocks(daily(goog, { second })).includes('spike-revert'));
  },
);

test(
  'full-length indices: the flat and zero-volume years block, with the day to begin from',
  lab,
  () => {
    const gspc = dailyBars('index/GSPC');
    const whole = daily(gspc);
    assert.ok(['flat', 'zero-volume'].every((rule) => blocks(whole).includes(rule)));
    const holes = whole.findings.filter((f) => f.rule === 'missing' && f.severity === 'warn');
    assert.deepEqual(holes[0]!.rows, ['1933-03-15']);
    const ixic = daily(dailyBars('index/IXIC'));
    assert.deepEqual(blocks(ixic), ['flat', 'zero-volume']);
    assert.match(ixic.findings[0]!.message, /set from: 1984-10-11/);
    for (const name of ['index/GSPC', 'index/IXIC']) {
      assert.equal(
        daily(barsBetween(dailyBars(name), at('1990-01-01'), FOREVER)).passed,
        true,
        name,
      );
    }
  },
);

test('stocks: 23 of 24 pass, HD does not', lab, () => {
  const symbols =
    'AAPL ABBV AMD AMZN BA CAT CSCO DIS GE GOOGL JNJ JPM KO META MSFT NFLX NVDA ORCL PG QQQ SPY V XOM';
  for (const symbol of symbols.split(' ')) {
    const report = daily(dailyBars(`stocks/${symbol}`));
    assert.equal(report.passed, true, symbol);
    assert.ok(rowsOf(report, 'jump').length <= 8, symbol);
    assert.deepEqual(rowsOf(report, 'split-like'), [], symbol);
  }
  assert.deepEqual(blocks(daily(dailyBars('stocks/HD'))), ['flat']);
});

test('Upbit and Binance pass; launch hours are trimmed; an empty file fails', lab, () => {
  for (const market of ['BTC', 'ETH', 'XRP', 'SOL', 'DOGE', 'LINK']) {
    const report = hourly(upbitBars(market));
    assert.equal(report.passed, true, market);
    assert.ok(report.score > 0.94 && report.score < 0.95, market);
  }
  for (const [market, trimmed] of [
    ['BTC', 9],
    ['ETH', 3],
    ['XRP', 0],
    ['SOL', 0],
  ] as const) {
    const report = hourly(binanceBars(market));
    assert.equal(report.passed, true, market);
    const found = report.findings.find((f) => f.rule === 'leading-artefact')?.count ?? 0;
    assert.equal(found, trimmed, market);
  }
  assert.equal(hourly(upbitBars('AVAX')).passed, false);
});

test(
  'the KST file against its UTC twin: the shift and the missing hours are both found',
  lab,
  () => {
    for (const reference of [upbitBars('ETH'), binanceBars('ETH')]) {
      const report = hourly(kstAsUtc(), { references: [reference] });
      assert.deepEqual(blocks(report), ['missing', 'time-zone']);
      assert.match(report.findings.map((f) => f.message).join(), /"\+09:00"/);
    }
    // Read through its profile the shift is gone, the missing hours are still missing.
    const read = hourly(kst(), { references: [upbitBars('ETH')] });
    assert.deepEqual(blocks(read), ['missing']);
    assert.match(read.findings[0]!.message, /\(2\.1\d %/);
    const holes = read.findings.filter((f) => f.rule === 'missing' && f.severity === 'warn');
    assert.deepEqual([holes[0]!.count, /longest 15 hours/.test(holes[0]!.message)], [11, true]);
  },
);

test(
  'the KST file without common hours: the hours of trading of the year before show it',
  lab,
  () => {
    const before = barsBetween(upbitBars('ETH'), at('2023-01-01'), at('2024-01-01'));
    const report = hourly(kstAsUtc(), { references: [before] });
    const found = report.findings.filter((f) => f.rule === 'time-zone');
    assert.deepEqual(
      found.map((f) => f.severity),
      ['warn'],
    );
  },
);

test('two vintages of one vendor: a constant ratio is a rescaling, not a jump', lab, () => {
  for (const [symbol, ratio] of [
    ['AAPL', 0.98617],
    ['MSFT', 0.97689],
    ['NVDA', 0.09981],
  ] as const) {
    const old = readFile(`parsers/yahoo-history-tz/${symbol}.csv.gz`, 'yahoo-history', '1d').bars;
    const now = dailyBars(`stocks/${symbol}`);
    const report = daily(now, { previous: old });
    const message = report.findings.find((f) => f.rule === 'vintage-splice')?.message;
    const found = Number(/= ([\d.]+) x/.exec(message ?? '')?.[1]);
    assert.ok(Math.abs(found * ratio - 1) < 1e-4 || Math.abs(found / ratio - 1) < 1e-4, `${found}`);
    assert.ok(blocks(report).includes('vintage-splice'));
  }
  // Without the overlap a two-percent splice cannot be seen: nothing here pretends to.
  const old = readFile('parsers/yahoo-history-tz/AAPL.csv.gz', 'yahoo-history', '1d').bars;
  const cut = old.openTime.at(-1)! + 1;
  const spliced = concatBars([old, { ...barsBetween(dailyBars('stocks/AAPL'), cut, FOREVER) }]);
  assert.deepEqual(rowsOf(daily(spliced), 'jump'), []);
});

test('another vendor is adjusted otherwise: conflict', lab, () => {
  const stooq = readFile('parsers/stooq/AAPL.csv.gz', 'ohlcv-date', '1d').bars;
  const report = daily(dailyBars('stocks/AAPL'), { previous: stooq });
  assert.match(report.findings.map((f) => f.message).join(), /adjusted differently/);
});

test('a volume copied from one index to the other is found', lab, () => {
  const history = (name: string): Bars =>
    readFile(`parsers/yahoo-history-tz/${name}.csv.gz`, 'yahoo-history', '1d').bars;
  const report = daily(dailyBars('index/IXIC'), { references: [history('^GSPC')] });
  assert.ok(rowsOf(report, 'copied-column').includes('2023-07-25'));
});

test('a planted provisional last bar is found, by volume and by the clock', lab, () => {
  const bars = dailyBars('stocks/AAPL');
  const last = barCount(bars) - 1;
  const planted = takeBars(bars, Array.from(bars.openTime.keys()));
  planted.volume[last] = bars.volume[last - 1]! * 0.15;
  assert.deepEqual(rowsOf(daily(planted), 'provisional'), ['2024-12-31']);
  const open = at('2024-12-31T18:00:00Z');
  assert.deepEqual(rowsOf(daily(bars, { arrivedAt: open }), 'provisional'), ['2024-12-31']);
  const next = at('2025-01-01T12:00:00Z');
  assert.deepEqual(rowsOf(daily(planted, { arrivedAt: next }), 'provisional'), []);
  const btc = upbitBars('BTC');
  const hour = takeBars(btc, Array.from(btc.openTime.keys()));
  hour.volume[barCount(btc) - 1] = 0.5;
  assert.deepEqual(rowsOf(hourly(hour), 'provisional'), ['2025-06-30T23:00:00Z']);
});
