import { RatchetError } from '../errors.ts';
import { SourceError } from './errors.ts';
import { causeOf, readJson, readText, retryAfterMs } from './http-answer.ts';
import type { SourceContext } from './source.ts';
import type { UpbitParams } from './upbit.ts';

/** The exchange counts requests by the second. */
const SECOND_MS = 1_000;
/** Hosts whose pace is remembered; an operator names one or two. */
const MAX_PACES = 64;
/** A request without an answer is sent again where the last answer is younger than this. */
const REACHABLE_MS = 60 * SECOND_MS;
/** An exchange that asks for a longer pause has its wish: the page is given up. */
const MAX_WAIT_MS = 20 * SECOND_MS;

export interface UpbitAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly host: string;
}

/** What all requests of this process to one host have in common: they share its limits. Times are ms UTC. */
interface Pace {
  /** When the next request may go. */
  next: number;
  /** Whose turn comes before this takes another. */
  heldUntil: number;
  /** Until when the exchange refuses this address. */
  blockedUntil: number;
  answeredAt: number;
}
const paces = new Map<string, Pace>();

function paceOf(host: string): Pace {
  const known = paces.get(host);
  if (known) return known;
  const oldest = paces.keys().next();
  if (paces.size >= MAX_PACES && !oldest.done) paces.delete(oldest.value);
  const pace = { next: 0, heldUntil: 0, blockedUntil: 0, answeredAt: -Infinity };
  paces.set(host, pace);
  return pace;
}

/**
 * One answered request, in turn with all others of this process: at most `requestsPerSecond`, none in what remains of a
 * second whose last request `Remaining-Req: group=candle; min=600; sec=0` counted. 429 and 5xx are asked again
 * after a pause that doubles, `attempts` times in all. 418 says that the address is blocked: then nothing is sent until
 * the exchange lets it in again, because each request prolongs the block.
 *
 * Errors: `source.blocked` (permanent: the message says for how long), `source.rateLimited`, `source.unavailable`,
 * `source.unreachable`.
 */
export async function askUpbit(
  url: URL,
  params: UpbitParams,
  ctx: SourceContext,
): Promise<UpbitAnswer> {
  const pace = paceOf(url.host);
  for (let attempt = 1; ; attempt++) {
    await takeTurn(pace, url.host, params, ctx);
    const response = await send(url, params, ctx);
    if (response instanceof Response) {
      pace.answeredAt = ctx.clock();
      holdWhenUsedUp(pace, response, ctx.clock());
      if (response.status === 418) throw await blocked(pace, url.host, response, ctx.clock());
      if (response.status !== 429 && response.status < 500) {
        const body = await readJson(response, url.host);
        return { status: response.status, body, host: url.host };
      }
      await response.body?.cancel();
    } else if (ctx.clock() - pace.answeredAt > REACHABLE_MS) {
      // Where the exchange was not there before either, whoever waits had better take the alternative.
      throw response;
    }
    const asked = response instanceof Response ? retryAfterMs(response, ctx.clock()) : undefined;
    const wait = asked ?? SECOND_MS * 2 ** (attempt - 1);
    if (attempt >= params.attempts || wait > MAX_WAIT_MS) {
      throw response instanceof Response
        ? givenUp(url.host, response.status, attempt, wait)
        : response;
    }
    hold(pace, ctx.clock() + wait);
  }
}

/** All wait: the limit is one for all of them. */
function hold(pace: Pace, until: number): void {
  pace.heldUntil = Math.max(pace.heldUntil, until);
  pace.next = Math.max(pace.next, until);
}

async function takeTurn(
  pace: Pace,
  host: string,
  params: UpbitParams,
  ctx: SourceContext,
): Promise<void> {
  for (;;) {
    ctx.signal.throwIfAborted();
    const now = ctx.clock();
    if (pace.blockedUntil > now) throw blockedFor(host, pace.blockedUntil - now);
    const turn = Math.max(now, pace.next);
    pace.next = turn + SECOND_MS / params.requestsPerSecond;
    if (turn > now) await ctx.sleep(turn - now);
    // What came while this one waited, a pause or a block, holds for it too.
    if (turn >= pace.heldUntil && pace.blockedUntil <= ctx.clock()) return;
  }
}

/** The answer, or why there is none. */
async function send(
  url: URL,
  params: UpbitParams,
  ctx: SourceContext,
): Promise<Response | SourceError> {
  try {
    return await ctx.http(url, {
      // No Origin header: with one the exchange answers once in ten seconds.
      headers: { accept: 'application/json' },
      signal: AbortSignal.any([ctx.signal, AbortSignal.timeout(params.timeoutMs)]),
    });
  } catch (cause) {
    ctx.signal.throwIfAborted();
    if (cause instanceof RatchetError) throw cause;
    const message = `${url.host} cannot be reached: ${causeOf(cause)}`;
    return new SourceError('source.unreachable', message, { cause, permanent: false });
  }
}

/** `sec` of `Remaining-Req` is what this second still allows; `min` is no longer kept by the exchange. */
function holdWhenUsedUp(pace: Pace, response: Response, now: number): void {
  const left = /\bsec=(\d+)/.exec(response.headers.get('remaining-req') ?? '')?.[1];
  if (left === '0') hold(pace, now + SECOND_MS);
}

const UNITS: readonly (readonly [RegExp, number])[] = [
  [/(\d+)\s*(?:seconds?|secs?|s\b|초)/i, SECOND_MS],
  [/(\d+)\s*(?:minutes?|mins?|분)/i, 60 * SECOND_MS],
  [/(\d+)\s*(?:hours?|시간)/i, 3_600 * SECOND_MS],
];
/** Where the answer does not say how long: the shortest block known. */
const BLOCK_MS = 60 * SECOND_MS;

/** How long stands in `Retry-After` or in the words of the answer, Korean or English. */
async function blocked(
  pace: Pace,
  host: string,
  response: Response,
  now: number,
): Promise<SourceError> {
  const header = retryAfterMs(response, now);
  const text = (await readText(response)).slice(0, 2_000);
  const said = UNITS.map(([pattern, ms]) => Number(pattern.exec(text)?.[1] ?? 0) * ms);
  const wait = header ?? (said.some((ms) => ms > 0) ? said.reduce((a, b) => a + b) : BLOCK_MS);
  pace.blockedUntil = Math.max(pace.blockedUntil, now + wait);
  return blockedFor(host, wait);
}

const blockedFor = (host: string, ms: number): SourceError =>
  new SourceError(
    'source.blocked',
    `${host} has blocked this address for ${Math.ceil(ms / SECOND_MS)} s (418): it was asked too often`,
  );

function givenUp(host: string, status: number, attempts: number, wait: number): SourceError {
  const limited = status === 429;
  return new SourceError(
    limited ? 'source.rateLimited' : 'source.unavailable',
    `${host} answered ${status} to ${attempts} requests` +
      (limited ? `; try again in ${Math.ceil(wait / SECOND_MS)} s` : ''),
    { permanent: false },
  );
}
