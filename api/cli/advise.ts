import type { Command } from 'commander';
import { openClient, type Json } from './http.ts';
import { integer, version } from './options.ts';
import { toMinute, type CliContext } from './output.ts';

interface AdviseOptions {
  readonly instrument?: string;
  readonly asOf?: string;
  readonly version?: number;
  readonly history?: boolean;
  readonly compare?: boolean;
  readonly limit: number;
}

/** `advise`. */
export function register(program: Command, ctx: CliContext): void {
  program
    .command('advise')
    .argument('<model>')
    .description(
      'how much of a position to take: by two language models that agree, else by a rule',
    )
    .option('-i, --instrument <id>', 'where the model answers for several')
    .option(
      '--as-of <time>',
      'as of a time of the past: a date (its end: the last bar of that day), or ISO 8601 with a zone',
    )
    .option('-v, --version <n>', 'this version instead of the champion', version)
    .option('--history', 'what was advised before, newest first')
    .option('--compare', 'what was advised against a fixed size, on the bars that followed')
    .option('-n, --limit <n>', 'how much of the history', integer(1, 500), 20)
    .action((model: string, options: AdviseOptions) => {
      if (options.compare === true) return compare(ctx, model, options);
      return options.history === true ? history(ctx, model, options) : advise(ctx, model, options);
    });
}

const percent = (size: unknown): string => `${Math.round(Number(size) * 100)} %`;
const who = (row: Json): string => (row['decidedBy'] === 'models' ? 'two models' : 'the rule');

async function advise(ctx: CliContext, model: string, options: AdviseOptions): Promise<void> {
  const { instrument, asOf } = options;
  const client = await openClient(ctx);
  const body = { model, instrument, asOf, version: options.version };
  const answer = await client.json('POST', '/api/v1/advice', { body });
  ctx.out.data(answer);
  if (ctx.json) return;
  ctx.out.line(
    `${String(answer['instrument'])} as of ${toMinute(answer['asOf'])}: take ${percent(answer['size'])} of the position (${who(answer)})`,
  );
  ctx.out.line(String(answer['words']));
  const { size, terms } = answer['rule'] as { size: number; terms: Record<string, number> };
  const factors = Object.entries(terms).map(([name, value]) => `${name} ${value.toFixed(2)}`);
  ctx.out.line(`the rule says ${percent(size)}: ${factors.join(' x ')}`);
  const exchanges = answer['exchanges'] as Json[];
  if (exchanges.length > 0) ctx.out.table(exchanges, COLUMNS);
  if (answer['recorded'] !== true) ctx.out.line('NOT RECORDED: the database was away');
}

const COLUMNS = [
  { title: 'asked', value: (row: Json) => String(row['role']) },
  { title: 'model', value: (row: Json) => String(row['model']) },
  { title: 'outcome', value: (row: Json) => String(row['outcome']) },
  {
    title: 'size',
    value: (row: Json) => (row['sizePercent'] === null ? '-' : `${String(row['sizePercent'])} %`),
  },
  { title: 'ms', value: (row: Json) => String(row['latencyMs']) },
  { title: 'its reason', value: (row: Json) => String(row['reason'] ?? '') },
];

async function history(ctx: CliContext, model: string, options: AdviseOptions): Promise<void> {
  const { instrument, limit } = options;
  const client = await openClient(ctx);
  const query = { model, instrument, limit };
  const { items } = await client.json('GET', '/api/v1/advice', { query });
  ctx.out.table(
    items as Json[],
    [
      { title: 'at', value: (row) => toMinute(row['createdAt']) },
      { title: 'instrument', value: (row) => String(row['instrument']) },
      { title: 'as of', value: (row) => toMinute(row['asOf']) },
      { title: 'size', value: (row) => percent(row['size']) },
      { title: 'the rule', value: (row) => percent((row['rule'] as Json)['size']) },
      { title: 'decided by', value: who },
      { title: 'why', value: (row) => String(row['reason']) },
      { title: 'ms', value: (row) => String(row['latencyMs']) },
    ],
    'nothing was advised yet',
  );
}

async function compare(ctx: CliContext, model: string, options: AdviseOptions): Promise<void> {
  const { instrument } = options;
  const client = await openClient(ctx);
  const query = { model, instrument };
  const answer = await client.json('GET', '/api/v1/advice/comparison', { query });
  ctx.out.data(answer);
  if (ctx.json) return;
  ctx.out.line(
    `${String(answer['instrument'])}, ${toMinute(answer['from'])} to ${toMinute(answer['to'])}: ${String(answer['given'])} of ${String(answer['bars'])} bars advised on in time, ${String(answer['late'])} times too late`,
  );
  const sides = [
    ['a whole position', answer['fixed']],
    [`${percent(answer['meanSize'])} of it, the mean advised`, answer['sameMean']],
    ['as advised', answer['advised']],
  ] as const;
  const rows = sides.map(([size, of]): Json => ({ size, ...(of as { figures: Json }).figures }));
  const figure = (name: string, text: (value: number) => string) => (row: Json) =>
    typeof row[name] === 'number' ? text(row[name]) : '-';
  const share = (value: number): string => `${(value * 100).toFixed(2)} %`;
  ctx.out.table(rows, [
    { title: 'size', value: (row) => String(row['size']) },
    { title: 'total return', value: figure('totalReturn', share) },
    { title: 'volatility a year', value: figure('volatility', share) },
    { title: 'Sharpe', value: figure('sharpe', (value) => value.toFixed(2)) },
    { title: 'deepest drawdown', value: figure('maxDrawdown', share) },
  ]);
  for (const note of answer['notes'] as string[]) ctx.out.line(note);
}
