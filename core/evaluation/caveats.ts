/** What a reader must know beside the figures: what looks odd, and what nobody looked at. */
import { labelClasses, labelOutputs } from '../labels/index.ts';
import { MIN_INDEPENDENT } from '../metrics/comparison.ts';
import { againWarnings, withoutChampion } from './again.ts';
import { barsText } from './bars-text.ts';
import { baselineVerdict } from './class-figures.ts';
import type { Evaluation } from './evaluation.ts';
import { foldCaveats } from './folds.ts';
import type { EvaluationInput } from './input.ts';
import type { Draws } from './scores.ts';
import { isEnsemble } from './served.ts';
import { suspicionsOf } from './suspicion.ts';
import { taskOf } from './task.ts';

export function warningsOf(
  input: EvaluationInput,
  figures: Pick<Evaluation, 'skill' | 'forecasters' | 'classFigures'>,
  draws: Draws,
): string[] {
  const findings = input.quality.flatMap((report) =>
    report.findings.map((finding) => `Data of ${report.instrument}: ${finding.message}`),
  );
  const warnings = [...againWarnings(input), ...findings, ...policyCaveat(input)];
  for (const name of input.restated ?? []) {
    warnings.push(
      `Dataset ${name} has no vintages: its old values hold revisions that nobody knew at the time, so features and all figures look ahead by them.`,
    );
  }
  if (draws.overall.tooFewBlocks) {
    const blocks = (draws.overall.n / draws.overall.block).toFixed(1);
    warnings.push(
      `Too few blocks (${blocks}) for the interval of the weighted loss: read it as a hint.`,
    );
  }
  warnings.push(...suspicionsOf(figures, taskOf(input.label).gate, labelClasses(input.label)));
  for (const figure of figures.classFigures ?? []) {
    if (figure.answers?.beatsBaseline === 'beats') continue;
    const [first = '', ...rest] = baselineVerdict(figure);
    warnings.push(`At ${barsText(figure.horizon)} it ${first.toLowerCase()}${rest.join('')}`);
  }
  const outputs = input.horizons.length * labelOutputs(input.label);
  const flat = input.seeds.filter((seed) => isConstant(seed.predictions, outputs));
  if (flat.length > 0) {
    const names = flat.map((seed) => seed.seed).join(', ');
    warnings.push(
      `The forecast does not depend on the features (seed ${names}): nothing was learnt.`,
    );
  }
  return warnings;
}

/** Held to the same loss as everybody, by what was not made for it. */
const policyCaveat = ({ learnsByTrading }: EvaluationInput): string[] =>
  learnsByTrading
    ? [
        'Its probabilities are those of its own actions, learnt from what they bring after costs, and are calibrated by nothing: ' +
          'the log loss, by which it is compared all the same, counts a decided agent as an overconfident forecaster. ' +
          'What following it would have brought a backtest says.',
      ]
    : [];

function championCaveat({ champion, again }: EvaluationInput): string[] {
  if (champion !== null) return [];
  if (again === undefined) return ['A champion: nothing serves this model yet.'];
  return [`A champion: ${withoutChampion(again)}.`];
}

/** All rows the same forecast? */
function isConstant(predictions: Float64Array, width: number): boolean {
  if (predictions.length <= width) return false;
  return predictions.every(
    (value, i) => Math.abs(value - predictions[i % width]!) <= 1e-9 * Math.abs(value),
  );
}

export function notTestedOf(input: EvaluationInput, timeStamps: number): string[] {
  const short = input.horizons.filter((h) => timeStamps / h < MIN_INDEPENDENT);
  const unused = input.reliability === undefined;
  return [
    `Other times than ${(input.folds?.[0] ?? input.split).test.from} to ${input.split.test.to}: one test part is one stretch of market.`,
    ...foldCaveats(input),
    'Trading: no costs, slippage, position sizes or limits; a lower forecast error is not a profit.',
    'Live data: late, revised or missing bars, which a served model meets and stored bars do not show.',
    ...(input.refit
      ? ['The refitted weights that are served: all figures are those of their twin.']
      : []),
    ...(input.instruments.length > 1
      ? [
          'Each instrument by itself: the verdict is about the loss averaged over instruments at each time; slices show them, and decide nothing.',
        ]
      : []),
    ...(input.seeds.length < 2 && !isEnsemble(input)
      ? ['The spread over seeds: one seed cannot show how much luck is in its result.']
      : []),
    ...(input.seeds.length > 1 && input.continuedFrom !== undefined
      ? [
          `The spread over fresh starts: every seed went on from version ${input.continuedFrom}, so that they differ less than seeds that begin anew; the spread shown is too small.`,
        ]
      : []),
    ...(short.length > 0
      ? [
          `Horizon ${short.join(', ')}: fewer than ${MIN_INDEPENDENT} independent outcomes in the test part, so no test by itself.`,
        ]
      : []),
    ...championCaveat(input),
    ...(unused
      ? ['Confidence: calibrated on the validation part when packaged, not measured here.']
      : []),
  ];
}
