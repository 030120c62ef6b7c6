import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { Writable } from 'node:stream';
import { openClient, type ApiClient, type Json } from './http.ts';
import { segment } from './options.ts';
import { CliError, EXIT, type CliContext } from './output.ts';

export interface RangeOptions {
  readonly from?: string;
  readonly to?: string;
  readonly instruments?: string[];
  readonly version?: number | 'then';
  readonly output?: string;
  readonly arrow?: boolean;
}

const NDJSON = 'application/x-ndjson';
const ARROW = 'application/vnd.apache.arrow.stream';
/** Times in a row that nothing came before it gives up, and the first wait between them. */
const ATTEMPTS = 6;
const WAIT_MS = 250;
/** Rows between two words of progress. */
const TOLD_ROWS = 1_000;

interface Ended {
  readonly rows: number;
  readonly failed: number;
}

/**
 * The answers of a range, to stdout or into a file, as they come. A connection that is cut goes on behind the last row; a
 * file that an earlier command left unfinished, too.
 */
export async function predictRange(
  ctx: CliContext,
  model: string,
  options: RangeOptions,
): Promise<void> {
  const { from, to, instruments, version, output } = options;
  const client = await openClient(ctx);
  const path = `/api/v1/ml-models/${segment(model)}/batch-predict`;
  const body = { range: { from, to }, instruments, version };
  if (options.arrow === true) return saveArrow(ctx, client, path, body, output);
  const before = output === undefined ? undefined : await leftIn(output);
  if (before?.done) throw new CliError(EXIT.refused, `${output} is complete: take another file`);
  const file = output === undefined ? undefined : createWriteStream(output, { flags: 'a' });
  const sink = file ?? process.stdout;
  const ended = await copyLines(ctx, { client, path, body, cursor: before?.cursor }, sink);
  if (file) {
    file.end(`${JSON.stringify({ done: true })}\n`);
    await once(file, 'close');
    ctx.out.data({ model, output, ...ended });
    ctx.out.line(`${output}: ${ended.rows} rows, ${ended.failed} of them without an answer`);
  }
}

interface Question {
  readonly client: ApiClient;
  readonly path: string;
  readonly body: object;
  readonly cursor: string | undefined;
}

async function copyLines(ctx: CliContext, asked: Question, sink: Writable): Promise<Ended> {
  let [rows, failed, failures] = [0, 0, 0];
  let { cursor } = asked;
  for (;;) {
    try {
      for await (const { line, row } of linesOf({ ...asked, cursor })) {
        if ('done' in row) return { rows, failed };
        cursor = String(row['cursor']);
        rows++;
        failures = 0;
        if ('problem' in row) failed++;
        if (sink !== process.stdout && rows % TOLD_ROWS === 0) ctx.out.progress(`${rows} rows`);
        if (!sink.write(`${line}\n`)) await once(sink, 'drain');
      }
    } catch (error) {
      if (error instanceof CliError && error.exitCode !== EXIT.notRunning) throw error;
      if (ctx.signal.aborted || ++failures > ATTEMPTS) throw error;
    }
    await pause(WAIT_MS * 2 ** failures, undefined, { signal: ctx.signal });
  }
}

async function* linesOf({ client, path, body, cursor }: Question) {
  const asked = { body: { ...body, cursor }, headers: { accept: NDJSON } };
  const response = await client.send('POST', path, asked, true);
  let rest = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const row = JSON.parse(line) as Json;
      if (row['done'] === false) throw new Error(String((row['problem'] as Json)['detail']));
      yield { line, row };
    }
  }
}

/** An Arrow stream has no lines to go on behind: it is whole, or it failed. */
async function saveArrow(
  ctx: CliContext,
  client: ApiClient,
  path: string,
  body: object,
  output: string | undefined,
): Promise<void> {
  if (output === undefined && process.stdout.isTTY) {
    throw new CliError(EXIT.usage, 'Arrow is not for a terminal: name a file with -o, or pipe it');
  }
  const response = await client.send('POST', path, { body, headers: { accept: ARROW } }, true);
  const sink = output === undefined ? process.stdout : createWriteStream(output);
  for await (const chunk of response.body!) {
    if (!sink.write(chunk)) await once(sink, 'drain');
  }
  if (output === undefined) return;
  sink.end();
  await once(sink, 'close');
  const rows = Number(response.headers.get('x-ratchet-rows'));
  ctx.out.data({ output, rows });
  ctx.out.line(`${output}: ${rows} rows`);
}

/** Where a file stands that an earlier command wrote; what was cut in the middle of a row is taken off. */
async function leftIn(path: string): Promise<{ done: boolean; cursor?: string } | undefined> {
  const file = await open(path, 'r+').catch(() => undefined);
  if (!file) return undefined;
  try {
    let [bytes, last] = [0, ''];
    const { size } = await file.stat();
    for await (const line of createInterface({ input: createReadStream(path) })) {
      const end = bytes + Buffer.byteLength(line) + 1;
      // The last line may have been cut: it counts where its end was written.
      if (end > size) break;
      [bytes, last] = [end, line];
    }
    await file.truncate(bytes);
    if (last === '') return undefined;
    const row = parsedRow(last, path);
    return 'done' in row ? { done: true } : { done: false, cursor: String(row['cursor']) };
  } finally {
    await file.close();
  }
}

function parsedRow(line: string, path: string): Json {
  try {
    const row = JSON.parse(line) as Json;
    if ('cursor' in row || 'done' in row) return row;
  } catch {
    // Said below.
  }
  throw new CliError(EXIT.usage, `${path} is there and was not written by this command`);
}
