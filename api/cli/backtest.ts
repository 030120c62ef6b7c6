import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import {
  backtestFile,
  BACKTESTS as PATH,
  figuresTable,
  makeFolder,
  type StrategyRow,
} from './backtest-figures.ts';
import { BacktestProgress } from './backtest-progress.ts';
import { compareBacktests } from './compare-backtests.ts';
import { followEvents } from './events.ts';
import { askedBacktest } from './named-backtest.ts';
import { openClient, type ApiClient, type Json } from './http.ts';
import { idempotencyKey, integer, segment } from './options.ts';
import { CliError, EXIT, shortened, toMinute, type CliContext } from './output.ts';
import { readSpec, uploadFiles } from './spec-file.ts';

interface RunOptions {
  readonly wait: boolean;
  readonly key?: string;
  readonly output?: string;
  readonly text?: true;
}

interface ShowOptions {
  readonly watch?: true;
  readonly cancel?: true;
  readonly output?: string;
  readonly text?: true;
  readonly model?: string;
  readonly limit: number;
}

const TEXT = 'print verdict, figures without costs and of buy-and-hold too, and warnings';

/** `backtest`, `backtests`. */
export function register(program: Command, ctx: CliContext): void {
  program
    .command('backtest')
    .argument('<spec>', 'backtest spec, YAML or JSON')
    .description('run strategies through a period, with costs, and say what they earned')
    .option('--no-wait', 'only start it')
    .option('--key <key>', 'Idempotency-Key: the same key starts it once', idempotencyKey)
    .option('-o, --output <folder>', 'write its report, charts and trades there')
    .option('-t, --text', TEXT)
    .action((spec: string, options: RunOptions) => run(ctx, spec, options));
  program
    .command('backtests')
    .argument(
      '[ids...]',
      'one of them, or several side by side, each by its id, the beginning of it, or its name (the newest); ID/STRATEGY: not its first',
    )
    .description('list backtests, newest first, show one, or compare several')
    .option('-m, --model <name>', 'those that asked this model')
    .option('-n, --limit <n>', 'how many to list', integer(1, 500), 20)
    .option('-w, --watch', 'stay with one until it ends')
    .option('--cancel', 'stop one, and what it trains')
    .option('-t, --text', TEXT)
    .option(
      '-o, --output <folder>',
      'write its report, charts and trades, or comparison.html there',
    )
    .action((ids: readonly string[], options: ShowOptions) => {
      const [id] = ids;
      if (id === undefined) return list(ctx, options);
      return ids.length === 1 ? one(ctx, id, options) : compare(ctx, ids, options);
    });
}

function compare(ctx: CliContext, ids: readonly string[], options: ShowOptions): Promise<void> {
  if (options.watch || options.cancel || options.text) {
    const words = 'backtests: --watch, --cancel and --text take one backtest at a time';
    throw new CliError(EXIT.usage, words);
  }
  return compareBacktests(ctx, ids, options.output);
}

async function run(ctx: CliContext, file: string, options: RunOptions): Promise<void> {
  const spec = await withExperiment(await readSpec(file), dirname(resolve(file)));
  const client = await openClient(ctx);
  await uploadFiles(ctx, client, spec, dirname(resolve(file)));
  const answer = await client.json('POST', PATH, {
    body: spec,
    headers: { 'idempotency-key': options.key ?? randomUUID() },
  });
  const id = String(answer['id']);
  if (!options.wait) {
    ctx.out.data(answer);
    ctx.out.line(`backtest ${id}; watch it: ratchet backtests ${id} --watch`);
    return;
  }
  ctx.out.line(`backtest ${id}`);
  await follow(ctx, client, id);
  await show(ctx, client, id, { ...options, waited: true });
}

/** What a backtest gives itself: an experiment's own say in it is left out. */
const GIVEN = ['name', 'model', 'data', 'promotion', 'retrain', 'monitor'];

/** A walk forward may name the file of an experiment, beside its own: what that trains is what each of its models is. */
export async function withExperiment(
  spec: Record<string, unknown>,
  folder: string,
): Promise<Record<string, unknown>> {
  const model = spec['model'] as { walkForward?: { experiment?: unknown } } | undefined;
  const named = model?.walkForward?.experiment;
  if (typeof named !== 'string') return spec;
  const read = Object.entries(await readSpec(resolve(folder, named)));
  const experiment = Object.fromEntries(read.filter(([field]) => !GIVEN.includes(field)));
  return { ...spec, model: { ...model, walkForward: { ...model?.walkForward, experiment } } };
}

async function one(ctx: CliContext, asked: string, options: ShowOptions): Promise<void> {
  const client = await openClient(ctx);
  const { id, strategy } = await askedBacktest(client, asked);
  if (strategy !== undefined && options.cancel) {
    throw new CliError(
      EXIT.usage,
      'backtests: --cancel stops a backtest, not one of its strategies',
    );
  }
  const path = `${PATH}/${segment(id)}`;
  if (options.cancel) {
    const answer = await client.json('POST', `${path}/cancel`);
    ctx.out.data(answer);
    ctx.out.line(`asked ${id} to stop; \`ratchet backtests ${id}\` shows when it has`);
    return;
  }
  if (options.watch) await follow(ctx, client, id);
  await show(ctx, client, id, { ...options, strategy, waited: options.watch === true });
}

/** Shows what happens until it has ended. */
async function follow(ctx: CliContext, client: ApiClient, id: string): Promise<void> {
  const progress = new BacktestProgress();
  try {
    for await (const event of followEvents(client, `${PATH}/${segment(id)}/events`, ctx.signal)) {
      if (ctx.json) {
        ctx.out.event(event);
        continue;
      }
      for (const { text, live } of progress.wordsOf(event)) {
        if (live) ctx.out.progress(text, 'folds');
        else ctx.out.line(text);
      }
    }
  } catch (error) {
    ctx.out.endProgress();
    if (ctx.signal.aborted) {
      ctx.out.line(
        `${id} goes on: \`ratchet backtests ${id} --watch\` shows it, --cancel stops it`,
      );
    }
    throw error;
  }
  ctx.out.endProgress();
}

/** Absent of a backtest that has not ended, or ended before there was one. */
const REPORT_TEXT = 'report.txt';

interface ShownOptions extends Pick<ShowOptions, 'output' | 'text'> {
  /** Its events were followed: how it ended is what the command came to. */
  readonly waited: boolean;
  /** Only what this one earned; absent: all. */
  readonly strategy?: string | undefined;
}

async function show(
  ctx: CliContext,
  client: ApiClient,
  id: string,
  { output: folder, text: asText, waited, strategy }: ShownOptions,
): Promise<void> {
  const found = withOnly(strategy, await client.json('GET', `${PATH}/${segment(id)}`));
  const status = String(found['status']);
  const isEmpty = status === 'failed' || status === 'cancelled';
  const end = [status, found['message']].filter(Boolean).map(String).join(': ');
  if (isEmpty && (waited || folder !== undefined)) {
    const words = `backtest ${id} ${end}`;
    throw new CliError(EXIT.failed, words, { details: found });
  }
  const written = folder === undefined ? [] : await download(client, id, found, resolve(folder));
  const told = { ...found, ...(folder !== undefined && { written }) };
  // After events: a line each.
  if (waited) ctx.out.event(told);
  else ctx.out.data(told);
  if (ctx.json) return;
  const name = `${String(found['name'])} (${id})`;
  if (asText && (found['files'] as string[]).includes(REPORT_TEXT)) {
    const text = new TextDecoder().decode(await backtestFile(client, id, REPORT_TEXT));
    for (const line of [name, ...text.trimEnd().split('\n')]) ctx.out.line(line);
  } else {
    ctx.out.line(`${name}: ${isEmpty ? end : String(found['message'] ?? status)}`);
    const results = found['results'] as StrategyRow[];
    if (results.length > 0) figuresTable(ctx, results);
    // Absent where the server is of before.
    const { warnings = [] } = found as { readonly warnings?: readonly string[] };
    for (const warning of warnings) ctx.out.warn(warning);
  }
  for (const path of written) ctx.out.line(path);
}

/** Throws `CliError`: it has results, and none of that strategy. */
function withOnly(strategy: string | undefined, found: Json): Json {
  const results = found['results'] as StrategyRow[];
  if (strategy === undefined || results.length === 0) return found;
  const own = results.filter((one_) => one_.strategy === strategy);
  if (own.length > 0) return { ...found, results: own };
  const names = results.map((one_) => one_.strategy).join(', ');
  const words = `backtest ${String(found['id'])} has no strategy ${strategy}; it has ${names}`;
  throw new CliError(EXIT.usage, words);
}

/** Of a file in the folder itself, whoever the server is. */
export const isFileName = (name: unknown): boolean =>
  typeof name === 'string' && /^[\w^.=-]+$/.test(name) && name !== '.' && name !== '..';

async function download(
  client: ApiClient,
  id: string,
  found: Json,
  folder: string,
): Promise<string[]> {
  const names = found['files'] as string[];
  const wrong = names.find((name) => !isFileName(name));
  if (wrong !== undefined) {
    const words = `the server names a file ${JSON.stringify(wrong)}, which would lie elsewhere: nothing is written`;
    throw new CliError(EXIT.failed, words, { details: found });
  }
  await makeFolder(folder);
  const paths: string[] = [];
  for (const name of names) {
    const target = join(folder, name);
    await writeFile(target, await backtestFile(client, id, name));
    paths.push(target);
  }
  return paths;
}

async function list(ctx: CliContext, { model, limit }: ShowOptions): Promise<void> {
  const client = await openClient(ctx);
  const path = model === undefined ? PATH : `/api/v1/ml-models/${segment(model)}/backtest`;
  const { items } = await client.json('GET', path, { query: { limit } });
  ctx.out.table(
    items as Json[],
    [
      { title: 'backtest', value: (row) => String(row['id']) },
      { title: 'name', value: (row) => String(row['name']) },
      { title: 'status', value: (row) => String(row['status']) },
      { title: 'started', value: (row) => `${toMinute(row['createdAt'])}Z` },
      { title: 'message', value: (row) => shortened(String(row['message'] ?? '-')) },
    ],
    'no backtests yet: ratchet backtest examples/backtest-index.yaml',
  );
}
