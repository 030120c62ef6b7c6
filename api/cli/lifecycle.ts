import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { openClient, type ApiClient, type Json } from './http.ts';
import { A_TIME, segment, version } from './options.ts';
import { CliError, EXIT, type CliContext } from './output.ts';

const pathOf = (model: string): string => `/api/v1/ml-models/${segment(model)}`;
/** What was ordered shows in the rows within moments; longer waits are for bars and reports. */
const WAIT_MS = 120_000;
const POLL_MS = 500;

interface OrderOptions {
  readonly version?: number;
  readonly reason?: string;
  readonly wait?: boolean;
}
interface SlotOptions {
  readonly asOf?: string;
  readonly wait?: boolean;
}

/** `approve`, `reject`, `freeze`, `unfreeze`, `explain`, `settle`, `monitor`. */
export function registerLifecycle(program: Command, ctx: CliContext): void {
  program
    .command('explain')
    .argument('<model>')
    .description('why a model is as it is: state, next retrain, what blocks a promotion')
    .action((model: string) => explain(ctx, model));

  program
    .command('approve')
    .argument('<model>')
    .description('let the challenger of a manual trial become champion')
    .option('-r, --reason <text>', 'stands in the audit and in the history')
    .option('-v, --version <n>', 'refuse when another version is on trial', version)
    .option('--wait', 'until the trial has ended')
    .action((model: string, options: OrderOptions) => judge(ctx, model, 'approve', options));
  program
    .command('reject')
    .argument('<model>')
    .description('end the running trial; the champion stays')
    .requiredOption('-r, --reason <text>', 'stands in the audit and in the history')
    .option('-v, --version <n>', 'refuse when another version is on trial', version)
    .option('--wait', 'until the trial has ended')
    .action((model: string, options: OrderOptions) => judge(ctx, model, 'reject', options));
  program
    .command('freeze')
    .argument('<model>')
    .description('retrain and promote by hand only')
    .requiredOption('-r, --reason <text>', 'stands in the audit and in the history')
    .action((model: string, options: OrderOptions) => freeze(ctx, model, 'freeze', options));
  program
    .command('unfreeze')
    .argument('<model>')
    .description('let the lifecycle retrain and promote again')
    .option('-r, --reason <text>', 'stands in the audit and in the history')
    .action((model: string, options: OrderOptions) => freeze(ctx, model, 'unfreeze', options));

  program
    .command('settle')
    .argument('<model>')
    .description('join its predictions with what happened')
    .option('--as-of <time>', `market time: ${A_TIME}; default: now`)
    .option('--wait', 'until it is done')
    .action((model: string, options: SlotOptions) => slot(ctx, model, 'settle', options));
  program
    .command('monitor')
    .argument('<model>')
    .description('make a drift report')
    .option('--as-of <time>', `market time: ${A_TIME}; default: now`)
    .option('--wait', 'until it is made, and say what it says')
    .action((model: string, options: SlotOptions) => slot(ctx, model, 'monitor', options));
}

const explanationOf = (client: ApiClient, model: string): Promise<Json> =>
  client.json('GET', `${pathOf(model)}/explain`);

async function explain(ctx: CliContext, model: string): Promise<void> {
  const client = await openClient(ctx);
  const told = await explanationOf(client, model);
  ctx.out.data(told);
  ctx.out.line(`${model}: ${String(told['state'])}`);
  for (const sentence of told['sentences'] as string[]) ctx.out.line(`  ${sentence}`);
}

function order(
  client: ApiClient,
  model: string,
  word: string,
  { reason, version: meant }: OrderOptions,
): Promise<Json> {
  return client.json('POST', `${pathOf(model)}/${word}`, {
    body: { reason, version: meant },
    headers: { 'idempotency-key': randomUUID() },
  });
}

async function judge(
  ctx: CliContext,
  model: string,
  word: 'approve' | 'reject',
  options: OrderOptions,
): Promise<void> {
  const client = await openClient(ctx);
  const accepted = await order(client, model, word, options);
  const trial = accepted['trial'] as Json;
  const id = String(trial['id']);
  const what = `version ${String(trial['version'])} of ${model} (trial ${id})`;
  if (options.wait !== true) {
    ctx.out.data(accepted);
    ctx.out.line(`${what}: ${word} is on record; \`ratchet trials ${model}\` shows the outcome`);
    return;
  }
  const ended = await eventually(ctx, `the trial of ${what}`, async () => {
    const now = await client.json('GET', `${pathOf(model)}/trials/${segment(id)}`);
    return now['status'] === 'running' ? undefined : now;
  });
  ctx.out.data({ ...accepted, trial: ended });
  const status = String(ended['status']);
  if (status !== (word === 'approve' ? 'promoted' : 'rejected')) {
    const reasons = (ended['reasons'] as string[]).join('; ');
    throw new CliError(EXIT.refused, `the trial of ${what} ended ${status}: ${reasons}`);
  }
  ctx.out.line(`${what} is ${status}`);
}

async function freeze(
  ctx: CliContext,
  model: string,
  word: 'freeze' | 'unfreeze',
  options: OrderOptions,
): Promise<void> {
  const client = await openClient(ctx);
  const accepted = await order(client, model, word, options);
  ctx.out.data(accepted);
  const done = accepted['done'] === true ? 'is' : 'is being';
  ctx.out.line(
    word === 'freeze'
      ? `${model} ${done} frozen: it is retrained and promoted by hand only`
      : `${model} ${done} unfrozen`,
  );
}

async function slot(
  ctx: CliContext,
  model: string,
  word: 'settle' | 'monitor',
  options: SlotOptions,
): Promise<void> {
  const client = await openClient(ctx);
  const accepted = await client.json('POST', `${pathOf(model)}/${word}`, {
    body: { asOf: options.asOf },
  });
  const asOf = String(accepted['asOf']);
  if (options.wait !== true) {
    ctx.out.data(accepted);
    ctx.out.line(`${word} of ${model} as of ${asOf} has begun; \`ratchet explain ${model}\` tells`);
    return;
  }
  const done = await eventually(ctx, `${word} of ${model} as of ${asOf}`, () =>
    word === 'settle' ? settled(client, model, asOf) : reportOf(client, model, asOf),
  );
  if (word === 'settle') {
    ctx.out.data({ ...accepted, explanation: done });
    return ctx.out.line(`${model} is settled as of ${asOf}`);
  }
  ctx.out.data({ ...accepted, report: done });
  ctx.out.line(`${model} as of ${asOf}: ${String(done['verdict'])}`);
  for (const sentence of done['words'] as string[]) ctx.out.line(`  ${sentence}`);
  ctx.out.line(`\`ratchet drift ${model}\` shows its figures`);
}

/** Rows hold how far a model is; times are ISO instants in UTC and compare as text. */
async function settled(client: ApiClient, model: string, asOf: string): Promise<Json | undefined> {
  const told = await explanationOf(client, model);
  const through = told['settledAsOf'];
  return typeof through === 'string' && through >= asOf ? told : undefined;
}

/** The report of this very instant: there may be others of later ones. */
async function reportOf(client: ApiClient, model: string, asOf: string): Promise<Json | undefined> {
  const query = { asOf, limit: 1 };
  const { items } = await client.json('GET', `${pathOf(model)}/drift`, { query });
  const [newest] = items as Json[];
  return newest?.['asOf'] === asOf ? newest : undefined;
}

/** Polls until `look` finds something. */
export async function eventually(
  ctx: CliContext,
  what: string,
  look: () => Promise<Json | undefined>,
): Promise<Json> {
  const deadline = performance.now() + WAIT_MS;
  ctx.out.progress(`waiting: ${what}`);
  while (performance.now() < deadline) {
    const found = await look();
    if (found) {
      ctx.out.endProgress();
      return found;
    }
    await pause(POLL_MS, undefined, { signal: ctx.signal });
  }
  throw new CliError(EXIT.failed, `${what} has not ended after ${WAIT_MS / 1000} s`, {
    hint: 'do workers run? `ratchet status` says so; it goes on by itself when they do',
  });
}
