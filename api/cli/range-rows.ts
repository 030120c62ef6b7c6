/** Rows of a range as they come, however often the way is cut. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ApiClient, Json } from './http.ts';
import { CliError, EXIT, exitCodeOf } from './output.ts';

const NDJSON = 'application/x-ndjson';
/** Times in a row that nothing came before it gives up (a minute), and the first wait between them. */
const ATTEMPTS = 8;
const WAIT_MS = 250;
/** Of a key that has too many ranges open: the place of one that was cut is free within half a minute. */
const TOO_MANY = 429;

export interface RowsAsked {
  readonly client: ApiClient;
  readonly path: string;
  readonly body: object;
  /** Of the last row that is there; undefined: none. */
  readonly cursor: string | undefined;
  readonly signal: AbortSignal;
  /** First wait before another attempt, ms. */
  readonly waitMs?: number;
}

/** Rows of one chunk: their lines, and how many of them have no prediction. */
export interface RowsCome {
  readonly text: string;
  readonly rows: number;
  readonly failed: number;
}

/**
 * All rows behind the cursor, chunk by chunk; each comes once. Throws what no further attempt would mend (a problem below
 * 500), and gives up where nothing comes time after time.
 */
export async function* rowsOfRange(asked: RowsAsked): AsyncGenerator<RowsCome, void, undefined> {
  const { signal, waitMs = WAIT_MS } = asked;
  let { cursor } = asked;
  let [failures, wasReached] = [0, false];
  for (;;) {
    let cause: unknown;
    failures++;
    try {
      for await (const lines of linesOf(asked, cursor)) {
        wasReached = true;
        const isEnd = lines.at(-1)?.row['done'] === true;
        const rows = isEnd ? lines.slice(0, -1) : lines;
        if (rows.length > 0) {
          yield comeOf(rows);
          cursor = String(rows.at(-1)!.row['cursor']);
          failures = 0;
        }
        if (isEnd) return;
      }
    } catch (error) {
      if (signal.aborted || !mayPass(error, wasReached)) throw error;
      cause = error;
    }
    if (failures > ATTEMPTS) {
      throw cause instanceof CliError ? cause : cutOff(asked.client.url, failures, cause);
    }
    await pause(waitMs * 2 ** Math.max(0, failures - 1), undefined, { signal });
  }
}

const cutOff = (url: string, times: number, cause: unknown): CliError =>
  new CliError(EXIT.failed, `the API at ${url} ended its answer ${times} times without a row`, {
    cause,
  });

const comeOf = (lines: readonly Line[]): RowsCome => ({
  text: lines.map(({ line }) => `${line}\n`).join(''),
  rows: lines.length,
  failed: lines.filter(({ row }) => 'problem' in row).length,
});

/** Servers come back, and a way that was cut may be there again; a question that is wrong stays so. */
function mayPass(error: unknown, wasReached: boolean): boolean {
  if (!(error instanceof CliError)) return true;
  const status = error.details['status'];
  if (status === undefined) return wasReached && error.exitCode === EXIT.notRunning;
  return Number(status) >= 500 || Number(status) === TOO_MANY;
}

interface Line {
  readonly line: string;
  readonly row: Json;
}

/** Whole lines, those of a chunk together. */
async function* linesOf(
  { client, path, body }: RowsAsked,
  cursor: string | undefined,
): AsyncGenerator<readonly Line[], void, undefined> {
  const asked = { body: { ...body, cursor }, headers: { accept: NDJSON } };
  const response = await streamOf(client.send('POST', path, asked, true));
  let rest = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop()!;
    const parsed = lines.map((line) => ({ line, row: JSON.parse(line) as Json }));
    const ending = parsed.at(-1)?.row;
    if (ending?.['done'] !== false) {
      yield parsed;
      continue;
    }
    yield parsed.slice(0, -1);
    throw endedEarly(ending['problem'] as Json);
  }
}

const ACCEPTED = 202;

/** The answer as a stream; throws where it is too large for one and a workflow computes it. */
export async function streamOf(answer: Promise<Response>): Promise<Response> {
  const response = await answer;
  if (response.status !== ACCEPTED) return response;
  const details = JSON.parse(await response.text()) as Json;
  const id = String(details['id']);
  const message = `${String(details['rows'])} rows are too many for a stream: a workflow computes them, as ${id}`;
  const hint = `\`ratchet batch-predictions ${id} -o FILE\` has them once they are there`;
  throw new CliError(EXIT.refused, message, { hint, details: { ...details, status: ACCEPTED } });
}

const endedEarly = (problem: Json): CliError =>
  new CliError(exitCodeOf(Number(problem['status'])), String(problem['detail']), {
    details: problem,
  });
