import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { openClient, type ApiClient, type Json } from './http.ts';
import { segment, version } from './options.ts';
import { CliError, EXIT, type CliContext, shortened } from './output.ts';

const pathOf = (model: string): string => `/api/v1/ml-models/${segment(model)}`;
/** A promotion ends within about 30 s when replicas answer slowly; more means that no worker runs. */
const PROMOTION_MS = 90_000;
const POLL_MS = 300;

interface Promotion {
  readonly id: string;
  readonly status: string;
  readonly outcome: string | null;
}

/** `champion`, `promote`, `rollback`. */
export function registerChampion(program: Command, ctx: CliContext): void {
  program
    .command('champion')
    .argument('<model>')
    .description('who serves a model, and who served it')
    .option('--at <time>', 'at this time: a date, or ISO 8601 with a zone')
    .action((model: string, options: { at?: string }) => champion(ctx, model, options.at));

  program
    .command('promote')
    .argument('<model>')
    .description('make a version the champion')
    .option('-v, --version <n>', 'this version', version)
    .option('--best-by <metric>', 'the best version by this metric')
    .option('-r, --reason <text>', 'stands in the audit')
    .option('--no-wait', 'do not wait until it has happened')
    .action((model: string, options: PromoteOptions) => promote(ctx, model, options));

  program
    .command('rollback')
    .argument('<model>')
    .description('let an earlier version serve again')
    .option(
      '-v, --version <n>',
      'this version; default: the one that served before, if it was not rolled back from',
      version,
    )
    .requiredOption('-r, --reason <text>', 'stands in the audit and in the history')
    .option('--no-wait', 'do not wait until it has happened')
    .action((model: string, options: PromoteOptions) => rollback(ctx, model, options));
}

interface PromoteOptions {
  readonly version?: number;
  readonly bestBy?: string;
  readonly reason?: string;
  readonly wait: boolean;
}

async function champion(ctx: CliContext, model: string, at: string | undefined): Promise<void> {
  const client = await openClient(ctx);
  const state = await client.json('GET', `${pathOf(model)}/champion`, { query: { at } });
  ctx.out.data(state);
  if (ctx.json) return;
  const current = state['champion'] as Json | null;
  ctx.out.line(
    current === null
      ? `${model} has no champion; \`ratchet promote ${model} --version N\` makes one`
      : `${model}: version ${String(current['version'])} since ${String(current['validFrom'])}, promoted by ${String(current['actor'])}: ${String(current['reason'])}`,
  );
  ctx.out.table(
    state['history'] as Json[],
    [
      { title: 'generation', value: (row) => Number(row['generation']), align: 'right' },
      { title: 'version', value: (row) => Number(row['version']), align: 'right' },
      { title: 'from', value: (row) => String(row['validFrom']) },
      { title: 'to', value: (row) => row['validTo'] as string | null },
      { title: 'by', value: (row) => String(row['actor']) },
      { title: 'reason', value: (row) => shortened(String(row['reason'])) },
    ],
    'no history',
  );
}

async function promote(ctx: CliContext, model: string, options: PromoteOptions): Promise<void> {
  if ((options.version === undefined) === (options.bestBy === undefined)) {
    throw new CliError(EXIT.usage, 'name either --version N or --best-by METRIC', {
      hint: `\`ratchet versions ${model}\` lists the versions`,
    });
  }
  const { version: number, bestBy, reason } = options;
  await change(ctx, model, 'promote', { version: number, bestBy, reason }, options.wait);
}

async function rollback(ctx: CliContext, model: string, options: PromoteOptions): Promise<void> {
  const { version: number, reason } = options;
  await change(ctx, model, 'rollback', { version: number, reason }, options.wait);
}

const DOING = {
  promote: { under: 'promoting', not: 'was not promoted' },
  rollback: { under: 'rolling back to', not: 'does not serve again' },
} as const;

async function change(
  ctx: CliContext,
  model: string,
  word: keyof typeof DOING,
  body: object,
  wait: boolean,
): Promise<void> {
  const client = await openClient(ctx);
  const accepted = await client.json('POST', `${pathOf(model)}/${word}`, {
    body,
    headers: { 'idempotency-key': randomUUID() },
  });
  const what = `version ${String(accepted['version'])} of ${model}`;
  if (!wait) {
    ctx.out.data(accepted);
    ctx.out.line(`${DOING[word].under} ${what}; \`ratchet champion ${model}\` shows the outcome`);
    return;
  }
  ctx.out.progress(`${DOING[word].under} ${what}: every replica proves it first`);
  const ended = await outcome(client, model, String(accepted['promotionId']), ctx.signal);
  ctx.out.endProgress();
  ctx.out.data({ ...accepted, status: ended.status, outcome: ended.outcome });
  if (ended.status !== 'promoted') {
    const why = ended.outcome ?? ended.status;
    throw new CliError(EXIT.refused, `${what} ${DOING[word].not}: ${why}`);
  }
  ctx.out.line(`${what} is the champion (${ended.outcome ?? ''})`);
}

async function outcome(
  client: ApiClient,
  model: string,
  promotionId: string,
  signal: AbortSignal,
): Promise<Promotion> {
  const deadline = performance.now() + PROMOTION_MS;
  while (performance.now() < deadline) {
    const state = await client.json('GET', `${pathOf(model)}/champion`);
    const last = state['lastPromotion'] as Promotion | null;
    if (last?.id === promotionId && last.status !== 'announced') return last;
    // Another promotion may have followed: the history says what became of this one.
    const done = (state['history'] as Json[]).find((row) => row['promotionId'] === promotionId);
    if (done) {
      const generation = `generation ${String(done['generation'])}`;
      return { id: promotionId, status: 'promoted', outcome: generation };
    }
    await pause(POLL_MS, undefined, { signal });
  }
  throw new CliError(EXIT.failed, `the promotion has not ended after ${PROMOTION_MS / 1000} s`, {
    hint: 'do workers run? `ratchet status` says so; it goes on by itself when they do',
  });
}
