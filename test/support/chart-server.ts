import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One answer of the played chart API; the last one is repeated. */
export interface ChartAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON value, or text as it is. */
  readonly body: unknown;
}

export interface ChartServer extends AsyncDisposable {
  readonly url: string;
  /** Paths with queries that were asked for. */
  readonly asked: readonly URL[];
}

/** Plays the answers of the chart API in order (see test/fixtures/yahoo/README.md). */
export async function startChartServer(
  answer: readonly ChartAnswer[] | ((url: URL) => ChartAnswer),
): Promise<ChartServer> {
  const asked: URL[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    asked.push(url);
    const {
      status = 200,
      headers = {},
      body,
    } = typeof answer === 'function'
      ? answer(url)
      : answer[Math.min(asked.length, answer.length) - 1]!;
    const html = typeof body === 'string';
    response.writeHead(status, {
      'content-type': html ? 'text/html' : 'application/json',
      ...headers,
    });
    response.end(html ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

export interface ChartRow {
  /** UTC instant, ISO. */
  readonly at: string;
  /** null: a row without prices. */
  readonly close: number | null;
  readonly volume?: number | null;
}

const seconds = (iso: string): number => Date.parse(iso) / 1000;

/** A `chart` answer: opens and lows one below, highs one above the close. */
export function chartOf(
  rows: readonly ChartRow[],
  events: {
    readonly dividends?: readonly { readonly at: string; readonly amount: number }[];
    readonly splits?: readonly { readonly at: string; readonly ratio: readonly [number, number] }[];
  } = {},
): unknown {
  const column = (f: (close: number) => number): (number | null)[] =>
    rows.map(({ close }) => (close === null ? null : f(close)));
  const quote = {
    open: column((c) => c - 1),
    high: column((c) => c + 1),
    low: column((c) => c - 1),
    close: column((c) => c),
    volume: rows.map(({ volume = 1000 }) => volume),
  };
  const keyed = <T extends { at: string }, U>(list: readonly T[], f: (e: T) => U): object =>
    Object.fromEntries(list.map((e) => [String(seconds(e.at)), { date: seconds(e.at), ...f(e) }]));
  return {
    chart: {
      result: [
        {
          meta: {
            currency: 'USD',
            symbol: 'TEST',
            exchangeName: 'NYQ',
            instrumentType: 'EQUITY',
            gmtoffset: -18000,
            timezone: 'EST',
            exchangeTimezoneName: 'America/New_York',
            dataGranularity: '1d',
          },
          ...(rows.length > 0 && { timestamp: rows.map((row) => seconds(row.at)) }),
          ...((events.dividends || events.splits) && {
            events: {
              ...(events.dividends && {
                dividends: keyed(events.dividends, ({ amount }) => ({ amount })),
              }),
              ...(events.splits && {
                splits: keyed(events.splits, ({ ratio: [numerator, denominator] }) => ({
                  numerator,
                  denominator,
                  splitRatio: `${numerator}:${denominator}`,
                })),
              }),
            },
          }),
          indicators:
            rows.length > 0
              ? { quote: [quote], adjclose: [{ adjclose: quote.close }] }
              : { quote: [{}], adjclose: [{}] },
        },
      ],
      error: null,
    },
  };
}
