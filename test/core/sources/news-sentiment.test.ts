import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newVintages, type SeriesPoint } from '../../../core/bars/index.ts';
import { create } from '../../../core/sources/news-sentiment.impl.ts';
import { newsSentimentParams } from '../../../core/sources/news-sentiment.ts';
import type { ChartServer } from '../../support/chart-server.ts';
import { startNewsServer, type PlayedArticle } from '../../support/news-server.ts';
import { memoryContext } from '../../support/source-context.ts';

const MINUTE_MS = 60_000;
const to = Date.parse('2024-07-01T00:00:00Z');

async function fetchAll(
  server: ChartServer,
  params: object = {},
  instrument = 'AAPL',
): Promise<{ points: readonly SeriesPoint[]; notes: readonly string[] }> {
  const full = newsSentimentParams.parse({ baseUrl: server.url, since: '2024-06-01', ...params });
  const request = { instrument, timeframe: '1d' as const, from: 0, to };
  const points: SeriesPoint[] = [];
  const notes: string[] = [];
  for await (const page of create(full).fetchSeries(request, memoryContext({}, { now: to }))) {
    points.push(...page.points['score']!);
    notes.push(...(page.notes ?? []));
  }
  return { points, notes };
}

/** Two a minute, so that every page ends within one. */
const many = (count: number): PlayedArticle[] =>
  Array.from({ length: count }, (_, i) => {
    const at = Date.UTC(2024, 5, 10) + i * 30_000;
    const text = new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
    return { url: `https://news.example/${i}`, at: text, ticker: 'AAPL', score: i / 1000 };
  });

test('pages join without gap or double, though they share the minute in which they meet', async () => {
  await using server = await startNewsServer({ articles: many(181) });
  const { points } = await fetchAll(server, { pageArticles: 50 });
  const stored = newVintages([], points, { arrivedAt: to, liveMs: 0 });
  assert.deepEqual(
    stored.map(({ value }) => value),
    many(181).map(({ score }) => score),
  );
  assert.ok(points.length > stored.length, 'the pages overlap');
  assert.equal(stored[7]!.time, Date.UTC(2024, 5, 10) + 7 * 30_000);
  assert.equal(stored[7]!.knownAt - stored[7]!.time, 15 * MINUTE_MS);
});

test('times are read in the declared zone, in summer and in winter, and asked for in it', async () => {
  const articles = ['20240110T093000', '20240610T093000'].map((at, i) => {
    return { url: `https://news.example/${i}`, at, ticker: 'CRYPTO:BTC', score: 0.5 };
  });
  await using server = await startNewsServer({ articles });
  const { points } = await fetchAll(
    server,
    { zone: 'America/New_York', tickers: { 'KRW-BTC': 'CRYPTO:BTC' }, since: '2024-01-01' },
    'KRW-BTC',
  );
  assert.deepEqual(
    points.map(({ time }) => new Date(time).toISOString()),
    ['2024-01-10T14:30:00.000Z', '2024-06-10T13:30:00.000Z'],
  );
  assert.equal(server.asked[0]!.searchParams.get('time_from'), '20231231T1900');
});

test('what hardly concerns the ticker is left out and counted; either score can be asked for', async () => {
  const articles = [
    { url: 'a', at: '20240610T093000', ticker: 'AAPL', score: 0.4 },
    { url: 'b', at: '20240610T093000', ticker: 'AAPL', score: 0.8, relevance: 0.1 },
  ];
  await using server = await startNewsServer({ articles });
  const { points, notes } = await fetchAll(server, { minRelevance: 0.5 });
  assert.deepEqual(
    points.map(({ value }) => value),
    [0.4],
  );
  assert.deepEqual(notes, ['1 articles hardly concern AAPL']);
  const overall = await fetchAll(server, { score: 'overall' });
  assert.deepEqual(
    overall.points.map(({ value }) => value),
    [0.2, 0.4],
  );
});

test('nothing found is no failure; a used up key is one that passes, and is not told', async () => {
  await using none = await startNewsServer({ articles: [] });
  assert.deepEqual((await fetchAll(none)).points, []);
  await using used = await startNewsServer({ articles: many(60), requests: 1 });
  await assert.rejects(
    fetchAll(used, { pageArticles: 50 }),
    (error: Error & { code?: string; permanent?: boolean }) => {
      assert.equal(error.code, 'source.rateLimited');
      assert.equal(error.permanent, false);
      assert.doesNotMatch(String(error.stack), /played-key/);
      return true;
    },
  );
  assert.equal(newsSentimentParams.safeParse({ pageArticles: 200 }).success, false);
  assert.equal(newsSentimentParams.safeParse({ zone: 'Moon/Base' }).success, false);
});
