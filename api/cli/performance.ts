import type { Command } from 'commander';
import { openClient, type Json } from './http.ts';
import { segment, version } from './options.ts';
import type { CliContext } from './output.ts';

interface PerformanceOptions {
  readonly version?: number;
  readonly instrument?: string;
  readonly role?: string;
  readonly from?: string;
  readonly to?: string;
}

/** `performance`. */
export function register(program: Command, ctx: CliContext): void {
  program
    .command('performance')
    .argument('<model>')
    .description('what its predictions were worth, once what they were for had happened')
    .option('-v, --version <n>', 'of this version; default: all', version)
    .option('-i, --instrument <id>', 'of this instrument')
    .option('--role <role>', 'champion, canary, shadow or pinned; default: all')
    .option(
      '--from <time>',
      'decisions from this market time on (`predictions --as-of-from` lists them)',
    )
    .option('--to <time>', 'decisions before this market time')
    .action((model: string, options: PerformanceOptions) => performance(ctx, model, options));
}

const percent = (value: unknown, digits = 1): string | null =>
  typeof value === 'number' ? `${(value * 100).toFixed(digits)} %` : null;
const signed = (value: unknown, digits: number): string | null =>
  typeof value === 'number' ? `${value >= 0 ? '+' : ''}${value.toFixed(digits)}` : null;
const signedPercent = (value: unknown): string | null =>
  typeof value === 'number' ? `${signed(value * 100, 3)} %` : null;

async function performance(
  ctx: CliContext,
  model: string,
  options: PerformanceOptions,
): Promise<void> {
  const client = await openClient(ctx);
  const path = `/api/v1/ml-models/${segment(model)}/performance`;
  const answer = await client.json('GET', path, { query: { ...options } });
  ctx.out.data(answer);
  if (ctx.json) return;
  const items = answer['items'] as Json[];
  ctx.out.table(
    items,
    [
      { title: 'version', value: (row) => Number(row['version']), align: 'right' },
      { title: 'instrument', value: (row) => String(row['instrument']) },
      { title: 'bars', value: (row) => Number(row['horizon']), align: 'right' },
      { title: 'n', value: (row) => Number(row['n']), align: 'right' },
      { title: 'n/bars', value: (row) => Number(row['independent']).toFixed(1), align: 'right' },
      { title: 'rmse', value: (row) => Number(row['rmse']).toPrecision(3), align: 'right' },
      { title: 'skill', value: (row) => signed(row['skillVsNaive'], 3), align: 'right' },
      { title: 'direction', value: (row) => percent(row['directionAccuracy2']), align: 'right' },
      { title: 'always up', value: (row) => percent(row['alwaysUp']), align: 'right' },
      { title: '80 % held', value: (row) => percent(row['coverage80']), align: 'right' },
      { title: 'signal', value: (row) => signedPercent(row['meanSignalReturn']), align: 'right' },
      { title: 'in all', value: (row) => signedPercent(row['totalSignalReturn']), align: 'right' },
    ],
    nothing(model, answer['settledAsOf'], options),
  );
  if (items.length > 0) explain(ctx, answer, items);
}

/** Why there are no figures. */
function nothing(model: string, settledAsOf: unknown, options: PerformanceOptions): string {
  const { from, to } = options;
  if (from !== undefined && to !== undefined && Date.parse(from) >= Date.parse(to)) {
    return `no decision lies between --from ${from} and --to ${to}: the first must be the earlier one`;
  }
  if (typeof settledAsOf !== 'string') {
    return `nothing is settled yet; \`ratchet settle ${model}\` settles what can be`;
  }
  const fits = Object.values(options).some((value) => value !== undefined)
    ? 'no settled decision fits these options'
    : 'no decision is settled yet';
  return `${fits}; settled up to ${settledAsOf} (market time)`;
}

function costWords(items: readonly Json[]): string {
  const costs = [...new Set(items.map((row) => row['costBpsPerSide']))].filter((c) => c !== null);
  return costs.length === 0
    ? 'no decision took a position, so none had costs'
    : `after ${costs.map(String).join(' or ')} bp a side`;
}

function explain(ctx: CliContext, answer: Json, items: readonly Json[]): void {
  const few = items.filter((row) => row['note'] !== null).length;
  const first = items[0]!;
  const lines = [
    `settled up to ${String(answer['settledAsOf'])} (market time)`,
    'skill: 1 - squared error / that of the naive baseline ("nothing changes"); direction: of moves beyond 0.5 %',
    `signal: long or short by the forecast, per decision, ${costWords(items)}` +
      (items.some((row) => row['hypothetical'] === true)
        ? '; HYPOTHETICAL where the instrument cannot be traded'
        : ''),
  ];
  if (few > 0) lines.push(few === 1 && items.length === 1 ? String(first['note']) : fewWords(few));
  for (const row of answer['leftOut'] as Json[]) {
    const parts = LEFT_OUT.flatMap(([field, words]) =>
      Number(row[field]) > 0 ? [`${String(row[field])} ${words}`] : [],
    );
    if (parts.length > 0)
      lines.push(`version ${String(row['version'])} left out: ${parts.join(', ')}`);
  }
  for (const line of lines) ctx.out.line(line);
}

const fewWords = (few: number): string =>
  `${few} rows with fewer than 20 independent outcomes (n/bars) say nothing yet`;

const LEFT_OUT = [
  ['inSample', 'on bars it had learnt from'],
  ['callersBars', "on callers' own bars"],
  ['fallback', 'answered by the fallback'],
  ['repeated', 'repeated answers'],
  ['unknown', 'whose bar never came'],
] as const;
