import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  backtestResultSchema,
  backtestRules,
  emptyAnswers,
  evaluateBacktest,
  type BacktestResult,
} from '../../../core/backtest/index.ts';
import {
  BACKTEST_SECTIONS,
  backtestPlots,
  backtestText,
  knewItsPeriod,
  modelAnswersOf,
  renderBacktest,
  verdictOf,
  type BacktestReportInput,
} from '../../../core/backtest/report/index.ts';
import { renderPng } from '../../../activities/evaluation-plots.ts';
import { nasdaq, sp500 } from '../../support/example-bars.ts';
import { barsOf, seriesOf } from './scene.ts';
import { backtestOf, closesOf, newest, reportOf, withCurve } from './report-scene.ts';

const spx = newest(sp500(), 2000);
const ixic = newest(nasdaq(), 2000);
const day = (year: number): number => Date.UTC(year, 0, 1);
const trend = backtestOf('sma-cross', [spx], { stops: { stopLoss: 0.03 } });
const pair = backtestOf('macd', [spx, ixic], { allowShort: true });
const full = reportOf(trend, [spx], {
  beside: [{ name: 'rsi', result: backtestOf('rsi', [spx]) }],
  origin: {
    models: [{ version: 'v3', from: day(2012), to: day(2016), trainedThrough: day(2011) }],
    data: [{ instrument: '^GSPC', hash: 'ab'.repeat(32) }],
    codeVersion: '1.2.3',
    specHash: 'cd'.repeat(32),
    warnings: ['The newest bars were still revised.'],
    settings: {
      'sma-cross': { fast: 50, slow: 200, kind: 'sma-cross' },
      rsi: { kind: 'rsi', short: false },
    },
  },
});

/** Text of one section, without markup. */
function textOf(report: string, id: string): string {
  const start = report.indexOf(`<section id="${id}">`);
  assert.ok(start >= 0, `section ${id}`);
  return report
    .slice(start, report.indexOf('</section>', start))
    .replaceAll(/<svg.*?<\/svg>/gs, '')
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ');
}

const flat = (price: number): number[] => [price, price, price, price];
const runOf = (prices: readonly number[], targets: readonly number[], rules = {}) =>
  evaluateBacktest([seriesOf(prices.map(flat), targets)], backtestRules(rules));
/** What can happen to a run. */
const scenes: Record<string, () => BacktestReportInput> = {
  whole: () => full,
  'several instruments': () => reportOf(pair, [spx, ixic], { strategyName: 'macd' }),
  'no trades': () => {
    const prices = Array.from({ length: 40 }, (_, i) => 100 + (i % 7));
    return reportOf(
      runOf(
        prices,
        prices.map(() => 0),
      ),
      [barsOf(prices.map(flat))],
    );
  },
  'one day': () => reportOf(runOf([100], [1]), [barsOf([flat(100)])]),
  ruined: () => {
    const prices = [100, 100, 60, 30, 30, 30];
    const rules = { maxLeverage: 3, maxWeight: 3 };
    return reportOf(runOf(prices, [3, 3, 3, 3, 3, 3], rules), [barsOf(prices.map(flat))]);
  },
  'no closes': () => reportOf(trend, []),
};

for (const [name, scene] of Object.entries(scenes)) {
  test(`${name}: every section in order, each says something, nothing loaded, nothing undefined`, () => {
    const input = scene();
    assert.deepEqual(backtestResultSchema.parse(input.strategy.result), input.strategy.result);
    const report = renderBacktest(input);
    const found = [...report.matchAll(/<section id="([a-z-]+)">/g)].map((m) => m[1]);
    const sections = BACKTEST_SECTIONS.filter(([id]) => id !== 'advice');
    assert.deepEqual(
      found,
      sections.map(([id]) => id),
      'nobody takes advice',
    );
    for (const [id, title] of sections) {
      assert.ok(textOf(report, id).length > title.length + 20, `${id} says something`);
    }
    const own = report.replaceAll('http://www.w3.org/2000/svg', '');
    assert.doesNotMatch(own, /https?:|<script|<link|<img|@import|url\(/);
    assert.doesNotMatch(own, /NaN|Infinity|undefined|\[object/);
    assert.equal(renderBacktest(scene()), report, 'the same bytes again');
    for (const line of backtestText(input)) assert.doesNotMatch(line, /NaN|Infinity|undefined/);
  });
}

describe('the verdict', () => {
  test('tells returns, the interval, what stands beside it and what is hypothetical', () => {
    const { text, good, against } = verdictOf(full);
    assert.match(
      text,
      /^No clear difference from buy-and-hold: from \d{4}-\d\d-\d\d to 2018-12-31 /,
    );
    assert.match(text, /sma-cross made .* % a year after costs, buy-and-hold .* %;/);
    assert.match(text, /daily Sharpe ratio is \S+ \(95 % interval \S+ to \S+, /);
    assert.match(text, /Sharpe ratios beside it: rsi \S+ \(no clear difference\)/);
    assert.match(text, /hypothetical, as \^GSPC cannot be traded itself\.$/);
    assert.equal(good, false);
    assert.deepEqual(
      against.map(({ name }) => name),
      ['buy-and-hold', 'rsi'],
    );
  });

  test('says better or worse only where the interval leaves out 0', () => {
    const wave = (t: number): number => Math.sin(t * 12.9898) * 0.01;
    const grown = (drift: number): number[] => {
      let equity = 10_000;
      return Array.from({ length: 1500 }, (_, t) => (equity *= 1 + wave(t) + drift));
    };
    const of = (own: number, held: number): BacktestReportInput => {
      const result = withCurve(trend, grown(own));
      const curve = { ...result.curve, buyAndHold: grown(held) };
      return reportOf({ ...result, curve }, []);
    };
    const better = verdictOf(of(0.003, 0));
    assert.match(better.text, /^Better than buy-and-hold by the Sharpe ratio: /);
    assert.equal(better.good, true);
    assert.match(verdictOf(of(0, 0.003)).text, /^Worse than buy-and-hold by the Sharpe ratio: /);
    assert.match(verdictOf(of(0.001, 0.001)).text, /^No clear difference from buy-and-hold: /);
  });

  test('does not trust a model that had seen what it answered for', () => {
    const models = [{ version: 'v9', from: day(2012), to: day(2016), trainedThrough: day(2013) }];
    const input = { ...full, origin: { models } };
    assert.match(verdictOf(input).text, /^Not to be trusted, as version v9 had seen bars/);
    assert.equal(verdictOf(input).good, false);
    assert.match(textOf(renderBacktest(input), 'models'), /no: it had seen bars/);
    assert.match(
      textOf(renderBacktest(full), 'models'),
      /v3 2012-01-01 2016-01-01 2011-01-01 - - yes/,
    );
  });

  test('who answered when is told from the answers: stretches, failures, what proves nothing', () => {
    const columns = emptyAnswers(4);
    columns.session.set([day(2011), day(2012), day(2013), day(2014)]);
    columns.version.set([1, 1, 2, 2]);
    columns.failed.set([0, 1, 0, 0]);
    columns.inSample.set([0, 0, 0, 1]);
    const answers = new Map([
      ['A', columns],
      ['B', columns],
    ]);
    const pooled = modelAnswersOf(answers, (version) => `m v${version}`);
    assert.deepEqual(pooled, [
      {
        ...{ version: 'm v1', instruments: ['A', 'B'], from: day(2011), to: day(2012) },
        answers: { asked: 4, failed: 2, inSample: 0 },
      },
      {
        ...{ version: 'm v2', instruments: ['A', 'B'], from: day(2013), to: day(2014) },
        answers: { asked: 4, failed: 0, inSample: 2 },
      },
    ]);
    const own = modelAnswersOf(
      answers,
      (version, id) => `${id} v${version}`,
      () => day(2010),
    );
    assert.deepEqual(
      own.map(({ version }) => version),
      ['A v1', 'B v1', 'A v2', 'B v2'],
    );
    assert.deepEqual(own.map(knewItsPeriod), [false, false, true, true]);
    const folds = modelAnswersOf(
      answers,
      (version) => `${version}`,
      () => undefined,
      (id) => `folds-${id}`,
    );
    assert.deepEqual(
      folds.map(({ model, instruments }) => [model, instruments]),
      ['A', 'B', 'A', 'B'].map((id) => [`folds-${id}`, [id]]),
    );
    const report = renderBacktest({ ...full, origin: { models: pooled } });
    assert.match(textOf(report, 'models'), /Instruments m v1 2011-01-01 .* yes A and B/);
    assert.match(report, /Not to be trusted, as version m v2 had seen bars/);
    assert.match(textOf(report, 'models'), /2 answers were about bars it had learnt from/);
  });

  test('a run without trades, a ruined one and one of a day are told first', () => {
    assert.match(verdictOf(scenes['no trades']!()).text, /^It never traded: /);
    assert.match(verdictOf(scenes['ruined']!()).text, /^Ruined: /);
    assert.match(verdictOf(scenes['one day']!()).text, /made 0\.0 % in all after costs/);
  });

  test('of many beside it the best are told, and how many more there are', () => {
    const beside = [0.1, 0.9, 0.2, 0.8, 0.3, 0.7].map((sharpe) => {
      const result = { ...trend, metrics: { ...trend.metrics, sharpe } };
      return { name: `s${sharpe}`, result };
    });
    const { text } = verdictOf({ ...full, beside });
    assert.match(text, /beside it: s0\.9 0\.90 .*, s0\.8 .*, s0\.7 .*, s0\.3 .* and 2 more;/);
  });

  test('what stood on other bars is left out of it, and said', () => {
    const other = backtestOf('sma-cross', [newest(spx, 1200)]);
    const { text } = verdictOf({ ...full, beside: [{ name: 'shorter', result: other }] });
    assert.match(text, /1 beside it stood on other bars/);
    assert.doesNotMatch(text, /shorter/);
  });
});

test('the sections say what they are for', () => {
  const report = renderBacktest(full);
  assert.match(textOf(report, 'verdict'), /Read this first The newest bars were still revised/);
  assert.match(textOf(report, 'figures'), /sma-cross without costs buy-and-hold rsi/);
  assert.match(textOf(report, 'figures'), /Deflated Sharpe ratio/);
  assert.match(textOf(report, 'drawdown'), /Deepest.*lowest 20\d\d/);
  assert.match(textOf(report, 'months'), /2018 /);
  assert.match(textOf(report, 'trades'), /stop-loss/);
  assert.match(textOf(report, 'returns'), /VaR 95 % of a day .* CVaR 95 % of a day/);
  assert.match(textOf(report, 'monte-carlo'), /100 paths of \d+ consecutive returns/);
  assert.match(textOf(report, 'sensitivity'), /times 3 .* 3 bars/);
  assert.match(textOf(report, 'largest-trades'), /largest of|All trades together/);
  assert.match(textOf(report, 'data'), /abababababababab.*1\.2\.3.*cdcdcdcdcdcdcdcd/);
  assert.match(textOf(report, 'rules'), /Stop-loss 3\.0 %/);
  assert.match(
    textOf(report, 'settings'),
    /sma-cross kind sma-cross fast 50 slow 200 rsi kind rsi/,
  );
  assert.match(textOf(report, 'not-tested'), /Market impact/);
  assert.doesNotMatch(textOf(report, 'not-tested'), /Monte Carlo: not run/);
});

test('a version of metrics that a stored result lacks is not shown, one that is null is n/a', () => {
  const { winRate: _left, ...metrics } = trend.metrics;
  const figures = (result: BacktestResult): string =>
    textOf(renderBacktest(reportOf(result, [])), 'figures');
  const without = { ...trend, metrics, withoutCosts: metrics, buyAndHold: metrics };
  assert.doesNotMatch(figures(without), /Win rate/);
  assert.match(figures({ ...trend, metrics: { ...metrics, winRate: null } }), /Win rate ↑ n\/a/);
});

test('names from outside cannot become markup, move a cursor, or leave their drawing', () => {
  const evil = '<img src=x onerror="alert(1)">&\u001b[31m';
  const result = {
    ...trend,
    instruments: trend.instruments.map((one) => ({ ...one, instrument: evil })),
    trades: trend.trades.map((trade) => ({ ...trade, instrument: evil })),
    notes: [evil],
  };
  const input: BacktestReportInput = {
    name: evil,
    strategy: { name: evil, result },
    beside: [{ name: evil, result }],
    closes: [{ ...closesOf([spx])[0]!, instrument: evil }],
    origin: {
      models: [{ version: evil, from: 0, to: 1, trainedThrough: 2 }],
      data: [{ instrument: evil, hash: evil }],
      codeVersion: evil,
      specHash: evil,
      warnings: [evil],
      settings: { [evil]: { [evil]: evil } },
    },
  };
  const report = renderBacktest(input);
  assert.doesNotMatch(report, /<img|onerror="/);
  assert.match(report, /&lt;img src=x onerror=&quot;alert\(1\)&quot;&gt;&amp;/);
  assert.ok(backtestText(input).every((line) => !line.includes('\u001b')));
  assert.match(backtestPlots(input).at(-1)!.name, /^trades-[A-Za-z0-9._-]+$/);
});

test('plots have names, say what they are, and are drawn as PNG', async () => {
  const plots = backtestPlots(reportOf(pair, [spx, ixic]));
  assert.deepEqual(
    plots.map(({ name }) => name),
    [
      'equity',
      'drawdown',
      'months',
      'rolling-sharpe',
      'exposure',
      'costs',
      'returns',
      'monte-carlo',
      'trades-_GSPC',
      'trades-_IXIC',
    ],
  );
  for (const { svg } of plots) {
    assert.match(svg, /^<svg [^>]*role="img" aria-label="[^"]+"[^>]*><title>[^<]+<\/title>/);
    const png = await renderPng(svg);
    assert.deepEqual([...png.subarray(1, 4)], [...Buffer.from('PNG')]);
  }
});

test('the text of a terminal has a table whose columns line up', () => {
  const lines = backtestText(full);
  const start = lines.indexOf('') + 1;
  const body = lines.slice(start, lines.indexOf('', start));
  assert.match(body[0]!, /sma-cross +without costs +buy-and-hold +rsi$/);
  assert.equal(new Set(body.map((line) => line.length)).size, 1);
  assert.ok(lines.includes('- Hypothetical: an instrument of this backtest cannot be traded.'));
  assert.ok(lines.includes('- The newest bars were still revised.'));
  assert.ok(lines.includes('Settings of sma-cross: kind sma-cross, fast 50, slow 200'));
  const many = { ...full, beside: Array.from({ length: 11 }, () => full.beside[0]!) };
  const narrow = backtestText(many, 80);
  const table = narrow.slice(2, narrow.indexOf('', 2));
  assert.ok(table.every((line) => line.length <= 80));
  assert.match(table.at(-1)!, /^\d+ more in the report$/);
});
