import { once } from 'node:events';
import { open, rename, rm } from 'node:fs/promises';
import { waitForBatch } from './batch-predictions.ts';
import { openClient, type ApiClient } from './http.ts';
import { segment } from './options.ts';
import { CliError, EXIT, type CliContext } from './output.ts';
import { fileProblem, openRangeFile } from './range-file.ts';
import { rowsOfRange, streamOf } from './range-rows.ts';
import { ASYNC_HEADER } from './results.ts';

export interface RangeOptions {
  readonly from?: string;
  readonly to?: string;
  readonly instruments?: string[];
  readonly version?: number | 'then';
  readonly output?: string;
  readonly arrow?: boolean;
  /** As a workflow. */
  readonly async?: boolean;
  readonly wait?: boolean;
  /** Idempotency-Key. */
  readonly key?: string;
}

const ARROW = 'application/vnd.apache.arrow.stream';
/** Rows between two words of progress. */
const TOLD_ROWS = 50_000;

/**
 * The answers of a range, to stdout or into a file, as they come. A connection that is cut goes on behind the last row; a
 * file that an earlier command left unfinished, too, where it was asked the same.
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
  if (options.async === true) return handIn(ctx, client, { ...options, path, body });
  if (options.arrow === true) return saveArrow(ctx, { client, path, body, output });
  const { signal } = ctx;
  if (output === undefined) {
    for await (const { text } of rowsOfRange({ client, path, body, cursor: undefined, signal })) {
      await toStdout(text);
    }
    return;
  }
  const file = await openRangeFile(output, { model, from, to, instruments, version });
  if (file.isComplete) {
    await file.close();
    ctx.out.data({ model, output, rows: 0, failed: 0 });
    ctx.out.line(`${output} has all of it already; to ask anew take another file`);
    return;
  }
  let [rows, failed] = [0, 0];
  try {
    for await (const come of rowsOfRange({ client, path, body, cursor: file.cursor, signal })) {
      await file.append(come.text);
      const told = Math.floor(rows / TOLD_ROWS);
      rows += come.rows;
      failed += come.failed;
      if (Math.floor(rows / TOLD_ROWS) > told) ctx.out.progress(`${rows} rows`);
    }
    await file.complete();
  } finally {
    await file.close();
  }
  ctx.out.data({ model, output, rows, failed });
  ctx.out.line(`${output}: ${rows} rows, ${failed} of them without an answer`);
}

/** The range as a workflow: its id, or, where it is waited for, its rows. */
async function handIn(
  ctx: CliContext,
  client: ApiClient,
  asked: Pick<RangeOptions, 'arrow' | 'key' | 'output' | 'wait'> & {
    readonly path: string;
    readonly body: object;
  },
): Promise<void> {
  const { arrow, key, output, wait, path, body } = asked;
  const answer = await client.json('POST', path, {
    body,
    headers: {
      ...ASYNC_HEADER,
      ...(arrow === true && { accept: ARROW }),
      ...(key !== undefined && { 'idempotency-key': key }),
    },
  });
  const id = String(answer['id']);
  ctx.out.line(`batch prediction ${id}`);
  if (wait === true || output !== undefined) return waitForBatch(ctx, client, id, output);
  ctx.out.data(answer);
  ctx.out.line(`its rows: \`ratchet batch-predictions ${id} -o FILE\``);
}

async function toStdout(chunk: string | Uint8Array): Promise<void> {
  if (!process.stdout.write(chunk)) await once(process.stdout, 'drain');
}

interface ArrowAsked {
  readonly client: ApiClient;
  readonly path: string;
  readonly body: object;
  readonly output: string | undefined;
}

/** An Arrow stream has no lines to go on behind: it is whole, or there is no file. */
async function saveArrow(
  ctx: CliContext,
  { client, path, body, output }: ArrowAsked,
): Promise<void> {
  const ask = (): Promise<Response> =>
    streamOf(client.send('POST', path, { body, headers: { accept: ARROW } }, true));
  if (output === undefined) {
    if (!process.stdout.isTTY) return copyArrow(await ask(), toStdout);
    throw new CliError(EXIT.usage, 'Arrow is not for a terminal: name a file with -o, or pipe it');
  }
  const written = (cause: unknown): never => {
    throw fileProblem(output, cause);
  };
  const part = `${output}.${process.pid}.part`;
  const file = await open(part, 'w').catch(written);
  try {
    const response = await ask();
    await copyArrow(response, (chunk) => file.appendFile(chunk).catch(written));
    await file.close();
    await rename(part, output).catch(written);
    const rows = Number(response.headers.get('x-ratchet-rows'));
    ctx.out.data({ output, rows });
    ctx.out.line(`${output}: ${rows} rows`);
  } finally {
    await file.close();
    await rm(part, { force: true });
  }
}

async function copyArrow(
  response: Response,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  try {
    for await (const chunk of response.body!) await write(chunk);
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    const message = 'the stream was cut before its end: ask again, or for lines, which go on';
    throw new CliError(EXIT.failed, message, { cause });
  }
}
