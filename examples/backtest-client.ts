/**
 * What a model answers, or would have answered, at each session of a range: for a backtest of your own. Nothing but `fetch`.
 * A connection that is cut goes on behind the last row, so that every row comes once; memory does not grow with the range.
 *
 *   for await (const { at, instrument, prediction } of answers(api, 'index-gspc', { from: '2015-01-01' })) ...
 */
export interface Api {
  readonly url: string;
  /** `ratchet keys create backtest --scopes predict` makes one. */
  readonly key: string;
}

export interface Range {
  /** Sessions to answer from: dates, or ISO 8601 with a zone. */
  readonly from: string;
  readonly to?: string;
  readonly instruments?: readonly string[];
  /** Default: the champion of now, for all rows; `then`: whichever version served at each time. */
  readonly version?: number | 'then';
}

export interface Row {
  readonly cursor: string;
  readonly instrument: string;
  /** When it could be known; a backtest that decides earlier looks ahead. */
  readonly at: string;
  readonly version: number | null;
  readonly prediction?: {
    /** The bar that it rests on. */
    readonly asOf: string;
    readonly lastClose: number;
    readonly horizons: readonly {
      readonly horizon: number;
      readonly change: number;
      readonly direction: 'up' | 'down' | 'neutral';
      readonly probabilityUp: number | null;
      readonly classes?: { readonly probabilities: Readonly<Record<string, number>> };
    }[];
    readonly abstain: boolean;
    readonly staleBars: number;
    readonly fallback: string | null;
  };
  /** Why there is no prediction, such as bars that are too few. */
  readonly problem?: { readonly code: string; readonly detail: string };
}

/** Times in a row that nothing came before it gives up (a minute), and the first wait between them. */
const ATTEMPTS = 8;
const WAIT_MS = 250;

export async function* answers(api: Api, model: string, range: Range): AsyncGenerator<Row> {
  const { from, to, instruments, version } = range;
  const asked = { range: { from, to }, instruments, version };
  let cursor: string | undefined;
  for (let failures = 0; ; failures++) {
    try {
      for await (const row of rowsOf(api, model, { ...asked, cursor })) {
        if ('done' in row) return;
        cursor = row.cursor;
        failures = 0;
        yield row;
      }
    } catch (error) {
      if (error instanceof Refused) throw error;
    }
    if (failures >= ATTEMPTS) throw new Error(`${api.url} was cut off ${failures} times in a row`);
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS * 2 ** failures));
  }
}

/** What no further attempt would mend: its words are the API's. */
class Refused extends Error {}

interface Problem {
  readonly status: number;
  readonly detail: string;
}

async function* rowsOf(
  { url, key }: Api,
  model: string,
  body: object,
): AsyncGenerator<Row | { readonly done: true }> {
  const response = await fetch(`${url}/api/v1/ml-models/${model}/batch-predict`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      accept: 'application/x-ndjson',
    },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw refusal((await response.json()) as Problem);
  let rest = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const row = JSON.parse(line) as Row | { done: true } | { done: false; problem: Problem };
      if ('done' in row && !row.done) throw refusal(row.problem);
      yield row;
    }
  }
}

/** Of a key that has too many ranges open: the place of one that was cut is free within half a minute. */
const TOO_MANY = 429;

/** Servers come back; a question that is wrong stays so. */
const refusal = ({ status, detail }: Problem): Error =>
  status < 500 && status !== TOO_MANY ? new Refused(detail) : new Error(detail);
