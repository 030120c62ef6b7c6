import type { Evaluation } from '../evaluation.ts';
import { judgedWeights, withoutChampion } from '../again.ts';
import { foldTable } from './fold-table.ts';
import { NAIVE_BASELINE } from '../references.ts';
import { refitWords } from '../refit-words.ts';
import {
  escapeHtml,
  facts,
  figure,
  html,
  note,
  number4,
  pValue,
  signedPercent,
  table,
  type Cell,
} from './html.ts';
import { barsText } from './svg.ts';

const code = (text: string): Cell => html(`<code>${escapeHtml(text)}</code>`);
const short = (digest: string): Cell =>
  html(`<code title="${escapeHtml(digest)}">${escapeHtml(digest.slice(0, 16))}</code>`);

export function dataSection({ data, rows, codeVersion }: Evaluation): string[] {
  const quality = data.quality.map((report): Cell[] => [
    report.instrument,
    report.rows.toLocaleString('en-US'),
    `${report.score.toFixed(3)} (needs ${report.minScore})`,
    report.passed ? 'passed' : 'failed',
  ]);
  const findings = data.quality.flatMap((report) =>
    report.findings.map((finding): Cell[] => [
      report.instrument,
      finding.severity === 'block' ? 'blocks' : 'warns',
      finding.rule,
      finding.message,
      finding.count.toLocaleString('en-US'),
    ]),
  );
  const datasets = data.datasets.map((d): Cell[] => [
    d.instrument,
    d.deliveredBy,
    d.firstBar.slice(0, 16).replace('T', ' '),
    d.lastBar.slice(0, 16).replace('T', ' '),
    short(d.hash),
  ]);
  return [
    facts([
      ['Features', `${data.featureSet} (${data.features} columns)`],
      ['Lookback', barsText(data.lookback)],
      ...(data.outliers === undefined ? [] : [['Outliers', data.outliers] as const]),
      ['Label', `${data.labelKind}, ${data.horizons.join(' / ')} bars`],
      ['Feature hash', short(data.featureHash)],
      ['Test rows', short(rows.digest)],
      ['Code version', code(codeVersion)],
    ]),
    datasets.length > 0
      ? `<h3>Bars</h3>${table(['Instrument', 'Delivered by', 'First bar', 'Last bar', 'Dataset'], datasets, { textColumns: [0, 1, 2, 3, 4] })}`
      : '',
    quality.length > 0
      ? `<h3>Quality</h3>${table(['Instrument', 'Bars', 'Score', 'Verdict'], quality, { textColumns: [0, 3] })}`
      : note('No quality report belongs to these instruments.'),
    findings.length > 0
      ? `<h3>Holes and other findings</h3>${table(['Instrument', '', 'Rule', 'What was found', 'Bars'], findings, { textColumns: [0, 1, 2, 3] })}`
      : note('No holes and no other findings.'),
  ];
}

export function splitSection(evaluation: Evaluation): string[] {
  const { split, rows, refit, folds } = evaluation;
  const parts = (['train', 'valid', 'test'] as const).map((name): Cell[] => [
    name,
    split[name].from,
    split[name].to,
    split[name].samples.toLocaleString('en-US'),
  ]);
  return [
    table(['Part', 'First window ends', 'Last window ends', 'Samples'], parts, {
      textColumns: [0, 1, 2],
    }),
    note(
      `Purged: no label of one part reaches into the next. The last label used for training or selection was known at ` +
        `${split.trainedThrough.slice(0, 16).replace('T', ' ')} UTC. ${folds ? `The test parts of all ${folds.length} folds have` : 'The test part has'} ` +
        `${rows.timeStamps} decision times, ${rows.independent.toFixed(1)} independent ones at ${rows.longestHorizon} bars.`,
    ),
    ...foldTable(evaluation),
    refit
      ? note(
          `${refitWords(refit)} The parts above are the twin's; the served weights are fitted on ${refit.samples} samples.`,
        )
      : '',
  ];
}

export function seedSection(evaluation: Evaluation): string[] {
  const rows = evaluation.seeds.map((seed): Cell[] => [
    seed.served
      ? `${evaluation.again?.seeds?.join(', ') ?? seed.seed} (served)`
      : String(seed.seed),
    figure(seed.bestValidLoss, number4),
    seed.bestEpoch === null ? 'n/a' : `${seed.bestEpoch} of ${seed.epochsRun}`,
    figure(seed.weightedLoss, number4),
    figure(seed.skillVsNaive, signedPercent),
    ...(seed.logLoss ?? seed.rmse).map((value) => figure(value, number4)),
  ]);
  const classes = evaluation.data.classes !== undefined;
  const { mean, sd } = evaluation.seedSpread;
  const served =
    evaluation.serve === 'seedEnsemble'
      ? 'What is served is the mean of all seeds, and everything compared is that mean.'
      : 'The served seed is the one with the median validation loss; test figures never choose.';
  const spread =
    sd === null
      ? 'One seed: how much luck is in its result cannot be said.'
      : `Weighted loss over seeds: mean ${figure(mean, number4)}, SD ${number4(sd)}.`;
  return [
    table(
      [
        'Seed',
        'Validation loss',
        'Best epoch',
        'Weighted test loss',
        `Skill against ${NAIVE_BASELINE}`,
        ...evaluation.data.horizons.map((h) => `${classes ? 'Log loss' : 'RMSE'}, ${barsText(h)}`),
      ],
      rows,
      { strongRow: evaluation.seeds.findIndex((seed) => seed.served) },
    ),
    note(evaluation.again ? judgedWeights(evaluation) : `${spread} ${served}`),
  ];
}

export function championSection({ champion, comparisons, again }: Evaluation): string[] {
  if (champion === null) {
    if (again) {
      const why = withoutChampion(again);
      return [note(`No champion was compared with this version: ${why}.`)];
    }
    return [
      note('Nothing serves this model yet: there is no champion to compare this version with.'),
    ];
  }
  const comparison = comparisons.find((c) => c.against === 'champion');
  if (!comparison) {
    return [
      note(
        `Champion v${champion.version} (trained through ${champion.trainedThrough.slice(0, 10)}) and this version have no test rows in common that ` +
          'neither was trained on, or it uses other features or horizons: they were not compared.',
      ),
    ];
  }
  return [
    facts([
      ['Champion', `v${champion.version}, trained through ${champion.trainedThrough.slice(0, 10)}`],
      ['Common rows', `${comparison.rows} (${comparison.independent.toFixed(1)} independent)`],
      ['Its weighted loss', figure(comparison.otherLoss, number4)],
      ['This version, mean over seeds', figure(comparison.challengerLoss, number4)],
      ['Loss saved', figure(comparison.relativeDifference, signedPercent)],
      ['p (one-sided)', comparison.test ? pValue(comparison.test.p) : 'not tested'],
    ]),
    note(
      'Rows after what either of the two was trained on; the loss of this version is averaged over its seeds, the served seed must be better by itself too.',
    ),
  ];
}

export function triesSection({ tries, champion, again }: Evaluation): string[] {
  if (again) {
    return [
      note(
        `None: a version judged again challenges nobody. No p here was held against a level, and the level ${tries.alpha} of a gate would ` +
          'have to be shared out over all looks at these rows.',
      ),
    ];
  }
  const against = champion
    ? `champion v${champion.version}`
    : 'the empty place of a first champion';
  return [
    facts([
      ['Try', `number ${tries.k} against ${against}`],
      ['Level of all tries', String(tries.alpha)],
      ['Level of this try', tries.level.toPrecision(3)],
    ]),
    note(
      'The k-th challenger tested against one champion must reach p <= alpha x 6 / (pi^2 k^2): trying often does not make a false promotion likely.',
    ),
  ];
}
