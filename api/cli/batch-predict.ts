import { readFile } from 'node:fs/promises';
import { text as textOf } from 'node:stream/consumers';
import { Option, type Command } from 'commander';
import { openClient, type Json } from './http.ts';
import { A_TIME, idempotencyKey, list, segment, version } from './options.ts';
import { predictRange } from './predict-range.ts';
import { ASYNC_HEADER, showAccepted } from './results.ts';
import { CliError, EXIT, type CliContext } from './output.ts';

interface BatchOptions {
  readonly instruments?: string[];
  readonly asOf?: string[];
  readonly version?: number | 'then';
  readonly from?: string;
  readonly to?: string;
  readonly output?: string;
  readonly arrow?: boolean;
  readonly confidence: string;
  readonly record: boolean;
  readonly async?: boolean;
  readonly wait?: boolean;
  readonly key?: string;
}

const FORMS = `
FILE holds the items: a JSON array, a JSON body with "items", or an item a line (NDJSON).
With --from nothing is recorded, and a row a line comes for each session, as predict --as-of answers then. A file (-o)
begins with a line of what was asked, and is complete where it ends with {"done":true}.
With --from and --async a workflow computes the same rows, however many, and goes on whatever stops.
Items: {"instrument", "asOf"?}, {"instrument", "bars"} or {"instrument", "window", "lastClose", "openTime"}.`;

const versionOrThen = (text: string): number | 'then' => (text === 'then' ? text : version(text));

/** `batch-predict`. */
export function register(program: Command, ctx: CliContext): void {
  program
    .command('batch-predict')
    .argument('<model>')
    .argument('[file]', 'the items; `-`: from stdin')
    .description('predict many at once, all from one version')
    .option(
      '-i, --instruments <ids>',
      'in place of a file: these, as of each time of --as-of',
      list,
    )
    .option(
      '--as-of <times>',
      'times of the past, with commas: dates, or ISO 8601 with a zone',
      list,
    )
    .option('--from <time>', `in place of both: each session from here on (${A_TIME}), as lines`)
    .option('--to <time>', 'with --from: to here; default: the newest')
    .option('-o, --output <file>', 'with --from: into this file; goes on where it was left')
    .option('--arrow', 'with --from: as an Arrow IPC stream')
    .option(
      '-v, --version <n>',
      'this version instead of the champion; with --from, `then`: whichever served at each time',
      versionOrThen,
    )
    .addOption(
      new Option('-c, --confidence <how>', 'mc: with confidence and interval, slower')
        .choices(['mc', 'none'])
        .default('none'),
    )
    .option('--no-record', 'do not keep them for scoring')
    .option(
      '--async',
      'only hand it in; `ratchet results` has the answer, of a range `ratchet batch-predictions`',
    )
    .option('--wait', 'with --from and --async: stay until it is computed, as -o does')
    .option('--key <key>', 'with --from and --async: Idempotency-Key', idempotencyKey)
    .addHelpText('after', FORMS)
    .action((model: string, file: string | undefined, options: BatchOptions) =>
      batchPredict(ctx, model, file, options),
    );
}

async function batchPredict(
  ctx: CliContext,
  model: string,
  file: string | undefined,
  options: BatchOptions,
): Promise<void> {
  const { instruments, asOf, version: wanted, confidence, record } = options;
  if (options.from !== undefined) {
    checkRangeOptions(file, options);
    return predictRange(ctx, model, options);
  }
  const { to, output, arrow, wait, key } = options;
  if ((to ?? output ?? arrow ?? wait ?? key) !== undefined) {
    throw new CliError(EXIT.usage, '--to, --output, --arrow, --wait and --key go with --from');
  }
  if ((file === undefined) === (instruments === undefined)) {
    throw new CliError(EXIT.usage, 'give either a file of items, --instruments, or --from');
  }
  const asked = file === undefined ? { instruments, asOf } : { items: await readItems(file), asOf };
  const client = await openClient(ctx);
  const answer = await client.json('POST', `/api/v1/ml-models/${segment(model)}/batch-predict`, {
    body: { ...asked, version: wanted, confidence, record },
    ...(options.async === true ? { headers: ASYNC_HEADER } : {}),
  });
  if (options.async === true) return showAccepted(ctx, answer);
  const items = answer['items'] as Json[];
  const failed = Number(answer['failed']);
  ctx.out.data(answer);
  if (!ctx.json) {
    showItems(ctx, items);
    ctx.out.line(
      `${model} version ${String(answer['version'])}, batch ${String(answer['batchId'])}: ` +
        `${items.length - failed} predicted, ${failed} failed`,
    );
  }
  // Whoever scripts this must not take half an answer for a whole one.
  if (failed > 0) process.exitCode = EXIT.failed;
}

/** Of a range nothing is passed over in silence. */
function checkRangeOptions(file: string | undefined, options: BatchOptions): void {
  const { asOf, confidence, record } = options;
  if (file !== undefined || asOf !== undefined) {
    throw new CliError(EXIT.usage, '--from says which times: no file and no --as-of beside it');
  }
  if (options.async !== true && (options.wait ?? options.key) !== undefined) {
    throw new CliError(EXIT.usage, '--wait and --key go with --from and --async');
  }
  if (confidence !== 'none' || !record) {
    const message = '--from answers without confidence and records nothing: leave out';
    throw new CliError(EXIT.usage, `${message} ${record ? '--confidence' : '--no-record'}`);
  }
}

function showItems(ctx: CliContext, items: readonly Json[]): void {
  const prediction = (row: Json): Json | undefined => row['prediction'] as Json | undefined;
  const first = (row: Json): Json | undefined =>
    (prediction(row)?.['horizons'] as Json[] | undefined)?.[0];
  const problem = (row: Json): unknown => (row['problem'] as Json | undefined)?.['detail'];
  const change = (row: Json): string | undefined => {
    const value = first(row)?.['change'];
    return typeof value === 'number'
      ? `${value > 0 ? '+' : ''}${(100 * value).toFixed(2)} %`
      : undefined;
  };
  const answered = (row: Json): string | undefined => {
    const classes = first(row)?.['classes'] as Json | undefined;
    if (classes === undefined) return undefined;
    const name = String(classes['class']);
    return `${name} ${Number((classes['probabilities'] as Json)[name]).toFixed(2)}`;
  };
  const instrument = (row: Json): unknown =>
    (prediction(row) ?? (row['problem'] as Json | undefined))?.['instrument'];
  ctx.out.table(items, [
    { title: 'item', value: (row) => Number(row['index']), align: 'right' },
    { title: 'instrument', value: (row) => instrument(row) as string | undefined },
    {
      title: 'as of',
      value: (row) => (prediction(row)?.['asOf'] as string | undefined)?.slice(0, 16),
    },
    {
      title: 'bars',
      value: (row) => first(row)?.['horizon'] as number | undefined,
      align: 'right',
    },
    { title: 'change', value: change, align: 'right' },
    ...(items.some((row) => answered(row) !== undefined)
      ? [{ title: 'class', value: answered }]
      : []),
    { title: 'problem', value: (row) => problem(row) as string | undefined },
  ]);
}

/** Items of a file, or of stdin: JSON (an array, or a body with `items`) or NDJSON. */
async function readItems(file: string): Promise<readonly unknown[]> {
  const text = file === '-' ? await textOf(process.stdin) : await readFileOrThrow(file);
  const whole = parsed(text);
  if (Array.isArray(whole)) return whole as unknown[];
  if (isObject(whole))
    return Array.isArray(whole['items']) ? (whole['items'] as unknown[]) : [whole];
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line, i) => {
    const item = parsed(line);
    if (isObject(item)) return item;
    throw new CliError(EXIT.usage, `${file}: line ${i + 1} is no JSON object`);
  });
}

async function readFileOrThrow(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new CliError(EXIT.notFound, `there is no readable file ${file}`, { cause });
  }
}

/** undefined: not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
