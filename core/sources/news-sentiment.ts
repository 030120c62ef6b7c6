import { z } from 'zod';
import { DAY_MS } from '../calendar/day.ts';
import { defineSeries } from './series-source.ts';

export const newsSentimentParams = z.strictObject({
  baseUrl: z.url().default('https://www.alphavantage.co').describe('Where the API is.'),
  tickers: z
    .record(z.string(), z.string().regex(/^[A-Z0-9.:-]{1,30}$/, 'a ticker such as CRYPTO:BTC'))
    .default({})
    .describe('Tickers of instruments whose id is another one.'),
  since: z.iso.date().default('2022-03-01').describe('First day asked for.'),
  score: z
    .enum(['ticker', 'overall'])
    .default('ticker')
    .describe('What the article says of the ticker, or altogether.'),
  minRelevance: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('Articles that concern the ticker less are left out.'),
  delayMinutes: z
    .number()
    .min(0)
    .max(10_080)
    .default(15)
    .describe('From the time on an article until its score counts as known.'),
  zone: z
    .string()
    .default('UTC')
    .refine(isZone, 'a time zone such as America/New_York')
    .describe('Zone of the times on articles, which do not say it.'),
  pageArticles: z
    .literal([50, 1000])
    .default(1000)
    .describe('Articles in an answer: the vendor knows these two.'),
  attempts: z.int().min(1).max(6).default(4).describe('Requests before a page is given up.'),
});
export type NewsSentimentParams = z.infer<typeof newsSentimentParams>;

function isZone(zone: string): boolean {
  try {
    return Intl.DateTimeFormat('en-US', { timeZone: zone }) !== undefined;
  } catch {
    return false;
  }
}

export const newsSentiment = defineSeries({
  name: 'news-sentiment',
  docs: 'Scores of news articles of the Alpha Vantage API: their mean and number for each bar.',
  params: newsSentimentParams,
  columns: () => [
    { name: 'sentiment', quantity: 'score', join: 'mean' },
    { name: 'articles', quantity: 'score', join: 'count' },
  ],
  // Articles come late, and are scored later still.
  overlapMs: 3 * DAY_MS,
  load: () => import('./news-sentiment.impl.ts'),
});
