import { resolve } from 'node:path';
import type { Command } from 'commander';
import { downloadTo } from './download.ts';
import { followEvents } from './events.ts';
import { openClient, type ApiClient, type Json } from './http.ts';
import { integer, segment } from './options.ts';
import { CliError, EXIT, toMinute, type CliContext } from './output.ts';

const PATH = '/api/v1/batch-predictions';

interface ShowOptions {
  readonly model?: string;
  readonly limit: number;
  readonly watch?: true;
  readonly cancel?: true;
  readonly output?: string;
}

/** `batch-predictions`. */
export function register(program: Command, ctx: CliContext): void {
  program
    .command('batch-predictions')
    .argument('[id]', 'one of them')
    .description('list ranges that were handed in (batch-predict --from --async), newest first')
    .option('-m, --model <name>', 'of this model')
    .option('-n, --limit <n>', 'how many to list', integer(1, 500), 20)
    .option('-w, --watch', 'stay with one until it ends')
    .option('--cancel', 'stop one')
    .option('-o, --output <file>', 'stay with one, and write its rows into this file')
    .action((id: string | undefined, options: ShowOptions) => {
      if (id !== undefined) return one(ctx, id, options);
      if (options.watch ?? options.cancel ?? options.output) {
        throw new CliError(EXIT.usage, '--watch, --cancel and --output take the id of one');
      }
      return list(ctx, options);
    });
}

async function one(ctx: CliContext, id: string, options: ShowOptions): Promise<void> {
  const client = await openClient(ctx);
  if (options.cancel) {
    const answer = await client.json('POST', `${PATH}/${segment(id)}/cancel`);
    ctx.out.data(answer);
    ctx.out.line(`asked ${id} to stop; \`ratchet batch-predictions ${id}\` shows when it has`);
    return;
  }
  if (options.watch || options.output !== undefined) {
    return waitForBatch(ctx, client, id, options.output);
  }
  const found = await client.json('GET', `${PATH}/${segment(id)}`);
  ctx.out.data(found);
  show(ctx, found);
}

/** Shows progress until it has ended, and writes the rows into `output`, if any. Throws where it failed or was cancelled. */
export async function waitForBatch(
  ctx: CliContext,
  client: ApiClient,
  id: string,
  output: string | undefined,
): Promise<void> {
  const path = `${PATH}/${segment(id)}`;
  const into = output === undefined ? '' : ` -o ${output}`;
  try {
    await follow(ctx, client, `${path}/events`);
    const found = await client.json('GET', path);
    const status = String(found['status']);
    if (status !== 'completed') {
      const words = `batch prediction ${id} ${status}: ${String(found['message'])}`;
      throw new CliError(EXIT.failed, words, { details: found });
    }
    // After events: a line each.
    ctx.out.event({ ...found, ...(output !== undefined && { output }) });
    if (output === undefined) return show(ctx, found);
    const sha256 = String(found['sha256']);
    const rows = { path: `${path}/rows`, bytes: Number(found['bytes']), sha256 };
    await downloadTo(ctx, client, rows, resolve(output));
    ctx.out.line(`${output}: ${countsOf(found)}`);
  } catch (error) {
    if (ctx.signal.aborted) {
      ctx.out.line(
        `${id} goes on: \`ratchet batch-predictions ${id} --watch${into}\` goes on with it, --cancel stops it`,
      );
    }
    throw error;
  } finally {
    ctx.out.endProgress();
  }
}

async function follow(ctx: CliContext, client: ApiClient, path: string): Promise<void> {
  let rows = 0;
  for await (const { kind, payload, ...event } of followEvents(client, path, ctx.signal)) {
    if (ctx.json) {
      ctx.out.event({ ...event, kind, payload });
    } else if (kind === 'plan') {
      rows = Number(payload['rows']);
      ctx.out.line(`${rows} rows in ${String(payload['parts'])} parts`);
    } else if (kind === 'part') {
      ctx.out.progress(`${String(payload['rowsDone'])} of ${rows} rows`, 'rows');
    }
  }
  ctx.out.endProgress();
}

const countsOf = (found: Json): string =>
  `${String(found['rowsDone'])} rows, ${String(found['failed'])} of them without an answer`;

function show(ctx: CliContext, found: Json): void {
  const [id, model, status] = [found['id'], found['model'], found['status']].map(String);
  const message = found['message'] === null ? '' : `: ${String(found['message'])}`;
  ctx.out.line(`${id} of ${model}, version ${String(found['version'])}: ${status}${message}`);
  ctx.out.line(`${countsOf(found)}, of ${String(found['rows'])}`);
  if (status === 'completed') {
    ctx.out.line(`its rows: \`ratchet batch-predictions ${id} -o FILE\``);
  }
}

async function list(ctx: CliContext, { model, limit }: ShowOptions): Promise<void> {
  const client = await openClient(ctx);
  const { items } = await client.json('GET', PATH, { query: { limit, model } });
  ctx.out.table(
    items as Json[],
    [
      { title: 'batch prediction', value: (row) => String(row['id']) },
      { title: 'model', value: (row) => String(row['model']) },
      { title: 'version', value: (row) => String(row['version']) },
      { title: 'status', value: (row) => String(row['status']) },
      { title: 'rows', value: (row) => Number(row['rowsDone']), align: 'right' },
      { title: 'of', value: (row) => Number(row['rows']), align: 'right' },
      { title: 'started', value: (row) => `${toMinute(row['createdAt'])}Z` },
    ],
    'none yet: ratchet batch-predict MODEL --from DATE --async',
  );
}
