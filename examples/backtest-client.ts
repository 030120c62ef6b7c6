/**
 * What a model answers, or would have answered, at each session of a range: for a backtest of your own. Nothing but `fetch`.
 * A connection that is cut goes on behind the last row, so that every row comes once; memory does not grow with the range.
 *
 *   for await (const { at, instrument, prediction } of answers(api, 'index-gspc', { from: '2015-01-01' })) ...
 *
 * `answersLater` has the same rows of a range that is too large for a request: a workflow computes it, whatever stops meanwhile.
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
    await beforeAttempt(api, failures);
  }
}

interface Handed {
  readonly id: string;
  readonly status: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
  readonly message: string | null;
  readonly rows: number;
  readonly rowsDone: number;
}

/** Waits between two looks at what a workflow computes. */
const LOOK_MS = 1_000;

/** Hands the range in (the same again finds it again), waits until it is computed, and reads it. */
export async function* answersLater(
  api: Api,
  model: string,
  { from, to, instruments, version }: Range,
  onProgress: (done: number, of: number) => void = () => undefined,
): AsyncGenerator<Row> {
  const body = JSON.stringify({ range: { from, to }, instruments, version });
  const headers = { 'content-type': 'application/json', prefer: 'respond-async' };
  const path = `/api/v1/ml-models/${model}/batch-predict`;
  let handed = await untilAnswered(api, path, { method: 'POST', headers, body });
  const at = `/api/v1/batch-predictions/${handed.id}`;
  while (handed.status === 'queued' || handed.status === 'running') {
    onProgress(handed.rowsDone, handed.rows);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    handed = await untilAnswered(api, at, {});
  }
  if (handed.status !== 'completed') throw new Refused(`${handed.status}: ${handed.message}`);
  onProgress(handed.rowsDone, handed.rows);
  // Bytes of the lines that were read: where a download that is cut goes on.
  let bytes = 0;
  for (let failures = 0; ; failures++) {
    try {
      const response = await ask(api, `${at}/rows`, { headers: { range: `bytes=${bytes}-` } });
      for await (const line of linesOf(response)) {
        bytes += new TextEncoder().encode(line).length + 1;
        failures = 0;
        const row = JSON.parse(line) as Row | { readonly done: true };
        if ('done' in row) return;
        yield row;
      }
    } catch (error) {
      if (error instanceof Refused) throw error;
    }
    await beforeAttempt(api, failures);
  }
}

async function untilAnswered(api: Api, path: string, init: Asked): Promise<Handed> {
  for (let failures = 0; ; failures++) {
    try {
      return (await (await ask(api, path, init)).json()) as Handed;
    } catch (error) {
      if (error instanceof Refused) throw error;
    }
    await beforeAttempt(api, failures);
  }
}

async function beforeAttempt({ url }: Api, failures: number): Promise<void> {
  if (failures >= ATTEMPTS) throw new Error(`${url} was cut off ${failures} times in a row`);
  await new Promise((resolve) => setTimeout(resolve, WAIT_MS * 2 ** failures));
}

/** What no further attempt would mend: its words are the API's. */
class Refused extends Error {}

interface Problem {
  readonly status: number;
  readonly detail: string;
}

async function* rowsOf(
  api: Api,
  model: string,
  body: object,
): AsyncGenerator<Row | { readonly done: true }> {
  const response = await ask(api, `/api/v1/ml-models/${model}/batch-predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/x-ndjson' },
    body: JSON.stringify(body),
  });
  if (response.status === ACCEPTED) {
    throw new Refused('more rows than a stream has: a workflow computes them, see answersLater');
  }
  for await (const line of linesOf(response)) {
    const row = JSON.parse(line) as Row | { done: true } | { done: false; problem: Problem };
    if ('done' in row && !row.done) throw refusal(row.problem);
    yield row;
  }
}

const ACCEPTED = 202;

interface Asked extends RequestInit {
  readonly headers?: Readonly<Record<string, string>>;
}

async function ask({ url, key }: Api, path: string, init: Asked): Promise<Response> {
  const headers = { ...init.headers, authorization: `Bearer ${key}` };
  const response = await fetch(`${url}${path}`, { ...init, headers });
  if (!response.ok) throw refusal((await response.json()) as Problem);
  return response;
}

/** Whole lines; what was cut in the middle of one is none. */
async function* linesOf(response: Response): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop()!;
    yield* lines;
  }
}

/** Of a key that has too many ranges open: the place of one that was cut is free within half a minute. */
const TOO_MANY = 429;

/** Servers come back; a question that is wrong stays so. */
const refusal = ({ status, detail }: Problem): Error =>
  status < 500 && status !== TOO_MANY ? new Refused(detail) : new Error(detail);
