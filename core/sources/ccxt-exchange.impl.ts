/**
 * One exchange of the ccxt library (https://docs.ccxt.com, MIT), loaded alone: all of them take 90 MB, one takes 35
 * (resident, Node 20, measured with binance).
 */
import { RatchetError } from '../errors.ts';
import type { CcxtParams } from './ccxt.ts';
import { SourceError } from './errors.ts';
import type { SourceContext } from './source.ts';

/** [open time in ms, open, high, low, close, volume]; what an exchange does not say is undefined. */
export type Candle = readonly (number | undefined)[];

/** What is used of ccxt's `Exchange`. */
export interface CcxtExchange {
  readonly has: Readonly<Record<string, unknown>>;
  readonly timeframes: Readonly<Record<string, unknown>> | undefined;
  /** Asked instead of the network, with node-style options. */
  fetchImplementation: (url: string, init: RequestInit) => Promise<Response>;
  /** Keeps `rateLimit` ms between requests. */
  throttler: unknown;
  setMarkets(markets: readonly object[]): unknown;
  fetchOHLCV(
    symbol: string,
    timeframe: string,
    since: number,
    limit: number,
  ): Promise<readonly Candle[]>;
}

interface CcxtModule {
  readonly default: new (config: object) => CcxtExchange;
}

/** Requests of all instruments of an exchange share its limits: so do their throttlers, a dozen at most. */
const throttlers = new Map<string, unknown>();
const MAX_THROTTLERS = 16;

/**
 * The exchange of the parameters, whose every request goes through `ctx.http`: it reaches the dataset's hosts and no
 * other. Errors: `source.exchange` where ccxt does not know it.
 */
export async function openExchange(params: CcxtParams, ctx: SourceContext): Promise<CcxtExchange> {
  const Exchange = await classOf(params.exchange);
  const exchange = new Exchange({
    enableRateLimit: true,
    timeout: params.timeoutMs,
    options: params.options,
  });
  exchange.fetchImplementation = (url, { method = 'GET', headers, body, signal }) => {
    if (method !== 'GET') return Promise.reject(refused(params.exchange, method));
    const asked = new URL(url);
    const target = params.baseUrl ? new URL(asked.pathname + asked.search, params.baseUrl) : asked;
    return ctx.http(target, {
      method,
      ...(headers && { headers }),
      ...(body && { body }),
      ...(signal && { signal }),
    });
  };
  const key = `${params.exchange} ${params.baseUrl ?? ''}`;
  if (!throttlers.has(key) && throttlers.size < MAX_THROTTLERS) {
    throttlers.set(key, exchange.throttler);
  }
  exchange.throttler = throttlers.get(key) ?? exchange.throttler;
  return exchange;
}

/** Bars are read; nothing is ever written to an exchange. */
const refused = (exchange: string, method: string): RatchetError =>
  new SourceError(
    'source.not-allowed',
    `${exchange}: a ${method} is not allowed to a source of bars`,
  );

/** Its module alone, by the path beside the package's entry: the package names no other in its exports. */
async function classOf(id: string): Promise<CcxtModule['default']> {
  const url = new URL(`./src/${id}.js`, import.meta.resolve('ccxt'));
  try {
    return ((await import(url.href)) as CcxtModule).default;
  } catch (cause) {
    throw new SourceError('source.exchange', `ccxt has no exchange "${id}"`, { cause });
  }
}

/**
 * Makes one market known without asking the exchange for all of its (megabytes at some of them): what candles need is its
 * own id.
 */
export function addMarket(exchange: CcxtExchange, symbol: string, id: string): void {
  const [pair = '', settle] = symbol.split(':');
  const [base, quote] = pair.split('/');
  const contract = settle !== undefined;
  exchange.setMarkets([
    {
      ...{ id, symbol, base, quote, baseId: base, quoteId: quote, settle, settleId: settle },
      ...{ type: contract ? 'swap' : 'spot', spot: !contract, swap: contract, contract },
      ...{ margin: false, future: false, option: false, active: true },
      ...{ linear: contract && settle === quote, inverse: contract && settle === base },
      ...{ precision: {}, limits: {}, info: {} },
    },
  ]);
}

const PERMANENT: readonly (readonly [string, string])[] = [
  ['BadSymbol', 'source.instrument'],
  ['NotSupported', 'source.exchange'],
  ['BadRequest', 'source.answer'],
  // "The exchange has answered with an error": of what may pass there are other classes.
  ['ExchangeError', 'source.answer'],
];
const PASSING: readonly (readonly [string, string])[] = [
  ['RateLimitExceeded', 'source.rateLimited'],
  ['DDoSProtection', 'source.rateLimited'],
  ['ExchangeNotAvailable', 'source.unavailable'],
  ['NetworkError', 'source.unreachable'],
];

/** An error of ccxt as ours; by the names of its classes, whose modules need not be loaded for it. */
export function asSourceError(error: unknown, exchange: string): RatchetError {
  if (error instanceof RatchetError) return error;
  const names = classNames(error);
  const message = error instanceof Error ? error.message.slice(0, 500) : String(error);
  const codeIn = (list: typeof PERMANENT): string | undefined =>
    list.find(([name]) => names.includes(name))?.[1];
  const fixed = codeIn(PERMANENT);
  if (fixed !== undefined) return new SourceError(fixed, message, { cause: error });
  const code = codeIn(PASSING) ?? 'source.answer';
  const text = message.startsWith(exchange) ? message : `${exchange}: ${message}`;
  return new SourceError(code, text, { cause: error, permanent: false });
}

function classNames(error: unknown): readonly string[] {
  const names: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = Object.getPrototypeOf(at)) {
    names.push(at.constructor.name);
  }
  return names;
}
