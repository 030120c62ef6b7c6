/**
 * Candles of Upbit's quotation API, oldest page first though the exchange gives the newest first.
 *
 * References: https://docs.upbit.com/kr/reference/list-candles-minutes and .../list-candles-days (parameters and
 * fields; `to` is exclusive, at most 200 candles, none where nobody traded);
 * https://docs.upbit.com/kr/reference/rate-limits (10 requests a second of an address, `Remaining-Req`, 429, 418).
 */
import { z } from 'zod';
import { barCount, TIMEFRAME_MS, type Timeframe } from '../bars/bars.ts';
import { barsBetween, barsFromRows, emptyBars, sortBars } from '../bars/build.ts';
import { SourceError } from './errors.ts';
import type { BarPage, BarRequest, Source, SourceContext } from './source.ts';
import { askUpbit, type UpbitAnswer } from './upbit-ask.impl.ts';
import type { UpbitParams } from './upbit.ts';

/** 2017-09-01: the exchange opened in October 2017; its oldest candles are of that September. */
const EARLIEST_MS = Date.UTC(2017, 8, 1);

const PATHS: Readonly<Record<Timeframe, string>> = {
  '1h': '/v1/candles/minutes/60',
  '1d': '/v1/candles/days',
};

const candlesSchema = z.array(
  z.object({
    candle_date_time_utc: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/),
    opening_price: z.number(),
    high_price: z.number(),
    low_price: z.number(),
    trade_price: z.number(),
    candle_acc_trade_price: z.number(),
    candle_acc_trade_volume: z.number(),
  }),
);
type Candle = z.infer<typeof candlesSchema>[number];

export function create(params: UpbitParams): Source {
  async function* fetch(
    request: BarRequest,
    cursor: string | undefined,
    ctx: SourceContext,
  ): AsyncGenerator<BarPage> {
    const step = TIMEFRAME_MS[request.timeframe];
    const span = params.pageBars * step;
    const start =
      cursor === undefined
        ? await firstOf(params, request, span, ctx)
        : Math.max(Number(cursor), EARLIEST_MS);
    if (start >= request.to) {
      yield { bars: emptyBars(request.instrument, request.timeframe) };
      return;
    }
    for (let from = start; from < request.to; from += span) {
      const to = Math.min(request.to, from + span);
      // One more than fits: should the exchange count the candle at `to`, the oldest still comes.
      const count = Math.ceil((to - from) / step) + 1;
      const page = pageOf(await candlesBefore(params, request, to, count, ctx), request, from, to);
      yield to < request.to ? { ...page, cursor: String(to) } : page;
    }
  }
  return { isAvailable: () => Promise.resolve(true), fetch };
}

/**
 * Where the first page begins: at `request.from`, or, where all history is asked for, at the page that holds the
 * market's first candle. Whether there is a candle before t never turns back from yes to no as t grows, so it is
 * found by halving; `request.to` where there is none.
 */
async function firstOf(
  params: UpbitParams,
  request: BarRequest,
  span: number,
  ctx: SourceContext,
): Promise<number> {
  if (request.from >= EARLIEST_MS) return request.from;
  const hasBefore = async (time: number): Promise<boolean> =>
    (await candlesBefore(params, request, time, 1, ctx)).length > 0;
  if (request.to <= EARLIEST_MS || !(await hasBefore(request.to))) return request.to;
  let low = 0;
  let high = Math.ceil((request.to - EARLIEST_MS) / span) - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (await hasBefore(EARLIEST_MS + (middle + 1) * span)) high = middle;
    else low = middle + 1;
  }
  return EARLIEST_MS + low * span;
}

/** The newest `count` candles that begin before `to` (ms UTC), newest first. */
async function candlesBefore(
  params: UpbitParams,
  { instrument, timeframe }: BarRequest,
  to: number,
  count: number,
  ctx: SourceContext,
): Promise<readonly Candle[]> {
  const url = new URL(PATHS[timeframe], params.baseUrl);
  const market = params.markets[instrument] ?? instrument;
  url.searchParams.set('market', market);
  // Whole seconds, upwards: what begins between them and `to` is left out by whoever takes the page.
  url.searchParams.set(
    'to',
    `${new Date(Math.ceil(to / 1000) * 1000).toISOString().slice(0, 19)}Z`,
  );
  url.searchParams.set('count', String(count));
  return candlesOf(await askUpbit(url, params, ctx), market);
}

function candlesOf({ status, body, host }: UpbitAnswer, market: string): readonly Candle[] {
  if (status === 404) {
    throw new SourceError('source.instrument', `${host} has no market ${market}`);
  }
  const parsed = candlesSchema.safeParse(body);
  if (parsed.success && status === 200) return parsed.data;
  const said = errorMessage(body) ?? (parsed.error && z.prettifyError(parsed.error)) ?? '';
  throw new SourceError('source.answer', `${host} answered ${status} for ${market}: ${said}`);
}

const errorSchema = z.object({ error: z.object({ message: z.string().max(500) }) });
const errorMessage = (body: unknown): string | undefined =>
  errorSchema.safeParse(body).data?.error.message;

/**
 * The candles of [from, to) as a page. Where few traded the exchange fills its answer with older candles, which the page
 * before has already given: they are left out. `value` is the traded amount in quote currency.
 */
function pageOf(
  candles: readonly Candle[],
  { instrument, timeframe }: BarRequest,
  from: number,
  to: number,
): BarPage {
  const rows = candles.map((candle) => ({
    openTime: Date.parse(`${candle.candle_date_time_utc}Z`),
    open: candle.opening_price,
    high: candle.high_price,
    low: candle.low_price,
    close: candle.trade_price,
    volume: candle.candle_acc_trade_volume,
    value: candle.candle_acc_trade_price,
  }));
  // Newest first: of two candles of one time the one that stands first is the newer state.
  const sorted = sortBars(barsFromRows(instrument, timeframe, rows.reverse()), { unique: true });
  const bars = barsBetween(sorted, from, to);
  const repeated = rows.length - barCount(sorted);
  if (barCount(bars) === 0) return { bars: emptyBars(instrument, timeframe) };
  return { bars, ...(repeated > 0 && { notes: [`${repeated} candles given twice`] }) };
}
