import type { Command } from 'commander';
import { openClient, type Json } from './http.ts';
import { integer, segment } from './options.ts';
import { CliError, EXIT, toMinute, type CliContext } from './output.ts';

const pathOf = (model: string): string => `/api/v1/ml-models/${segment(model)}`;
const SEQUENCE = /^\d{1,18}$/;

/** `history`, `trials`. */
export function registerStory(program: Command, ctx: CliContext): void {
  program
    .command('history')
    .argument('<model>')
    .description('the story of a model: promotions, trials, drift, retrains; newest first')
    .option('-n, --limit <n>', 'how many', integer(1, 500), 50)
    .option('-b, --before <seq>', 'older than this event')
    .option('-k, --kind <kind>', 'only this kind, such as trial.ended')
    .action((model: string, options: HistoryOptions) => history(ctx, model, options));

  program
    .command('trials')
    .argument('<model>')
    .argument('[trial]', 'show this one: progress, bounds, guards; `running` for the one that runs')
    .description('trials of challengers, newest first, or one')
    .option('-n, --limit <n>', 'how many', integer(1, 500), 20)
    .action((model: string, trial: string | undefined, options: { limit: number }) =>
      trial === undefined ? list(ctx, model, options.limit) : show(ctx, model, trial),
    );
}

interface HistoryOptions {
  readonly limit: number;
  readonly before?: string;
  readonly kind?: string;
}

async function history(ctx: CliContext, model: string, options: HistoryOptions): Promise<void> {
  if (options.before !== undefined && !SEQUENCE.test(options.before)) {
    throw new CliError(EXIT.usage, `${options.before} is not the number of an event`, {
      hint: `\`ratchet history ${model} --json\` shows them as seq`,
    });
  }
  const client = await openClient(ctx);
  const page = await client.json('GET', `${pathOf(model)}/history`, { query: { ...options } });
  ctx.out.table(
    page['items'] as Json[],
    [
      { title: 'market time', value: (row) => toMinute(row['asOf']) },
      { title: 'at', value: (row) => toMinute(row['at']) },
      { title: 'what', value: (row) => String(row['kind']) },
      { title: 'by', value: (row) => String(row['actor']) },
      { title: 'in words', value: (row) => String(row['words']) },
    ],
    'nothing has happened yet',
  );
  const next = page['nextCursor'] as string | null;
  if (next !== null) ctx.out.line(`older: ratchet history ${model} --before ${next}`);
}

async function list(ctx: CliContext, model: string, limit: number): Promise<void> {
  const client = await openClient(ctx);
  const { items } = await client.json('GET', `${pathOf(model)}/trials`, { query: { limit } });
  ctx.out.table(
    items as Json[],
    [
      { title: 'trial', value: (row) => String(row['id']) },
      { title: 'version', value: (row) => Number(row['version']), align: 'right' },
      { title: 'against', value: (row) => row['championVersion'] as number | null, align: 'right' },
      { title: 'kind', value: (row) => `${String(row['kind'])}, ${String(row['mode'])}` },
      { title: 'status', value: (row) => String(row['status']) },
      { title: 'from', value: (row) => toMinute(row['startedAsOf']) },
      { title: 'to', value: (row) => toMinute(row['lastAsOf']) },
      { title: 'rows', value: (row) => rowsOf(row), align: 'right' },
    ],
    `no trials yet: a spec asks for them with promotion.trial`,
  );
}

const rowsOf = (row: Json): number => Number((row['progress'] as Json | null)?.['rows'] ?? 0);

async function show(ctx: CliContext, model: string, id: string): Promise<void> {
  const client = await openClient(ctx);
  const named = id === 'running' ? await runningId(ctx, model) : id;
  const trial = await client.json('GET', `${pathOf(model)}/trials/${segment(named)}`);
  ctx.out.data(trial);
  const say = (title: string, text: unknown): void => {
    ctx.out.line(`  ${title.padEnd(12)} ${String(text)}`);
  };
  const champion = trial['championVersion'] === null ? '-' : `v${String(trial['championVersion'])}`;
  ctx.out.line(`${named}: v${String(trial['version'])} against ${champion}`);
  say('status', trial['status']);
  say(
    'kind',
    `${String(trial['kind'])}, ${String(trial['mode'])}, policy ${String(trial['policy'])}`,
  );
  say(
    'market time',
    `${String(toMinute(trial['startedAsOf']))} to ${String(toMinute(trial['lastAsOf']))}`,
  );
  if (trial['kind'] === 'canary') say('share', `${(100 * Number(trial['share'])).toFixed(0)} %`);
  const progress = trial['progress'] as Json | null;
  if (progress) for (const [title, text] of progressLines(progress)) say(title, text);
  const expected = trial['expected'] as Json | null;
  if (expected) say('expected', expected['words']);
  for (const reason of trial['reasons'] as string[]) say('because', reason);
}

async function runningId(ctx: CliContext, model: string): Promise<string> {
  const client = await openClient(ctx);
  const { items } = await client.json('GET', `${pathOf(model)}/trials`, { query: { limit: 1 } });
  const [newest] = items as Json[];
  if (newest?.['status'] === 'running') return String(newest['id']);
  throw new CliError(EXIT.notFound, `${model} has no running trial`, {
    hint: `\`ratchet trials ${model}\` lists those that ended`,
  });
}

const figure = (value: unknown): string =>
  typeof value === 'number' ? String(Number(value.toPrecision(4))) : '-';

function progressLines(progress: Json): [string, string][] {
  const rows = `${figure(progress['rows'])} settled (${figure(progress['independent'])} independent), ${figure(progress['blocks'])} blocks of ${figure(progress['blockRows'])}`;
  const bounds = `[${figure(progress['lower'])}, ${figure(progress['upper'])}] at ${figure(progress['alpha'])}`;
  const arms = progress['arms'] as Readonly<Record<'champion' | 'challenger', Json>>;
  const arm = (facts: Json): string =>
    `${figure(facts['requests'])} requests, ${figure(facts['errors'])} errors, ${figure(facts['abstained'])} abstained, p95 ${figure(facts['p95Ms'])} ms`;
  return [
    ['rows', rows],
    ['difference', `${figure(progress['meanDifference'])} ${bounds}: above 0 it is better`],
    ['champion', arm(arms.champion)],
    ['challenger', arm(arms.challenger)],
  ];
}
