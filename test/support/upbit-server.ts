import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Bars } from '../../core/bars/bars.ts';

/** An answer instead of candles. */
export interface UpbitRefusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON value, or text as it is. */
  readonly body: unknown;
}

export interface UpbitRequest {
  readonly path: string;
  readonly market: string;
  /** ms UTC; null: the newest. */
  readonly to: number | null;
  readonly count: number;
}

export interface UpbitServer extends AsyncDisposable {
  readonly url: string;
  readonly asked: readonly UpbitRequest[];
  /** Candles by market; may be replaced while it runs. */
  markets: Readonly<Record<string, Bars>>;
  /** Answers with what it gives where it gives something; `nth` counts requests from 0. */
  refuse: (request: UpbitRequest, nth: number) => UpbitRefusal | undefined;
  /** `sec` of the Remaining-Req header of the nth answer. */
  remaining: (nth: number) => number;
  /** Takes `to` as inclusive, as the exchange's older answers did, so that pages repeat a candle. */
  inclusive: boolean;
}

const PATHS = new Map([
  ['/v1/candles/minutes/60', 60],
  ['/v1/candles/days', 1440],
]);
/** At most so many candles an answer, whatever `count` says. */
const MAX_COUNT = 200;

/**
 * Plays the candles of Upbit's quotation API as documented (https://docs.upbit.com/kr/reference/list-candles-minutes,
 * .../rate-limits): newest first, at most 200 before `to`, stamps in UTC and in Korean time without a zone,
 * numbers with eight decimals, a `Remaining-Req` header on each answer, 404 with an error object for an unknown market.
 */
export async function startUpbitServer(markets: UpbitServer['markets']): Promise<UpbitServer> {
  const asked: UpbitRequest[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const to = url.searchParams.get('to');
    const one: UpbitRequest = {
      path: url.pathname,
      market: url.searchParams.get('market') ?? '',
      to: to === null ? null : Date.parse(to),
      count: Number(url.searchParams.get('count') ?? 1),
    };
    const nth = asked.push(one) - 1;
    const answer = played.refuse(one, nth) ?? candlesAnswer(played, one);
    const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
    response.writeHead(answer.status, {
      'content-type': 'application/json',
      'remaining-req': `group=candle; min=600; sec=${played.remaining(nth)}`,
      ...answer.headers,
    });
    response.end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const played: UpbitServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    markets,
    refuse: () => undefined,
    remaining: () => 9,
    inclusive: false,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return played;
}

function candlesAnswer(server: UpbitServer, request: UpbitRequest): UpbitRefusal {
  const unit = PATHS.get(request.path);
  const bars = server.markets[request.market];
  if (unit === undefined) return { status: 404, body: 'not found' };
  if (!bars) return { status: 404, body: { error: { name: 404, message: 'Code not found' } } };
  const { to } = request;
  const before = Array.from(bars.openTime.keys()).filter(
    (i) => to === null || bars.openTime[i]! < to || (server.inclusive && bars.openTime[i] === to),
  );
  const newest = before.slice(-Math.min(request.count, MAX_COUNT)).reverse();
  // Numbers as the exchange writes them, with their trailing zeros.
  return { status: 200, body: `[${newest.map((i) => candleText(bars, i, unit)).join(',')}]` };
}

function candleText(bars: Bars, i: number, unit: number): string {
  const stamp = (ms: number): string => new Date(ms).toISOString().slice(0, 19);
  const time = bars.openTime[i]!;
  const fields = [
    ['market', JSON.stringify(bars.instrument)],
    ['candle_date_time_utc', JSON.stringify(stamp(time))],
    ['candle_date_time_kst', JSON.stringify(stamp(time + 9 * 3_600_000))],
    ['opening_price', written(bars.open[i]!)],
    ['high_price', written(bars.high[i]!)],
    ['low_price', written(bars.low[i]!)],
    ['trade_price', written(bars.close[i]!)],
    ['timestamp', String(time + unit * 60_000 - 512)],
    ['candle_acc_trade_price', written(bars.value[i]!)],
    ['candle_acc_trade_volume', written(bars.volume[i]!)],
    unit === 1440
      ? ['prev_closing_price', written(bars.close[Math.max(0, i - 1)]!)]
      : ['unit', unit],
  ];
  return `{${fields.map(([name, value]) => `"${name}":${value}`).join(',')}}`;
}

/** With trailing zeros, as the exchange writes numbers; all digits, so that nothing is lost on the way. */
const written = (x: number): string => (Number.isInteger(x) ? x.toFixed(8) : `${x}`);
