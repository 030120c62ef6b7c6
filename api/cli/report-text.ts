import { referenceName, type Evaluation } from '../../core/evaluation/index.ts';
import { shownMetric, type ShownMetric } from '../../core/evaluation/report/shown-metric.ts';
import { freshRows, partName } from '../../core/evaluation/report/again-section.ts';
import { sliceName } from '../../core/evaluation/report/slice-section.ts';
import type { CliContext } from './output.ts';

type Figure = Evaluation['forecasters'][number]['weightedLoss'];

const points = (share: number): string => `${share > 0 ? '+' : ''}${(100 * share).toFixed(2)} %`;

/** Value with its interval: `0.396 [0.38, 0.42]`, with a mark where there are too few blocks. */
function figureText(figure: Figure | undefined | null, show: (value: number) => string): string {
  if (!figure || figure.value === null) return '-';
  const { value, low, high, tooFewBlocks } = figure;
  if (low === null || high === null) return show(value);
  return `${show(value)} [${show(low)}, ${show(high)}]${tooFewBlocks ? '*' : ''}`;
}

/** An evaluation for a terminal: verdict, scores of every forecaster by horizon, slices, warnings. */
export function printEvaluation(
  { out, json }: Pick<CliContext, 'out' | 'json'>,
  model: string,
  version: number,
  evaluation: Evaluation,
): void {
  if (json) return out.data({ model, version, evaluation });
  out.line(`${model} version ${version}: ${evaluation.verdict}`);
  const { split, folds, again } = evaluation;
  if (again?.parts) out.line(freshRows(again.parts));
  // Of several folds the rows are of all test parts; `split` is the newest fold's.
  const part = folds
    ? `Test parts of ${folds.length} folds, ${folds[0]!.test.from}`
    : `Test part ${split.test.from}`;
  const { rows, timeStamps, independent } = evaluation.rows;
  out.line(
    `${part} to ${split.test.to}: ${rows} rows, ${timeStamps} decision times, ` +
      `${independent.toFixed(1)} independent. In brackets 95 % intervals; *: too few blocks.`,
  );
  // Beside the verdict of one look of many.
  if (again) printWarnings(out, evaluation);
  printAgain(out, evaluation);
  printScores(out, evaluation);
  printSlices(out, evaluation);
  if (!again) printWarnings(out, evaluation);
  return undefined;
}

function printWarnings(out: CliContext['out'], { warnings }: Evaluation): void {
  if (warnings.length > 0) out.line('\nWarnings:');
  for (const warning of warnings) out.line(`- ${warning}`);
}

function printAgain(out: CliContext['out'], { again, data }: Evaluation): void {
  if (again?.parts === undefined) return;
  const ofClasses = data.classes !== undefined;
  out.line('');
  out.table(again.parts, [
    { title: 'rows of', value: partName },
    { title: 'against', value: ({ reference }) => referenceName(reference, { ofClasses }) },
    {
      title: 'skill',
      value: ({ interval, skill }) =>
        interval ? figureText(interval, points) : skill === null ? '-' : points(skill),
      align: 'right',
    },
    { title: 'rows', value: ({ rows }) => rows, align: 'right' },
    { title: 'independent', value: (part) => part.independent.toFixed(1), align: 'right' },
  ]);
}

function printScores(out: CliContext['out'], { data, forecasters }: Evaluation): void {
  const classes = data.classes?.map(({ name }) => name);
  for (const [k, horizon] of data.horizons.entries()) {
    const names = Object.keys(forecasters[0]?.byHorizon[k]?.metrics ?? {});
    out.line(`\n${horizon} ${horizon === 1 ? 'bar' : 'bars'} ahead:`);
    out.table(
      names.map((name) => shownMetric(name, classes)),
      [
        { title: 'metric', value: (metric) => metric.title },
        ...forecasters.map((forecaster) => ({
          title: forecaster.name,
          value: (metric: ShownMetric) =>
            figureText(forecaster.byHorizon[k]?.metrics[metric.name], metric.show),
          align: 'right' as const,
        })),
      ],
    );
  }
}

function printSlices(out: CliContext['out'], { slices, data }: Evaluation): void {
  if (slices === undefined || slices.slices.length === 0) return;
  const metric = shownMetric(
    slices.metric,
    data.classes?.map(({ name }) => name),
  );
  const reference = referenceName(slices.reference, { ofClasses: data.classes !== undefined });
  out.line(`\nSlices, skill against ${reference}:`);
  const few = 'too few rows';
  out.table(slices.slices, [
    { title: 'slice', value: sliceName },
    {
      title: 'skill',
      value: ({ skill }) => (skill ? figureText(skill, points) : few),
      align: 'right',
    },
    {
      title: metric.title,
      value: ({ score }) => (score ? figureText(score, metric.show) : few),
      align: 'right',
    },
    { title: 'rows', value: ({ rows }) => rows, align: 'right' },
    { title: 'independent', value: (slice) => slice.independent.toFixed(1), align: 'right' },
  ]);
}
