import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { SeriesPoint } from '../bars/series.ts';
import { askJson } from './ask-json.ts';
import { SourceError } from './errors.ts';
import type { NewsSentimentParams } from './news-sentiment.ts';
import type { SeriesPage, SeriesRequest, SeriesSource } from './series-source.ts';
import type { SourceContext } from './source.ts';
import { timeReader, zoneOffsets } from './time.ts';

const MINUTE_MS = 60_000;
/** 1000 pages of 1000 articles are more than any ticker has. */
const MAX_PAGES = 1_000;

/** Scores come as numbers or as text. */
const score = z.coerce.number();
const articleSchema = z.object({
  url: z.string(),
  time_published: z.string(),
  overall_sentiment_score: score,
  ticker_sentiment: z.array(
    z.object({ ticker: z.string(), relevance_score: score, ticker_sentiment_score: score }),
  ),
});
type Article = z.infer<typeof articleSchema>;
const answerSchema = z.object({ feed: z.array(articleSchema) });
/** What the vendor has to say comes with status 200. */
const wordsSchema = z.union([
  z.object({ Information: z.string() }).transform(({ Information }) => Information),
  z.object({ Note: z.string() }).transform(({ Note }) => Note),
  z.object({ 'Error Message': z.string() }).transform((answer) => answer['Error Message']),
]);

export function create(params: NewsSentimentParams): SeriesSource {
  const readTime = timeReader({ format: 'yyyymmdd', zone: params.zone, stamp: 'open' }, '1h');
  const offsetAt = zoneOffsets(params.zone);
  /** The vendor takes minutes. */
  const written = (utc: number): string =>
    new Date(utc + offsetAt(utc) * MINUTE_MS).toISOString().slice(0, 16).replaceAll(/[-:]/g, '');

  async function* fetchSeries(
    { instrument, from, to }: SeriesRequest,
    ctx: SourceContext,
  ): AsyncGenerator<SeriesPage> {
    const ticker = params.tickers[instrument] ?? instrument;
    let since = Math.max(from, Date.parse(params.since));
    for (let page = 0; since < to; page++) {
      if (page >= MAX_PAGES) {
        throw new SourceError('source.pages', `${ticker} has more than ${MAX_PAGES} pages of news`);
      }
      const feed = await ask(params, ticker, written(since), ctx);
      const times = feed.map((article) => timeOf(article, readTime));
      yield pageOf(feed, times, ticker, params);
      if (feed.length < params.pageArticles) return;
      // The next page begins with the minute this one ended in: what stands in both is one article. A minute that fills
      // a page cannot be read further.
      const newest = Math.floor(Math.max(...times) / MINUTE_MS) * MINUTE_MS;
      since = newest > since ? newest : since + MINUTE_MS;
    }
  }
  return { isAvailable: () => Promise.resolve(true), fetchSeries };
}

async function ask(
  params: NewsSentimentParams,
  tickers: string,
  from: string,
  ctx: SourceContext,
): Promise<readonly Article[]> {
  const url = new URL('/query', params.baseUrl);
  const query = {
    ...{ function: 'NEWS_SENTIMENT', tickers, time_from: from, sort: 'EARLIEST' },
    ...{ limit: String(params.pageArticles), apikey: ctx.secret() },
  };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const { status, body } = await askJson(url, params, ctx);
  const answer = answerSchema.safeParse(body);
  if (answer.success) return answer.data.feed;
  const words = wordsSchema.safeParse(body);
  if (words.success && /no articles found/i.test(words.data)) return [];
  const limited = words.success && /rate limit|requests per (day|minute|second)/i.test(words.data);
  throw new SourceError(
    limited ? 'source.rateLimited' : 'source.refused',
    // The vendor's own words repeat the key.
    limited
      ? `${url.host} answers no more requests of this key for now`
      : `${url.host} answered ${status}, and no news of ${tickers}`,
    { permanent: !limited },
  );
}

function timeOf(
  { time_published: text }: Article,
  readTime: (text: string) => number | undefined,
): number {
  const time = readTime(text);
  if (time !== undefined) return time;
  throw new SourceError('source.answer', `an article is dated "${text.slice(0, 40)}"`);
}

function pageOf(
  feed: readonly Article[],
  times: readonly number[],
  ticker: string,
  { score: which, minRelevance, delayMinutes }: NewsSentimentParams,
): SeriesPage {
  const points = new Map<string, SeriesPoint>();
  let irrelevant = 0;
  feed.forEach((article, i) => {
    const own = article.ticker_sentiment.find((one) => one.ticker === ticker);
    if (!own || own.relevance_score < minRelevance) return irrelevant++;
    const value = which === 'ticker' ? own.ticker_sentiment_score : article.overall_sentiment_score;
    const time = times[i]!;
    const key = createHash('sha256').update(article.url).digest('hex').slice(0, 16);
    const knownAt = time + delayMinutes * MINUTE_MS;
    // An article that a page lists twice is one.
    return points.set(`${time}/${key}`, { time, knownAt, value, key });
  });
  const notes = irrelevant > 0 ? [`${irrelevant} articles hardly concern ${ticker}`] : [];
  return { points: { score: [...points.values()] }, notes };
}
