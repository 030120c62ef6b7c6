import type { Command } from 'commander';
import { shortVerdict } from '../../core/evaluation/index.ts';
import { openClient, type Json } from './http.ts';
import { integer, segment, version } from './options.ts';
import type { CliContext } from './output.ts';

const pathOf = (model: string): string => `/api/v1/ml-models/${segment(model)}`;

/** A metric for a person: six digits, or a dash. */
const metric = (value: unknown): string =>
  typeof value === 'number' ? String(Number(value.toPrecision(6))) : '-';

/** The figures of a verdict make a table hard to read: `versions MODEL N`, the report and `--json` have them. */
const shortOf = (verdict: unknown): string | null =>
  typeof verdict === 'string' ? shortVerdict(verdict) : null;

/** `versions`, `compare`, `metrics`. */
export function registerVersions(program: Command, ctx: CliContext): void {
  program
    .command('versions')
    .argument('<model>')
    .argument('[version]', 'show this one', version)
    .description('list versions of a model, newest first, or show one')
    .option('-n, --limit <n>', 'how many', integer(1, 500), 20)
    .action((model: string, number: number | undefined, options: { limit: number }) =>
      number === undefined ? list(ctx, model, options.limit) : show(ctx, model, number),
    );

  program
    .command('compare')
    .argument('<model>')
    .argument('<metric>', 'such as h7.rmse')
    .description('versions by one metric, best first')
    .action((model: string, name: string) => compare(ctx, model, name));

  program
    .command('metrics')
    .argument('<model>')
    .option('-v, --version <n>', 'of this version; default: the champion', version)
    .description('metrics of the champion, or of a version')
    .action((model: string, options: { version?: number }) => metrics(ctx, model, options.version));
}

async function list(ctx: CliContext, model: string, limit: number): Promise<void> {
  const client = await openClient(ctx);
  const { items } = await client.json('GET', `${pathOf(model)}/versions`, { query: { limit } });
  ctx.out.table(
    items as Json[],
    [
      { title: 'version', value: (row) => Number(row['version']), align: 'right' },
      { title: 'champion', value: (row) => (row['champion'] === true ? 'yes' : '') },
      { title: 'family', value: (row) => String(row['family']) },
      { title: 'trained through', value: (row) => (row['trainedThrough'] as string)?.slice(0, 10) },
      {
        title: 'beats naive baseline',
        value: (row) => (row['beatsNaive'] === true ? 'yes' : 'no'),
      },
      { title: 'verdict', value: (row) => shortOf(row['verdict']) },
    ],
    'no versions yet',
  );
}

async function show(ctx: CliContext, model: string, number: number): Promise<void> {
  const client = await openClient(ctx);
  const row = await client.json('GET', `${pathOf(model)}/versions/${number}`);
  ctx.out.data(row);
  for (const [name, value] of Object.entries(row)) {
    if (name === 'metrics') continue;
    ctx.out.line(`${name.padEnd(16)} ${Array.isArray(value) ? value.join(' ') : String(value)}`);
  }
  printMetrics(ctx, row['metrics'] as Json);
}

function printMetrics(ctx: CliContext, metrics: Json): void {
  // h4 before h12.
  const names = Object.keys(metrics).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  for (const name of names) {
    ctx.out.line(`  ${name.padEnd(28)} ${metric(metrics[name])}`);
  }
}

async function compare(ctx: CliContext, model: string, name: string): Promise<void> {
  const client = await openClient(ctx);
  const answer = await client.json('GET', `${pathOf(model)}/compare/${segment(name)}`);
  ctx.out.line(`${name}: ${String(answer['better'])} is better`);
  ctx.out.table(
    answer['items'] as Json[],
    [
      { title: 'version', value: (row) => Number(row['version']), align: 'right' },
      { title: name, value: (row) => metric(row['value']), align: 'right' },
      { title: 'champion', value: (row) => (row['champion'] === true ? 'yes' : '') },
    ],
    'no versions yet',
  );
}

async function metrics(ctx: CliContext, model: string, number: number | undefined): Promise<void> {
  const client = await openClient(ctx);
  const query = { version: number };
  const row = await client.json('GET', `${pathOf(model)}/metrics`, { query });
  ctx.out.data(row);
  ctx.out.line(
    `${model} version ${String(row['version'])}: ${String(row['verdict'] ?? 'no verdict')}`,
  );
  printMetrics(ctx, row['metrics'] as Json);
}
