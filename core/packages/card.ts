import { refitWords } from '../evaluation/refit-words.ts';
import { labelKindOrThrow, multipliesByClose } from '../labels/index.ts';
import type { TopFeature } from '../models/trees/top-features.ts';
import { outlierWords } from '../scaling/index.ts';
import { compressionWords } from './compression.ts';
import type { Manifest, Preprocessing } from './manifest.ts';
import { memberWords } from './members.ts';

/** What the card says beside manifest and preprocessing. */
export interface CardFacts {
  readonly split: readonly {
    readonly part: string;
    readonly samples: number;
    /** ISO dates of the first and last window end. */
    readonly from: string;
    readonly to: string;
  }[];
  /** Metrics on the test part, one row per horizon, values by column name; null: not known. */
  readonly metrics: readonly {
    readonly horizon: number;
    readonly values: Readonly<Record<string, number | null>>;
  }[];
  /** Features that the trees split on, the most gain first; other families have none. */
  readonly importance?: readonly TopFeature[];
  /** The evaluation's verdict in one sentence. */
  readonly verdict: string;
  /** Further limits, one sentence each. */
  readonly limits: readonly string[];
}

const cell = (value: number | null | undefined): string =>
  value === null || value === undefined ? 'n/a' : String(Number(value.toPrecision(4)));

const tableRow = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [tableRow(header), tableRow(header.map(() => '---')), ...rows.map(tableRow)];
}

function metricsTable(metrics: CardFacts['metrics']): string[] {
  const columns = [...new Set(metrics.flatMap(({ values }) => Object.keys(values)))];
  return table(
    ['horizon (bars)', ...columns],
    metrics.map(({ horizon, values }) => [
      String(horizon),
      ...columns.map((column) => cell(values[column])),
    ]),
  );
}

function importanceTable(importance: readonly TopFeature[]): string[] {
  if (importance.length === 0) return [];
  const rows = importance.map(({ feature, gain, splits }) => [feature, cell(gain), cell(splits)]);
  return [
    '## Features with the most gain',
    ...table(['feature', 'share of gain', 'splits'], rows),
    '',
  ];
}

function confidenceWords(
  { method, samples }: Preprocessing['confidence'],
  refit: Manifest['refit'],
): string {
  if (method === 'none') {
    return 'This family has no Monte-Carlo graph: answers carry no confidence and no interval.';
  }
  return (
    `Confidence \`${method}\` from ${samples} Monte-Carlo dropout samples, calibrated on the ` +
    `validation part only${refit ? ', by the forecasts of the twin' : ''}.`
  );
}

/** What the figures of a refitted version are the figures of. */
const twinWords = ({
  refit,
  trainedThrough,
}: Pick<Manifest, 'refit' | 'trainedThrough'>): string[] =>
  refit
    ? [
        `${refitWords({ newer: refit.newer, trainedThrough })} These weights are fitted on ` +
          `${refit.samples} samples; parts and figures below are those of the twin (weights ` +
          `\`${refit.twin.weightsDigest}\`, trained through ${refit.twin.trainedThrough}).`,
        '',
      ]
    : [];

const seedWords = ({ seed, seeds }: Pick<Manifest, 'seed' | 'seeds'>): string =>
  seeds ? `mean of seeds ${seeds.join(', ')}` : `seed ${seed}`;

/** What was done to outliers; the graph does the same to its input. */
const outlierLines = ({ trainingOutliers }: Preprocessing): string[] =>
  trainingOutliers ? [`${outlierWords(trainingOutliers)}.`] : [];

/** What became of the wish for a smaller graph, where there was one. */
const sizeSection = ({ compression }: Pick<Manifest, 'compression'>): string[] =>
  compression ? ['## Size and speed', ...compressionWords(compression), ''] : [];

/** How anyone loads the graph in Python. */
function pythonLines(
  { label, lookback, instruments }: Pick<Manifest, 'label' | 'lookback' | 'instruments'>,
  { featureNames, instrumentScalers }: Preprocessing,
): string[] {
  const byInstrument = instrumentScalers !== undefined;
  const byClose = multipliesByClose(labelKindOrThrow(label.kind));
  return [
    '```python',
    'import onnxruntime',
    "session = onnxruntime.InferenceSession('model.onnx', providers=['CPUExecutionProvider'])",
    `# windows: float64 [N, ${lookback}, ${featureNames.length}], unscaled, columns as in preprocessing.json` +
      (byClose ? " and 'close' (float64 [N, 1])" : ''),
    ...(byInstrument
      ? [`# instrument: int64 [N], each window's place in ${JSON.stringify(instruments)}`]
      : []),
    "y = session.run(['y'], {'x': windows" +
      (byClose ? ", 'close': close" : '') +
      (byInstrument ? ", 'instrument': instrument" : '') +
      '})[0]',
    '```',
  ];
}

/** card.md: for a person who finds the package without the platform that made it. */
export function renderCard(
  manifest: Omit<Manifest, 'format' | 'files'>,
  preprocessing: Preprocessing,
  facts: CardFacts,
): string {
  const { label, lookback, timeframe } = manifest;
  return [
    `# ${manifest.model}, version ${manifest.version}`,
    '',
    `Family \`${manifest.family}\`, ${seedWords(manifest)}: forecasts \`${label.kind}\` of ` +
      `${manifest.instruments.join(', ')} (${timeframe}) over ${label.horizons.join(', ')} bars from ` +
      `windows of ${lookback} bars with ${preprocessing.featureNames.length} features ` +
      `(\`${manifest.featureSet}\`).`,
    '',
    ...(manifest.members ? [memberWords(manifest.members), ''] : []),
    '## Data',
    `Dataset version \`${manifest.datasetHash}\`, calendar \`${preprocessing.calendar}\`. No label ` +
      `after ${manifest.trainedThrough} was used for training or validation.`,
    ...outlierLines(preprocessing),
    '',
    ...twinWords(manifest),
    ...table(
      ['part', 'samples', 'from', 'to'],
      facts.split.map(({ part, samples, from, to }) => [part, String(samples), from, to]),
    ),
    '',
    '## Evaluation on the test part',
    facts.verdict,
    '',
    ...metricsTable(facts.metrics),
    '',
    ...importanceTable(facts.importance ?? []),
    '## Use',
    confidenceWords(preprocessing.confidence, manifest.refit),
    `An answer is \`stale\` when the newest bar is more than ${preprocessing.expiresAfter} bars behind.`,
    '',
    'The graph scales its input and gives label units; anyone can load it:',
    '',
    ...pythonLines(manifest, preprocessing),
    '',
    '`golden.json` holds windows with the answers they must give.',
    '',
    ...sizeSection(manifest),
    '## Limits',
    ...[
      'A forecast of returns explains little of their variance; read the skill score and its interval.',
      'Trained on the instruments above only; other instruments were not tested.',
      ...facts.limits,
    ].map((limit) => `- ${limit}`),
    '',
    '## Origin',
    `Experiment \`${manifest.workflowId}\`, spec \`${manifest.specHash}\`, code ` +
      `\`${manifest.codeVersion}\`, weights \`${manifest.weightsDigest}\`, made ${manifest.createdAt}.`,
    '',
  ].join('\n');
}
