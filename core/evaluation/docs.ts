import { classMetrics, MAIN_CLASS_METRIC } from '../metrics/classes/index.ts';
import { metrics } from '../metrics/index.ts';
import type { MetricFacts } from '../metrics/metric.ts';
import { LIMITS } from './suspicion.ts';
import { SLICES_MAX } from './slices.ts';
import { REGIME_BARS } from './regimes.ts';

/** Markdown of docs/metrics.md: every metric of the catalogues, and how scores are to be read. */
export function renderMetricDocs(): string {
  const classes = classMetrics(['C', 'other', 'another']).filter(
    ({ ofClass }) => ofClass === undefined || ofClass === 'C',
  );
  return [
    INTRODUCTION,
    '## Of quantities\n\nLabels `forwardLogReturn`, `forwardReturn`, `forwardPrice`.',
    tableOf(metrics),
    CLASSES,
    tableOf(classes),
    INFORMATION,
    SLICES,
    SUSPICION,
    limitTable(),
    '',
  ].join('\n\n');
}

const INTRODUCTION = `# Scores

Written from the catalogues by \`node --import tsx infra/write-docs.ts\`; do not edit.

Every score is of rows that nothing was fitted or chosen on, and stands beside the same score of the references
and baselines on the same rows. **The naive baseline** is what every model has to beat: for quantities \`naive\`, that
nothing changes; for classes \`majority\`, the class shares of the training part. Quantities have the training mean beside it. Of pooled units the references know the instrument: that one market moves more than
another is no skill.

**Intervals**: 95 %, percentile, circular block bootstrap of 2,000 resamples; a block has the largest of twice
the horizon, the cube root of the number of times and a day of bars. Rows of several instruments at one time stay together. The same draws
serve the model and all it is compared with. Scores that need ranks (AUC, RankIC) are computed anew for each resample;
above 25,000 rows fewer of the resamples serve them, never fewer than 200. With fewer than ten blocks an interval is
marked, and only a hint.

**Names**: a flat name such as \`h4.balancedAccuracy\` is horizon and metric; \`ratchet metrics\`, \`ratchet compare\`,
MLflow and the HTTP API use it. \`ratchet report MODEL --text\` prints all with intervals.`;

const CLASSES = `## Of classes

Labels \`threeClass\`, \`binaryForwardReturn\`, \`tripleBarrier\`. The answer is the most probable class (the first of
equal ones). Below \`C\` stands for each class. The main score is \`${MAIN_CLASS_METRIC}\`: where one class is
frequent, the most probable class collapses to it and accuracy says nothing.
A ratio without a denominator: a class that is never answered has precision and F1 0; a class that never came has
no recall and no F1, and means over classes leave it out. \`majorityAccuracy\` is what always answering the class that
came most often would have scored; the report says whether the answers beat it beyond chance.`;

const INFORMATION = `**Information coefficients** are those of qlib (\`qlib/contrib/eva/alpha.py\`, \`SigAnaRecord\`) where most time
stamps have five or more instruments: the correlation over instruments at each time stamp, its mean, and mean over SD
(ddof 1). Ours differ where they have not: then IC and RankIC are correlations over all rows, and the ratios are over
the calendar months with ten rows or more, six months at least, drawn one by one for the interval. Nothing is
annualised. A forecast that does not vary has none. The forecast return of a class model is the sum over classes of its
probability times the mean training return of the class.`;

const SLICES = `## Slices

The same figures over parts of the test rows: by horizon, instrument, calendar year and volatility regime; at most
${SLICES_MAX} of a kind, the others are counted. A regime is calm, middling or lively by the SD of the last
${REGIME_BARS['1d']} daily or ${REGIME_BARS['1h']} hourly log returns, at terciles of the training part, for each instrument by
itself. A slice with fewer than 20 independent horizons is not judged. One of twenty intervals leaves zero out by
chance: slices explain a result and decide nothing.`;

const SUSPICION = `## Too good to be true

Honest skill in these markets is small. A result beyond the limit, with an interval that leaves out what chance gives,
is named in the warnings: look for a leak first (a feature that knows the future, a label window that reaches into
training, bars of another time zone).`;

function limitTable(): string {
  const rows = LIMITS.map(({ figure, near, far }) => `| ${figure} | ${near} | ${far} |`);
  return ['| figure | limit | on longer horizons |', '| --- | --- | --- |', ...rows].join('\n');
}

function tableOf(catalogue: readonly MetricFacts[]): string {
  const rows = catalogue.map(({ name, title, direction, docs }) =>
    `| \`${name}\` | ${title} | ${direction} | ${docs} |`.replaceAll('\n', ' '),
  );
  return ['| name | title | better | what it is |', '| --- | --- | --- | --- |', ...rows].join(
    '\n',
  );
}
