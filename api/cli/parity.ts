import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import type { ParityCounts } from '../../registry/parity.ts';
import { openClient, type ApiClient, type Json } from './http.ts';
import { A_TIME, integer, segment } from './options.ts';
import { CliError, EXIT, toMinute, type CliContext } from './output.ts';

interface ParityOptions {
  readonly from?: string;
  readonly to?: string;
  readonly late?: number;
  readonly samples?: number;
  readonly wait?: true;
  readonly show?: string;
  readonly list?: true;
  readonly limit: number;
}

const POLL_MS = 500;
/** Without any progress for so long, nothing replays. */
const STILL_MS = 120_000;
const SHOWN_FIELDS = 3;

/** `parity`. */
export function register(program: Command, ctx: CliContext): void {
  program
    .command('parity')
    .argument('<model>')
    .description('compute again what was served, and compare; exit code 1 where anything differs')
    .option('--from <time>', `served then or later: ${A_TIME}; default: a day before --to`)
    .option('--to <time>', `served before: ${A_TIME}; default: now`)
    .option(
      '--late <seconds>',
      'how long a replica may not have heard of new bars (default: 60)',
      integer(0, 3_600),
    )
    .option(
      '--samples <n>',
      'answers whose Monte-Carlo samples are drawn again (default: 50)',
      integer(0, 10_000),
    )
    .option('--wait', 'until it is done, and say what it found')
    .option('--show <id>', 'a report, with what differs')
    .option('--list', 'the reports, newest first')
    .option('-n, --limit <n>', 'how many reports or differences to list', integer(1, 500), 20)
    .action((model: string, options: ParityOptions) => parity(ctx, model, options));
}

async function parity(ctx: CliContext, model: string, options: ParityOptions): Promise<void> {
  const client = await openClient(ctx);
  const base = `/api/v1/ml-models/${segment(model)}/parity`;
  if (options.list) return list(ctx, client, base, options.limit);
  if (options.show !== undefined) return show(ctx, client, base, options.show, options.limit);
  const { from, to, late: lateS, samples, wait, limit } = options;
  const started = await client.json('POST', base, {
    body: { from, to, lateS, samples },
    headers: { 'idempotency-key': randomUUID() },
  });
  const id = String(started['id']);
  if (wait !== true) {
    ctx.out.data(started);
    ctx.out.line(`parity report ${id}; what it finds: ratchet parity ${model} --show ${id}`);
    return;
  }
  await ended(ctx, client, `${base}/${segment(id)}`);
  await show(ctx, client, base, id, limit);
}

const countsOf = (report: Json): ParityCounts => report['counts'] as ParityCounts;

/** Stays until it has ended, for as long as it gets on. */
async function ended(ctx: CliContext, client: ApiClient, path: string): Promise<void> {
  let before = -1;
  let since = performance.now();
  while (performance.now() - since < STILL_MS) {
    const report = await client.json('GET', path, { query: { limit: 1 } });
    if (report['finishedAt'] !== null) return ctx.out.endProgress();
    const { replayed, total } = countsOf(report);
    if (replayed !== before) since = performance.now();
    before = replayed;
    ctx.out.progress(`${replayed} of ${total} replayed`);
    await pause(POLL_MS, undefined, { signal: ctx.signal });
  }
  throw new CliError(EXIT.failed, `nothing was replayed for ${STILL_MS / 1000} s`, {
    hint: 'do workers run? `ratchet status` says so; it goes on by itself when they do',
  });
}

async function show(
  ctx: CliContext,
  client: ApiClient,
  base: string,
  id: string,
  limit: number,
): Promise<void> {
  const report = await client.json('GET', `${base}/${segment(id)}`, { query: { limit } });
  if (report['status'] === 'failed') {
    throw new CliError(EXIT.failed, String(report['message']), { details: report });
  }
  const counts = countsOf(report);
  ctx.out.data(report);
  if (!ctx.json) write(ctx, report, counts);
  if (counts.different === 0) return;
  const words = `${counts.different} of ${counts.replayed} served predictions come out otherwise`;
  throw new CliError(EXIT.failed, words, { details: { id, byCause: counts.byCause } });
}

function write(ctx: CliContext, report: Json, counts: ParityCounts): void {
  const { replayed, identical, late, different, callersOwn, withSamples, samplesDrawn } = counts;
  const open = report['finishedAt'] === null ? `, ${counts.total - replayed} are left` : '';
  ctx.out.line(
    `${String(report['model'])}, served from ${toMinute(report['from'])}Z to ${toMinute(report['to'])}Z: ` +
      `${replayed} replayed${open}, ${identical} identical, ${late} late, ${different} different`,
  );
  if (late > 0) ctx.out.line(`  late by up to ${(counts.latestMs / 1_000).toFixed(1)} s`);
  if (withSamples > 0) {
    ctx.out.line(
      `  ${withSamples} with Monte-Carlo confidence: their forecasts were compared, and the samples of ${samplesDrawn}`,
    );
  }
  if (callersOwn > 0) {
    ctx.out.line(
      `  ${callersOwn} more came from bars or windows of the caller, which are not kept`,
    );
  }
  for (const [cause, n] of Object.entries(counts.byCause)) ctx.out.line(`  ${cause}: ${n}`);
  const differences = report['differences'] as Json[];
  if (differences.length === 0) return;
  ctx.out.line();
  for (const one of differences) {
    ctx.out.line(
      `${String(one['predictionId'])} version ${String(one['version'])} of ${String(one['instrument'])}, ` +
        `as of ${toMinute(one['asOf'])}Z, ${String(one['cause'])}: ${String(one['words'])}`,
    );
    const fields = one['fields'] as Json[];
    for (const { field, served, replayed: again } of fields.slice(0, SHOWN_FIELDS)) {
      ctx.out.line(
        `  ${String(field)}: served ${JSON.stringify(served)}, replayed ${JSON.stringify(again)}`,
      );
    }
    if (fields.length > SHOWN_FIELDS) {
      ctx.out.line(`  and ${fields.length - SHOWN_FIELDS} fields more`);
    }
  }
}

async function list(
  ctx: CliContext,
  client: ApiClient,
  base: string,
  limit: number,
): Promise<void> {
  const found = await client.json('GET', base, { query: { limit } });
  const figure = (name: keyof ParityCounts) => (row: Json) => Number(countsOf(row)[name]);
  ctx.out.table(
    found['items'] as Json[],
    [
      { title: 'report', value: (row) => String(row['id']) },
      { title: 'served from', value: (row) => `${toMinute(row['from'])}Z` },
      { title: 'to', value: (row) => `${toMinute(row['to'])}Z` },
      { title: 'status', value: (row) => String(row['status']) },
      { title: 'replayed', value: figure('replayed'), align: 'right' },
      { title: 'late', value: figure('late'), align: 'right' },
      { title: 'different', value: figure('different'), align: 'right' },
    ],
    'none was asked for',
  );
}
