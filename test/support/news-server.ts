import { startChartServer, type ChartAnswer, type ChartServer } from './chart-server.ts';

export interface PlayedArticle {
  readonly url: string;
  /** As the vendor writes it, 20240625T143000, without a zone. */
  readonly at: string;
  readonly ticker: string;
  readonly score: number;
  readonly relevance?: number;
}

/**
 * Plays `NEWS_SENTIMENT` (https://www.alphavantage.co/documentation/#news-sentiment), with these oddities:
 * - of `limit` only 50 and 1000 are known, anything else gives 50
 *   (https://github.com/alphavantage/alpha_vantage_mcp/issues/6);
 * - scores within an article are text, that of all of it is a number; times have no zone, and `time_from` no seconds;
 * - refusals come with status 200 and the key in their words, above all "25 requests per day"
 *   (https://github.com/furic/richfolio/issues/2), and so does "nothing found".
 */
export function startNewsServer(options: {
  readonly articles: readonly PlayedArticle[];
  readonly requests?: number;
}): Promise<ChartServer> {
  let left = options.requests ?? Infinity;
  return startChartServer((url): ChartAnswer => {
    const asked = (name: string): string => url.searchParams.get(name) ?? '';
    const say = (Information: string): ChartAnswer => ({ body: { Information } });
    if (asked('function') !== 'NEWS_SENTIMENT') return { body: { 'Error Message': 'no function' } };
    if (left-- <= 0) {
      return say(
        `We have detected your API key as ${asked('apikey')} and our standard API rate limit is 25 requests per day.`,
      );
    }
    const limit = asked('limit') === '1000' ? 1000 : 50;
    const found = options.articles
      .filter(
        ({ ticker, at }) => ticker === asked('tickers') && at.slice(0, 13) >= asked('time_from'),
      )
      .toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
      .slice(0, limit);
    if (found.length === 0)
      return say('No articles found. Please adjust the time range or tickers.');
    const feed = found.map(({ url: address, at, ticker, score, relevance = 0.9 }) => ({
      ...{ title: 'An article', url: address, time_published: at, summary: '' },
      overall_sentiment_score: score / 2,
      ticker_sentiment: [
        { ticker, relevance_score: String(relevance), ticker_sentiment_score: String(score) },
      ],
    }));
    return { body: { items: String(feed.length), feed } };
  });
}
