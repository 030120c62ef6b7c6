/** Macro series and news from the vendor to bars: collected, revised, frozen in dataset versions, and read for serving. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { NamedDataset } from '../../activities/deps.ts';
import { registryBars } from '../../api/serving/registry-bars.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { readBars } from '../../registry/datasets.impl.ts';
import { summarizePoints } from '../../registry/series.ts';
import { chartOf, startChartServer, type ChartServer } from '../support/chart-server.ts';
import { chart, COLLECT_NOW, june, openCollectFixture } from '../support/collect-fixture.ts';
import type { CollectFixture } from '../support/collect-fixture.ts';
import { startNewsServer, type PlayedArticle } from '../support/news-server.ts';
import { startFredServer, type FredVintage } from '../support/fred-server.ts';

let fixture: CollectFixture;
let bars: ChartServer;
before(async () => {
  fixture = await openCollectFixture();
  bars = await startChartServer([{ body: chartOf(june) }]);
});
after(async () => {
  await bars[Symbol.asyncDispose]();
  await fixture.close();
});

const macro = (name: string, server: ChartServer): NamedDataset => ({
  name,
  source: 'fred',
  // Known at 12:00 UTC of the day of publication: before the close of that session.
  params: {
    baseUrl: server.url,
    vintageHours: 12,
    series: { rate: { id: 'DFF', frequency: 'monthly' } },
  },
  hosts: [new URL(server.url).host],
  calendar: 'nyse',
  secret: () => 'played-key',
});

const features = (column: string) => [
  { indicator: 'logReturn', bars: 1 },
  { indicator: 'exogenous', column, period: 3, otherwise: -1 },
];

test('vintages become columns of a dataset version, the same in serving; a revision is a new version', async () => {
  const vintages: FredVintage[] = [
    { date: '2024-04-01', published: '2024-05-25', value: '5.3' },
    { date: '2024-05-01', published: '2024-06-25', value: '5.4' },
    { date: '2024-05-01', published: '2024-06-27', value: '5.5' },
  ];
  const series = { DFF: vintages };
  await using server = await startFredServer({ series, today: '2024-06-29' });
  const setup = { now: COLLECT_NOW, datasets: [chart('bars', bars), macro('macro', server)] };
  const deps = fixture.depsOf(setup);
  const sources = [{ dataset: 'bars' }, { dataset: 'macro', role: 'exogenous' }];
  const run = async (data: object = {}) => {
    const { collected } = await fixture.run(
      deps,
      { sources, ...data },
      { features: features('macro.rate') },
    );
    const [result] = collected;
    const frozen = await readBars(deps.artifacts, result!.bars);
    return { result: result!, frozen };
  };
  const first = await run();
  assert.deepEqual(Array.from(first.frozen.exogenous!['macro.rate']!), [NaN, 5.4, NaN, 5.5, NaN]);
  assert.match(first.result.deliveredBy, /bars \(5\), macro/);

  const reader = registryBars(fixture.db, deps.datasets);
  const wanted = {
    instrument: '^GSPC',
    timeframe: '1d' as const,
    sources: [
      { dataset: 'bars', role: 'primary' as const },
      { dataset: 'macro', role: 'exogenous' as const },
    ],
  };
  const served = await reader.read(wanted, { last: 4 });
  assert.deepEqual(
    Array.from(served.bars.exogenous!['macro.rate']!),
    Array.from(first.frozen.exogenous!['macro.rate']!.subarray(1)),
  );
  // A part of the history: nothing from before it stands at its first bar.
  const since = first.frozen.openTime[2]!;
  const part = await reader.read(wanted, { last: 2, before: COLLECT_NOW, since });
  assert.deepEqual(Array.from(part.bars.exogenous!['macro.rate']!), [5.5, NaN]);
  // In the night after Wednesday's close the revision of Thursday was not known.
  const close = calendarFor('nyse').closeTime(first.frozen.openTime[2]!, '1d');
  const before = close + 12 * 3_600_000;
  const past = await reader.read(wanted, { last: 3, before });
  assert.deepEqual(Array.from(past.bars.exogenous!['macro.rate']!), [NaN, 5.4, NaN]);

  // A month later: Friday's value is revised, but that was published after its close.
  setup.now += 30 * 86_400_000;
  vintages.push({ date: '2024-05-01', published: '2024-06-28', value: '5.6' });
  const second = await run({ recollect: true });
  assert.deepEqual(Array.from(second.frozen.exogenous!['macro.rate']!), [NaN, 5.4, NaN, 5.5, 5.6]);
  assert.notEqual(second.result.datasetHash, first.result.datasetHash);
  const stored = await fixture.db
    .selectFrom('collection')
    .select('source')
    .where('dataset', '=', 'macro')
    .executeTakeFirstOrThrow();
  const key = { instrument: '^GSPC', timeframe: '1d' as const, source: stored.source };
  const { rows } = await summarizePoints(fixture.db, key);
  assert.equal(rows, 4);
  const third = await run({ recollect: true });
  assert.equal(third.result.datasetHash, second.result.datasetHash);
  assert.equal(third.result.cached, true);
});

test('a column that a source does not have is refused; so is a series where bars are needed', async () => {
  const series = { DFF: [{ date: '2024-05-01', published: '2024-06-25', value: '5.4' }] };
  await using server = await startFredServer({ series, today: '2024-06-29' });
  const deps = fixture.depsOf({ datasets: [chart('bars', bars), macro('macro2', server)] });
  const sources = [{ dataset: 'bars' }, { dataset: 'macro2', role: 'exogenous' }];
  await assert.rejects(
    fixture.run(deps, { sources }, { features: features('macro2.rates') }),
    /dataset macro2 has no column macro2\.rates; it has: macro2\.rate/,
  );
  await assert.rejects(
    fixture.run(deps, { sources: [{ dataset: 'macro2' }] }),
    /delivers columns and no bars: name it with role: exogenous/,
  );
});

test('articles become a mean and a number of each bar, and later ones are added to those stored', async () => {
  const article = (at: string, score: number): PlayedArticle => {
    return { url: `https://news.example/${at}`, at, ticker: 'GSPC', score };
  };
  // Tuesday's session closes at 20:00 UTC; what is published 15 minutes before is known at its close.
  const articles = [
    article('20240625T120000', 0.1),
    article('20240625T194500', 0.3),
    article('20240625T194600', 0.9),
  ];
  await using server = await startNewsServer({ articles });
  const news: NamedDataset = {
    name: 'news',
    source: 'news-sentiment',
    params: { baseUrl: server.url, tickers: { '^GSPC': 'GSPC' } },
    hosts: [new URL(server.url).host],
    calendar: 'nyse',
    secret: () => 'played-key',
  };
  const deps = fixture.depsOf({ datasets: [chart('bars', bars), news] });
  const run = async () => {
    const data = { sources: [{ dataset: 'bars' }, { dataset: 'news', role: 'exogenous' }] };
    const { collected } = await fixture.run(
      deps,
      { ...data, recollect: true },
      { features: features('news.sentiment') },
    );
    const { exogenous } = await readBars(deps.artifacts, collected[0]!.bars);
    return [exogenous!['news.sentiment']!, exogenous!['news.articles']!].map((c) => Array.from(c));
  };
  assert.deepEqual(await run(), [
    [NaN, (0.1 + 0.3) / 2, 0.9, NaN, NaN],
    [NaN, 2, 1, NaN, NaN],
  ]);
  articles.push(article('20240627T120000', -0.5));
  assert.deepEqual(await run(), [
    [NaN, (0.1 + 0.3) / 2, 0.9, -0.5, NaN],
    [NaN, 2, 1, 1, NaN],
  ]);
  // The second time it was asked from shortly before the newest article on.
  assert.equal(server.asked.at(-1)!.searchParams.get('time_from'), '20240622T1946');
});

test('where the vendor is away the bars go on without news, and with what was stored', async () => {
  const series = { DFF: [{ date: '2024-05-01', published: '2024-06-25', value: '5.4' }] };
  const away = { status: 503, body: {} };
  const first: { status: number; body: unknown }[] = [];
  await using server = await startFredServer({ series, today: '2024-06-29', first });
  const dataset = macro('macro3', server);
  const params = { ...(dataset.params as object), attempts: 1 };
  const datasets = [chart('bars', bars), { ...dataset, params }];
  const deps = fixture.depsOf({ datasets });
  const sources = [{ dataset: 'bars' }, { dataset: 'macro3', role: 'exogenous' }];
  const run = async () => {
    const data = { sources, recollect: true };
    const { collected } = await fixture.run(deps, data, { features: features('macro3.rate') });
    return (await readBars(deps.artifacts, collected[0]!.bars)).exogenous!['macro3.rate']!;
  };
  const column = await run();
  first.push(...Array.from({ length: 9 }, () => away));
  assert.deepEqual(await run(), column);
});
