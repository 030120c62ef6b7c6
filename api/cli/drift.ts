import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type {
  Calibration,
  ColumnDrift,
  DriftReport,
  InputDrift,
  PredictionDrift,
  QualityDrift,
  Staleness,
} from '../../core/drift/schemas.ts';
import { openClient, type ApiClient, type Json } from './http.ts';
import { A_TIME, integer, segment } from './options.ts';
import { CliError, EXIT, shortened, toMinute, type CliContext } from './output.ts';

interface DriftOptions {
  readonly report?: string;
  readonly page?: string;
  readonly asOf?: string;
  readonly limit: number;
}

const SHOWN_FEATURES = 10;

/** `drift`. */
export function register(program: Command, ctx: CliContext): void {
  program
    .command('drift')
    .argument('<model>')
    .description('the newest drift report of a model in plain words, and the ones before it')
    .option('-r, --report <id>', 'this report')
    .option('--as-of <time>', `the newest one of this market time or before it: ${A_TIME}`)
    .option('--page <file>', 'write it as one HTML file; "-": to stdout')
    .option('-n, --limit <n>', 'how many reports to list', integer(1, 500), 5)
    .action((model: string, options: DriftOptions) => drift(ctx, model, options));
}

async function drift(ctx: CliContext, model: string, options: DriftOptions): Promise<void> {
  const client = await openClient(ctx);
  const base = `/api/v1/ml-models/${segment(model)}/drift`;
  const { report: id, asOf, limit } = options;
  const found =
    id === undefined
      ? await client.json('GET', base, { query: { asOf, limit } })
      : { newest: await client.json('GET', `${base}/${segment(id)}`), items: [] };
  const newest = found['newest'] as StoredReport | null;
  if (newest === null) {
    throw await noReport(client, base, model, asOf);
  }
  if (options.page !== undefined) return writePage(ctx, client, base, newest, options.page);
  ctx.out.data(id === undefined ? found : newest);
  if (ctx.json) return;
  show(ctx, newest);
  const earlier = (found['items'] as Json[]).slice(1);
  if (earlier.length > 0) {
    ctx.out.line();
    list(ctx, earlier);
  }
}

async function noReport(
  client: ApiClient,
  base: string,
  model: string,
  asOf: string | undefined,
): Promise<CliError> {
  const any = asOf !== undefined && (await client.json('GET', base, { query: { limit: 1 } }));
  const [newest] = any ? (any['items'] as Json[]) : [];
  if (newest) {
    const when = shortTime(newest['asOf']);
    return new CliError(
      EXIT.notFound,
      `${model} has no drift report as of ${asOf} or before; the newest is as of ${when}`,
      { hint: `\`ratchet drift ${model} -n 500\` lists them` },
    );
  }
  return new CliError(EXIT.notFound, `there is no drift report of ${model} yet`, {
    hint: `\`ratchet monitor ${model}\` asks for one`,
  });
}

/** A report as the API gives it. */
interface StoredReport extends Json {
  readonly id: string;
  readonly version: number;
  readonly asOf: string;
  readonly verdict: string;
  readonly signals: readonly string[];
  readonly words: readonly string[];
  readonly report: Partial<DriftReport>;
}

async function writePage(
  ctx: CliContext,
  client: ApiClient,
  base: string,
  { id }: StoredReport,
  file: string,
): Promise<void> {
  const html = await (await client.send('GET', `${base}/${id}/page`)).text();
  if (file === '-') {
    ctx.out.data({ id, html });
    ctx.out.line(html.replace(/\n$/, ''));
    return;
  }
  const path = resolve(file);
  await writeFile(path, html).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(EXIT.usage, `${path} cannot be written: ${reason}`, { cause });
  });
  ctx.out.data({ id, path });
  ctx.out.line(path);
}

const VERDICTS: Readonly<Record<string, string>> = {
  none: 'no drift',
  warn: 'warning',
  drift: 'DRIFT',
  notCalibrated: 'not calibrated',
  notEnoughHistory: 'too little history',
};
const said = (verdict: string): string => VERDICTS[verdict] ?? verdict;
const figure = (value: number): string => String(Number(value.toPrecision(3)));
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
const shortTime = (time: unknown): string => `${toMinute(time)}Z`;

function show(ctx: CliContext, stored: StoredReport): void {
  const { report } = stored;
  ctx.out.line(
    `${String(stored['model'])} version ${stored.version} as of ${shortTime(stored.asOf)}: ${said(stored.verdict)}`,
  );
  for (const sentence of stored.words) ctx.out.line(`  ${sentence}`);
  ctx.out.line();
  ctx.out.table(partsOf(report), [
    { title: 'part', value: (row) => row.part },
    { title: 'of', value: (row) => row.of },
    { title: 'verdict', value: (row) => row.verdict },
    { title: 'figures', value: (row) => row.figures },
  ]);
  const calibration = report.performance?.calibration;
  if (calibration?.status === 'calibrated') showCalibration(ctx, calibration);
  for (const { instrument, drift: inputs } of report.inputs ?? []) {
    showFeatures(ctx, instrument, inputs);
  }
  ctx.out.line();
  ctx.out.line(`report ${stored.id}; \`--page FILE\` writes it with its charts`);
}

interface Part {
  readonly part: string;
  readonly of: string;
  readonly verdict: string;
  readonly figures: string;
}

function partsOf(report: Partial<DriftReport>): Part[] {
  const { performance, inputs = [], predictions = [], quality = [], staleness = [] } = report;
  return [
    ...(performance ? [lossPart(performance)] : []),
    ...inputs.map(({ instrument, drift: of }) => inputPart(instrument, of)),
    ...predictions.map(({ instrument, drift: of }) => predictionPart(instrument, of)),
    ...quality.map(({ instrument, drift: of }) => qualityPart(instrument, of)),
    ...staleness.map(({ instrument, staleness: of }) => agePart(instrument, of)),
  ];
}

function lossPart({
  calibration,
  state,
  alarms,
  unit,
}: NonNullable<DriftReport['performance']>): Part {
  const part = { part: 'losses', of: unit === 'day' ? 'daily means' : 'each bar' };
  if (calibration.status === 'notCalibrated') {
    const figures = `${calibration.values} of ${calibration.needed} losses`;
    return { ...part, verdict: said('notCalibrated'), figures };
  }
  const verdict = alarms.length > 0 ? `ALARM ${alarms.at(-1)!.slice(0, 10)}` : said('none');
  const figures = `S ${figure(state.s)} of ${figure(calibration.c)}, ${state.values} losses read`;
  return { ...part, verdict, figures };
}

function inputPart(of: string, { verdict, features, share, classifier, window }: InputDrift): Part {
  const top = features.filter((feature) => feature.top).length;
  const told = classifier
    ? `, AUC ${figure(classifier.auc)} (limit ${figure(classifier.limit)})`
    : '';
  const figures =
    share === null
      ? '-'
      : `${top} of ${features.length} features (${percent(share)})${told}, ${window.rows} bars`;
  return { part: 'inputs', of, verdict: said(verdict), figures };
}

function predictionPart(of: string, { verdict, p, window }: PredictionDrift): Part {
  const figures = p === null ? '-' : `p ${figure(p)}, ${window.rows} forecasts`;
  return { part: 'forecasts', of, verdict: said(verdict), figures };
}

function qualityPart(of: string, { verdict, score, usualScore, rows }: QualityDrift): Part {
  const usual = usualScore === null ? '' : ` (usually ${usualScore.toFixed(3)})`;
  const figures = `score ${score.toFixed(3)}${usual}, ${rows} bars`;
  return { part: 'data quality', of, verdict: said(verdict), figures };
}

function agePart(of: string, age: Staleness): Part {
  const { lagBars, ageSessions, maxAge, dataStale, modelStale } = age;
  const verdict = dataStale ? 'bars late' : modelStale ? 'model too old' : 'in time';
  const sessions = ageSessions === null ? '?' : String(ageSessions);
  const figures = `${lagBars} bars late, model ${sessions} of ${maxAge} sessions old`;
  return { part: 'age', of, verdict, figures };
}

function showCalibration(ctx: CliContext, calibration: Calibration): void {
  const { values, k, c, rate, paths, block } = calibration;
  ctx.out.line();
  ctx.out.line(
    `calibration of the loss test: ${values} of its own losses, threshold c ${figure(c)}, allowance k ${figure(k)}, ` +
      `false alarm in an unchanged year ${percent(rate)} (${paths} bootstrapped years, blocks of ${block})`,
  );
}

function showFeatures(ctx: CliContext, instrument: string, { features }: InputDrift): void {
  const ranked = features.filter(({ p }) => p !== null).sort((a, b) => a.p! - b.p!);
  if (ranked.length === 0) return;
  const statistic =
    (name: string) =>
    ({ statistics }: ColumnDrift): string => {
      const found = statistics[name];
      return found ? figure(found.value) : '-';
    };
  ctx.out.line();
  ctx.out.line(`inputs of ${instrument} that changed most for what is usual`);
  ctx.out.table(ranked.slice(0, SHOWN_FEATURES), [
    { title: 'feature', value: (row) => row.name },
    { title: 'p', value: (row) => figure(row.p!), align: 'right' },
    { title: 'PSI', value: statistic('psi'), align: 'right' },
    { title: 'KS', value: statistic('ks'), align: 'right' },
    { title: 'Wasserstein', value: statistic('wasserstein'), align: 'right' },
    { title: 'chi-square', value: statistic('chi-square'), align: 'right' },
  ]);
}

function list(ctx: CliContext, rows: readonly Json[]): void {
  ctx.out.line('reports before it');
  ctx.out.table(rows, [
    { title: 'as of', value: (row) => shortTime(row['asOf']) },
    { title: 'version', value: (row) => Number(row['version']), align: 'right' },
    { title: 'verdict', value: (row) => said(String(row['verdict'])) },
    { title: 'asks', value: (row) => (row['signals'] as string[]).join(' ') },
    { title: 'report', value: (row) => String(row['id']) },
    { title: 'words', value: (row) => shortened((row['words'] as string[])[0] ?? '', 70) },
  ]);
}
