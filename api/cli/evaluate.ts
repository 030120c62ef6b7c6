import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { evaluationSchema } from '../../core/evaluation/index.ts';
import { openClient, type ApiClient, type Json } from './http.ts';
import { eventually } from './lifecycle.ts';
import { A_TIME, integer, segment, version } from './options.ts';
import { CliError, EXIT, shortened, toMinute, type CliContext } from './output.ts';
import { printEvaluation } from './report-text.ts';

interface EvaluateOptions {
  readonly version?: number;
  readonly from?: string;
  readonly to?: string;
  readonly wait: boolean;
  readonly output?: string;
  readonly show?: string;
  readonly cancel?: string;
  readonly list?: true;
  readonly limit: number;
}

/** `evaluate`. */
export function register(program: Command, ctx: CliContext): void {
  program
    .command('evaluate')
    .argument('<model>')
    .description('judge the champion, or a version, again: on rows that came after all it knows')
    .option('-v, --version <n>', 'this version; default: the champion', version)
    .option('--from <time>', `first decision that counts: ${A_TIME}; default: the first possible`)
    .option('--to <time>', `last decision that counts: ${A_TIME}; default: the newest`)
    .option('--no-wait', 'do not stay until it is judged')
    .option('-o, --output <file>', 'write its page (HTML) here too')
    .option('--show <id>', 'one that was asked for before')
    .option('--cancel <id>', 'stop one that was asked for before')
    .option('--list', 'those that were asked for before')
    .option('-n, --limit <n>', 'how many to list', integer(1, 500), 20)
    .action((model: string, options: EvaluateOptions) => evaluate(ctx, model, options));
}

async function evaluate(ctx: CliContext, model: string, options: EvaluateOptions): Promise<void> {
  const client = await openClient(ctx);
  const base = `/api/v1/ml-models/${segment(model)}`;
  if (options.list) return list(ctx, client, base, options);
  if (options.cancel !== undefined) return cancel(ctx, client, base, options.cancel);
  const { version: number, from, to } = options;
  const asked =
    options.show === undefined
      ? await client.json('POST', `${base}/evaluate`, {
          body: { version: number, from, to },
          headers: { 'idempotency-key': randomUUID() },
        })
      : { id: options.show };
  const id = String(asked['id']);
  if (!options.wait && options.show === undefined) {
    ctx.out.data(asked);
    ctx.out.line(`evaluation ${id}; its figures: ratchet evaluate ${model} --show ${id}`);
    return;
  }
  const path = `${base}/evaluations/${segment(id)}`;
  const ended = await eventually(ctx, `evaluation ${id} of ${model}`, async () => {
    const now = await client.json('GET', path);
    return now['finishedAt'] === null ? undefined : now;
  });
  if (ended['status'] !== 'completed') {
    throw new CliError(EXIT.failed, String(ended['message']), { details: ended });
  }
  await show(ctx, client, path, ended, options.output);
}

async function show(
  ctx: CliContext,
  client: ApiClient,
  path: string,
  ended: Json,
  output: string | undefined,
): Promise<void> {
  if (output !== undefined) {
    const html = await (await client.send('GET', `${path}/report`)).text();
    await writeFile(resolve(output), html).catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new CliError(EXIT.usage, `${output} cannot be written: ${reason}`, { cause });
    });
  }
  if (ctx.json) return ctx.out.data(ended);
  const { model, version: number, champion, message } = ended;
  const evaluation = evaluationSchema.parse(ended['evaluation']);
  printEvaluation(ctx, String(model), Number(number), evaluation);
  if (champion !== null) {
    ctx.out.line(`\nCompared with champion version ${String(champion)} on the rows new to both.`);
  }
  if (message !== null) ctx.out.line(`\nNewer bars could not be had: ${String(message)}`);
  return undefined;
}

async function cancel(ctx: CliContext, client: ApiClient, base: string, id: string): Promise<void> {
  const asked = await client.json('POST', `${base}/evaluations/${segment(id)}/cancel`);
  ctx.out.data(asked);
  const ended = asked['finishedAt'] !== null;
  ctx.out.line(`evaluation ${id}: ${ended ? String(asked['status']) : 'asked to stop'}`);
}

async function list(
  ctx: CliContext,
  client: ApiClient,
  base: string,
  { version: number, limit }: EvaluateOptions,
): Promise<void> {
  const found = await client.json('GET', `${base}/evaluations`, {
    query: { limit, version: number },
  });
  ctx.out.table(
    found['items'] as Json[],
    [
      { title: 'evaluation', value: (row) => String(row['id']) },
      { title: 'version', value: (row) => Number(row['version']), align: 'right' },
      { title: 'asked', value: (row) => `${toMinute(row['createdAt'])}Z` },
      { title: 'status', value: (row) => String(row['status']) },
      {
        title: 'verdict',
        value: (row) => shortened(String(row['verdict'] ?? row['message'] ?? '-')),
      },
    ],
    'none was asked for',
  );
}
