import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parse } from 'csv-parse/sync';
import {
  backtestPlots,
  COMPARISON_SECTIONS,
  differencesOf,
  equityCsv,
  renderBacktest,
  originOf,
  originText,
  renderComparison,
  settingsOf,
  tradesCsv,
} from '../../../core/backtest/report/index.ts';
import { rollingSharpe } from '../../../core/backtest/report/daily.ts';
import { rowsByPixel } from '../../../core/backtest/report/downsample.ts';
import { yearRows } from '../../../core/backtest/report/months.ts';
import { markedTrades } from '../../../core/backtest/report/price-chart.ts';
import { sharpeDifference } from '../../../core/backtest/report/sharpe-difference.ts';
import { strategySpecSchema } from '../../../core/strategies/index.ts';
import { portfolioSchema } from '../../../core/strategies/portfolio/index.ts';
import { seededUniform } from '../../support/seeded-uniform.ts';
import { sp500 } from '../../support/example-bars.ts';
import { backtestOf, newest, reportOf, withCurve } from './report-scene.ts';

const spx = newest(sp500(), 1500);
const trend = backtestOf('macd', [spx], { stops: { trailing: 0.05 } });

describe('downsampling', () => {
  const uniform = seededUniform(5);
  const values = Float64Array.from({ length: 100_000 }, () => uniform());
  values[77_777] = 9;
  values[12_345] = -9;
  const columnOf = (row: number): number => (row / values.length) * 700;
  const rows = rowsByPixel(values, columnOf, 700);

  test('keeps both extremes of every pixel, the ends, and the order', () => {
    assert.ok(rows.length <= 4 * 700 && rows.length >= 2 * 700, `${rows.length} rows`);
    assert.ok(rows.includes(77_777) && rows.includes(12_345));
    assert.deepEqual([rows[0], rows.at(-1)], [0, 99_999]);
    assert.ok(rows.every((row, i) => i === 0 || row > rows[i - 1]!));
    const extremesOf = (some: readonly number[], column: number): [number, number] => {
      const own = some.filter((row) => Math.floor(columnOf(row)) === column);
      const found = own.map((row) => values[row]!);
      return [Math.min(...found), Math.max(...found)];
    };
    const all = [...values.keys()];
    for (const column of [0, 86, 350, 544, 699]) {
      assert.deepEqual(extremesOf(rows, column), extremesOf(all, column), `column ${column}`);
    }
  });

  test('leaves what fits alone, and a stretch without values breaks the line', () => {
    assert.deepEqual(
      rowsByPixel([3, 1, 2], (row) => row, 700),
      [0, 1, 2],
    );
    const holed = values.slice().fill(NaN, 20_000, 40_000);
    const kept = rowsByPixel(holed, columnOf, 700);
    assert.ok(kept.some((row) => Number.isNaN(holed[row]!)));
  });

  test('exposure is drawn in steps: nothing was held halfway', () => {
    const few = withCurve(trend, [1, 2, 3]);
    const result = { ...few, curve: { ...few.curve, exposure: [0, 1, 0] } };
    const [plot] = backtestPlots(reportOf(result, [])).filter(({ name }) => name === 'exposure');
    const heights = [...plot!.svg.matchAll(/<path d="M([^"]+)" fill="none"/g)][0]![1]!
      .split('L')
      .map((point) => point.split(' ')[1]);
    assert.equal(heights.length, 5);
    assert.equal(heights[0], heights[1]);
    assert.equal(heights[2], heights[3]);
  });

  test('a report of 100,000 rows and 5,000 trades stays below 2 MB and says what it left out', () => {
    let equity = 10_000;
    const long = withCurve(
      trend,
      Array.from({ length: 100_000 }, () => (equity *= 1 + (uniform() - 0.5) * 0.01)),
    );
    const first = trend.trades[0]!;
    const trades = Array.from({ length: 5000 }, (_, i) => ({
      ...first,
      entryTime: first.entryTime + i * 3_600_000,
      exitTime: first.entryTime + i * 3_600_000 + 1_800_000,
      netPnl: i === 2222 ? 1e6 : first.netPnl,
    }));
    const report = renderBacktest(reportOf({ ...long, trades }, [spx]));
    assert.ok(report.length < 2_000_000, `${report.length} characters`);
    assert.match(
      report,
      /Curves have 100,000 rows and \d+ pixels: of each pixel the first, the lowest/,
    );
    assert.match(report, /thinned: more than 120 trades/);
    assert.ok(markedTrades(trades).includes(trades[2222]!));
    assert.ok(markedTrades(trades).length <= 120);
  });
});

describe('CSV', () => {
  const rowsOf = (text: string): Record<string, string>[] => parse(text, { columns: true });

  test('of trades comes back as it was', () => {
    const odd = {
      ...trend.trades[0]!,
      instrument: 'A "quoted",\r\nname',
      netReturn: 0.1 + 0.2,
      exitReason: null,
      open: true,
    };
    const trades = [...trend.trades, odd];
    const text = tradesCsv({ ...trend, trades });
    assert.ok(text.endsWith('\r\n'));
    const back = rowsOf(text).map((row) => ({
      instrument: row['instrument'],
      side: row['side'],
      entryTime: Date.parse(row['entryTime']!),
      exitTime: Date.parse(row['exitTime']!),
      ...Object.fromEntries(
        [
          'entryPrice',
          'exitPrice',
          'quantity',
          'adds',
          'cuts',
          'grossPnl',
          'costs',
          'netPnl',
          'netReturn',
          'barsHeld',
        ].map((name) => [name, Number(row[name])]),
      ),
      exitReason: row['exitReason'] === '' ? null : row['exitReason'],
      open: row['open'] === 'true',
    }));
    assert.deepEqual(back, trades);
    assert.match(text, /,\d{4}-\d\d-\d\dT00:00:00\.000Z,/);
  });

  test('of trades names the rows of the equity that have them first', () => {
    const rows = rowsOf(equityCsv(trend));
    const equity = rows.map((row) => row['time']!);
    const trades = rowsOf(tradesCsv(trend));
    assert.ok(trades.length > 20);
    for (const { entryTime, entryRow, exitTime, exitRow, barsHeld } of trades) {
      const [entry, exit] = [equity.indexOf(entryRow!), equity.indexOf(exitRow!)];
      assert.ok(entry >= 0 && exit - entry === Number(barsHeld), `${entryRow} to ${exitRow}`);
      assert.deepEqual(
        [entryRow!.slice(0, 10), exitRow!.slice(0, 10)],
        [entryTime!.slice(0, 10), exitTime!.slice(0, 10)],
      );
      assert.ok(Number(rows[entry]!['turnover']) > 0);
    }
  });

  test('of equity has every row; of no trades there is the head', () => {
    const back = rowsOf(equityCsv(trend));
    assert.deepEqual(
      back.map((row) => [
        Date.parse(row['time']!),
        Number(row['equity']),
        Number(row['buyAndHold']),
      ]),
      trend.curve.time.map((time, i) => [time, trend.curve.equity[i], trend.curve.buyAndHold[i]]),
    );
    const none = tradesCsv({ ...trend, trades: [] });
    assert.deepEqual(rowsOf(none), []);
    assert.match(none, /^instrument,side,entryTime,.*,open,entryRow,exitRow\r\n$/);
  });
});

describe('figures that only reports have', () => {
  test('a year is made of its months', () => {
    const [first, second] = yearRows([
      { month: '2001-12', return: 0.1 },
      { month: '2002-01', return: 0.5 },
      { month: '2002-03', return: -0.5 },
    ]);
    assert.deepEqual([first!.year, first!.returns[11], first!.returns[0]], ['2001', 0.1, null]);
    assert.ok(Math.abs(first!.returns[12]! - 0.1) < 1e-12);
    assert.equal(second!.returns[12], -0.25);
  });

  test('the rolling Sharpe ratio is that of the last 252 returns', () => {
    const returns = Float64Array.from({ length: 300 }, (_, t) => Math.sin(t) / 100 + 0.0005);
    const rolling = rollingSharpe(returns, 252, 0);
    assert.ok(Number.isNaN(rolling[250]!) && Number.isFinite(rolling[251]!));
    const window = returns.subarray(48);
    const mean = window.reduce((a, b) => a + b, 0) / 252;
    const sd = Math.sqrt(window.reduce((a, b) => a + (b - mean) ** 2, 0) / 251);
    assert.ok(Math.abs(rolling[299]! - (mean / sd) * Math.sqrt(252)) < 1e-12);
    assert.ok(rollingSharpe(new Float64Array(300), 252, 0).every(Number.isNaN));
  });

  test('the difference of Sharpe ratios is over common days, and its own negative', () => {
    const { time, equity, buyAndHold } = trend.curve;
    const own = { time, equity };
    const held = { time, equity: buyAndHold };
    const { value, low, high } = sharpeDifference(own, held, trend);
    const turned = sharpeDifference(held, own, trend);
    assert.ok(Math.abs(value! - (trend.metrics['sharpe']! - trend.buyAndHold['sharpe']!)) < 1e-9);
    assert.ok(low! < value! && value! < high!);
    assert.ok(Math.abs(turned.low! + high!) < 1e-9 && Math.abs(turned.high! + low!) < 1e-9);
    const half = {
      time: time.filter((_, i) => i % 2 === 0),
      equity: equity.filter((_, i) => i % 2 === 0),
    };
    assert.ok(
      Math.abs(sharpeDifference(own, half, trend).value!) < 1e-9,
      'the same on common days',
    );
    assert.equal(sharpeDifference(own, { time: [1, 2], equity: [1, 2] }, trend).value, null);
  });
});

test('settings are those of every result, with every default filled in', () => {
  const advised = strategySpecSchema.parse({
    kind: 'advised-size',
    of: { kind: 'rsi', exitAt: 60 },
  });
  const strategies = { cross: strategySpecSchema.parse({ kind: 'sma-cross' }), advised };
  const portfolios = { mix: { ...portfolioSchema.parse({}), of: ['cross', 'advised'] } };
  const twins = { fixed: 'advised-fixed', mean: 'advised-mean', meanSize: 0.4 };
  const results = [{ name: 'advised', result: trend, twins }];
  const settings = settingsOf({ strategies, portfolios }, results);
  assert.deepEqual(Object.keys(settings), [
    'cross',
    'advised',
    'advised-fixed',
    'advised-mean',
    'mix',
  ]);
  assert.deepEqual(settings['cross'], strategies.cross);
  assert.equal(settings['advised-fixed']!['exitAt'], 60);
  assert.equal(settings['advised-fixed']!['buyBelow'], 30);
  assert.deepEqual(settings['advised-mean'], { ...settings['advised-fixed'], meanSize: 0.4 });
  assert.equal(settings['mix']!['window'], 60);
  const report = renderBacktest(
    reportOf(trend, [], { strategyName: 'advised', origin: { settings } }),
  );
  const text = report.replaceAll(/<[^>]+>/g, ' ').replaceAll(/\s+/g, ' ');
  assert.match(
    text,
    /Settings of strategies advised kind advised-size of\.kind rsi .*of\.exitAt 60/,
  );
});

test('an origin is written with ISO times and read as it was, that of before too', () => {
  const models = [
    { version: '2', model: 'm-folds', instruments: ['A'], from: 0, to: 86_400_000 },
    { version: 'm 3', from: 1000, to: 2000, trainedThrough: 500 },
  ];
  const origin = { models, codeVersion: '1', settings: { rsi: { kind: 'rsi' } } };
  const text = originText(origin);
  assert.match(text, /\n {6}"from": "1970-01-01T00:00:00\.000Z",\n/);
  assert.match(text, /"trainedThrough": "1970-01-01T00:00:00\.500Z"/);
  assert.deepEqual(originOf(text), origin);
  assert.deepEqual(originOf(JSON.stringify(origin)), origin);
  assert.deepEqual(originOf('{}'), {});
});

describe('several backtests side by side', () => {
  const shorter = backtestOf('macd', [newest(spx, 900)], { allowShort: true });
  const all = [
    { name: 'long', result: trend, origin: { codeVersion: '1.0.0' } },
    { name: 'short <b>', result: shorter },
  ];
  const page = renderComparison('Two trends', all);

  test('has its sections in order, loads nothing and is the same again', () => {
    const found = [...page.matchAll(/<section id="([a-z-]+)">/g)].map((m) => m[1]);
    assert.deepEqual(
      found,
      COMPARISON_SECTIONS.map(([id]) => id),
    );
    const own = page.replaceAll('http://www.w3.org/2000/svg', '');
    assert.doesNotMatch(own, /https?:|<script|<link|<img|NaN|Infinity|undefined|short <b>/);
    assert.equal(renderComparison('Two trends', all), page);
  });

  test('names the rules that differ, and those alone', () => {
    const text = page.replaceAll(/<[^>]+>/g, ' ').replaceAll(/\s+/g, ' ');
    const differing = text.slice(text.indexOf('What they differ in Rule'));
    assert.match(differing, /Shorts not allowed allowed/);
    assert.match(differing, /Trailing stop 5\.0 % none/);
    assert.doesNotMatch(differing.slice(0, differing.indexOf('The other')), /Initial equity/);
    assert.match(text, /one of the others stands on other bars than long/);
    assert.match(text, /Each is 1 at its first close from 20\d\d/);
  });

  test('names the settings of strategies that differ, of a portfolio those of its strategies', () => {
    const settings = (exitAt: number) => ({
      rsi: { exitAt, period: 14, kind: 'rsi' },
      mix: { of: ['rsi'], allocation: { kind: 'equal' } },
    });
    const of = (strategy: string, exitAt: number) => ({
      ...{ name: `${strategy} ${exitAt}`, strategy, result: trend },
      origin: { settings: settings(exitAt) },
    });
    const told = differencesOf([of('rsi', 70), of('rsi', 50)]);
    assert.deepEqual(told.differing, [{ name: 'Strategy: exitAt', values: ['70', '50'] }]);
    assert.deepEqual(told.same.slice(0, 2), ['Strategy: kind', 'Strategy: period']);
    assert.deepEqual(told.unrecorded, []);
    const mixed = differencesOf([of('mix', 70), of('mix', 50)]);
    assert.deepEqual(mixed.differing, [{ name: 'Strategy: rsi: exitAt', values: ['70', '50'] }]);
    const kinds = differencesOf([of('rsi', 70), of('mix', 70)]).differing;
    assert.deepEqual(kinds[0], { name: 'Strategy: kind', values: ['rsi', '-'] });
    const page = renderComparison('Two', [of('rsi', 70), of('rsi', 50)]);
    assert.match(page, /Strategy: exitAt/);
    assert.doesNotMatch(page, /not recorded of/);
  });

  test('a backtest of before settings were recorded is compared by its rules, and that is said', () => {
    const settings = { rsi: { kind: 'rsi', exitAt: 70 } };
    const one = { name: 'new', strategy: 'rsi', result: trend, origin: { settings } };
    const old = { name: 'old', strategy: 'rsi', result: trend, origin: { codeVersion: '1' } };
    const told = differencesOf([one, old]);
    assert.deepEqual([told.differing, told.unrecorded], [[], ['old']]);
    const page = renderComparison('Two', [one, old]);
    assert.match(page, /Instruments, costs and rules are the same in all/);
    assert.match(page, /Settings of strategies are not recorded of old/);
  });

  test('one alone, none, and runs without a time in common are no error', () => {
    assert.match(renderComparison('One', all.slice(0, 1)), /There is nothing to compare/);
    assert.match(renderComparison('None', []), /No backtest was given/);
    const early = withCurve(trend, [1, 2, 3]);
    const apart = renderComparison('Apart', [all[0]!, { name: 'early', result: early }]);
    assert.match(apart, /1 ended before that and have no curve/);
  });
});
