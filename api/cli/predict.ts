import type { Command } from 'commander';
import { barNameLike, shortBarName } from './bar-times.ts';
import { askForecast, beatsNaiveWords, forecastOptions, type ForecastOptions } from './forecast.ts';
import { openClient, type Json } from './http.ts';
import { integer, segment, version } from './options.ts';
import { showExplanation } from './explanation.ts';
import type { CliContext } from './output.ts';

const pathOf = (model: string): string => `/api/v1/ml-models/${segment(model)}`;

const percent = (value: unknown): string =>
  typeof value === 'number' ? `${value >= 0 ? '+' : ''}${(value * 100).toFixed(2)} %` : '-';
const share = (value: unknown): string => (typeof value === 'number' ? value.toFixed(2) : '-');
const price = (value: unknown): string => (typeof value === 'number' ? value.toFixed(2) : '-');

/** `predict`, `predictions`. */
export function register(program: Command, ctx: CliContext): void {
  const command = program
    .command('predict')
    .argument('<model>')
    .argument('[instrument]', 'where the model answers for several')
    .description('predict from the champion, or from a version');
  forecastOptions(command, { confidence: 'mc: with confidence and interval; none: faster' }).action(
    (model: string, instrument: string | undefined, options: ForecastOptions) =>
      predict(ctx, model, instrument, options),
  );

  program
    .command('predictions')
    .argument('<model>')
    .description('recorded predictions, newest first')
    .option('-n, --limit <n>', 'how many', integer(1, 500), 20)
    .option('-i, --instrument <id>')
    .option('-v, --version <n>', 'of one version', version)
    .option('--from <time>', 'answered from this time on, by the wall clock')
    .option('--to <time>', 'answered before this time, by the wall clock')
    .option('--as-of-from <time>', 'made as of this market time, or a later one')
    .option('--as-of-to <time>', 'made as of a time before this market time')
    .action((model: string, options: Record<string, string | number | undefined>) =>
      predictions(ctx, model, options),
    );
}

async function predict(
  ctx: CliContext,
  model: string,
  instrument: string | undefined,
  options: ForecastOptions,
): Promise<void> {
  const client = await openClient(ctx);
  const answer = await askForecast(
    ctx,
    client,
    `${pathOf(model)}/predict`,
    { instrument },
    options,
  );
  if (answer === undefined) return;
  const stale = answer['stale'] === true ? `, STALE by ${String(answer['staleBars'])} bars` : '';
  const horizons = answer['horizons'] as Json[];
  const asOf = barNameLike(String(answer['asOf']), String(horizons[0]?.['targetDate']));
  ctx.out.line(
    `${String(answer['instrument'])} as of ${asOf}, last close ${price(answer['lastClose'])}${stale}`,
  );
  ctx.out.table(horizons, [
    { title: 'bars', value: (row) => Number(row['horizon']), align: 'right' },
    { title: 'target', value: (row) => shortBarName(String(row['targetDate'])) },
    { title: 'price', value: (row) => price(row['price']), align: 'right' },
    { title: 'change', value: (row) => percent(row['change']), align: 'right' },
    { title: 'direction', value: (row) => String(row['direction']) },
    { title: 'confidence', value: (row) => share(row['confidence']), align: 'right' },
    { title: 'P(up)', value: (row) => share(row['probabilityUp']), align: 'right' },
    horizons.some((row) => row['classes'] !== undefined)
      ? { title: 'classes', value: classWords }
      : {
          title: '80 % interval',
          value: (row: Json) => (row['interval80'] as number[] | null)?.map(price).join(' .. '),
        },
  ]);
  const notes = [
    `${model} version ${String(answer['version'])}`,
    `consistency ${share(answer['consistency'])}`,
    beatsNaiveWords(answer),
    ...warnings(answer),
    answer['recorded'] === true ? `recorded as ${String(answer['id'])}` : 'not recorded',
  ];
  ctx.out.line(notes.join(', '));
  showExplanation(ctx, answer);
}

/** "buy: sell .12, hold .31, buy .57, beyond 1.20 %" */
function classWords(row: Json): string {
  const {
    class: answered,
    probabilities,
    threshold,
  } = row['classes'] as {
    readonly class: string;
    readonly probabilities: Record<string, number>;
    readonly threshold: number | null;
  };
  const all = Object.entries(probabilities).map(([name, p]) => `${name} ${share(p)}`);
  const beyond = threshold === null ? '' : `, beyond ${(100 * threshold).toFixed(2)} %`;
  return `${answered}: ${all.join(', ')}${beyond}`;
}

/** What a reader must not overlook. */
function warnings(answer: Json): string[] {
  const { fallback, fallbackReason, abstainReasons, dissimilarity, confidenceFailed } = answer;
  return [
    ...(fallback ? [`FALLBACK: ${String(fallback)} (${String(fallbackReason)})`] : []),
    ...(answer['abstain'] === true
      ? [`ABSTAIN: ${(abstainReasons as readonly string[]).join(', ')}`]
      : []),
    ...(answer['outlier'] === true
      ? [`unlike every training row (dissimilarity ${share(dissimilarity)})`]
      : []),
    ...(confidenceFailed === true ? ['its confidence could not be computed'] : []),
  ];
}

async function predictions(
  ctx: CliContext,
  model: string,
  options: Record<string, string | number | undefined>,
): Promise<void> {
  const client = await openClient(ctx);
  const { items } = await client.json('GET', `${pathOf(model)}/predictions`, { query: options });
  const first = (row: Json): Json | undefined =>
    ((row['answer'] as Json)['horizons'] as Json[] | undefined)?.[0];
  const target = (row: Json): string | undefined => {
    const name = first(row)?.['targetDate'];
    return typeof name === 'string' ? name : undefined;
  };
  ctx.out.table(
    items as Json[],
    [
      { title: 'at', value: (row) => String(row['at']) },
      { title: 'id', value: (row) => String(row['id']) },
      { title: 'instrument', value: (row) => String(row['instrument']) },
      { title: 'as of', value: (row) => barNameLike(String(row['asOf']), target(row) ?? '') },
      { title: 'version', value: (row) => Number(row['version']), align: 'right' },
      {
        title: 'first horizon',
        value: (row) => {
          const name = target(row);
          return name && shortBarName(name);
        },
      },
      { title: 'change', value: (row) => percent(first(row)?.['change']), align: 'right' },
    ],
    'none recorded yet',
  );
}
