/**
 * Results that are too good: more than honest models of these markets reach (STATISTICS section 7), so that a leak is
 * the likelier explanation until it is ruled out. A result is named when its value exceeds the limit and its interval
 * leaves out what chance gives. The limits lie above everything measured without a leak:
 *
 * | figure | limit below 4 bars | from 4 bars on | measured at most |
 * |---|---|---|---|
 * | skill of a quantity against naive | .05 up to 7 bars, .20 beyond | | .012 at 7, .10 at 30 |
 * | skill of classes against their shares | .20 | .10 | .129 at 1 hour, .056 at 4 |
 * | balanced accuracy, priors divided out, K classes | 1/K + 1/4 | 1/K + 1/6 (.50 of three) | .484 at 1 hour, .434 at 4 |
 * | AUC of the direction | .65 | .65 | .557 |
 */
import { barsText } from './bars-text.ts';
import type { Evaluation } from './evaluation.ts';

const LONG_BARS = 4;
const WEEK_BARS = 7;
const CHANCE_AREA = 0.5;
const AREA_MAX = 0.65;

type Figure = Evaluation['forecasters'][number]['weightedLoss'];

/** Sentences about figures of the served seed that look like a leak. */
export function suspicionsOf(
  { skill, forecasters }: Pick<Evaluation, 'skill' | 'forecasters'>,
  reference: string,
  classes: number,
): string[] {
  const scores = forecasters.find(({ kind }) => kind === 'model')?.byHorizon ?? [];
  const skills = skill.find((s) => s.reference === reference)?.byHorizon ?? [];
  return [
    ...skills.flatMap(({ horizon, skill: figure }) =>
      suspect(figure, 0, skillLimit(horizon, classes))
        ? [tell(`Skill ${figure.value!.toFixed(3)}`, horizon)]
        : [],
    ),
    ...scores.flatMap(({ horizon, metrics }) => {
      const balanced = metrics['balancedAccuracyAtPriors'];
      const area = metrics['aucDirection'];
      const chance = 1 / classes;
      return [
        ...(balanced && suspect(balanced, chance, chance + balancedMargin(horizon))
          ? [tell(`Balanced accuracy ${balanced.value!.toFixed(3)}`, horizon)]
          : []),
        ...(area && suspect(area, CHANCE_AREA, AREA_MAX)
          ? [tell(`AUC of the direction ${area.value!.toFixed(3)}`, horizon)]
          : []),
      ];
    }),
  ];
}

const suspect = ({ value, low }: Figure, chance: number, limit: number): boolean =>
  value !== null && low !== null && value > limit && low > chance;

function skillLimit(horizon: number, classes: number): number {
  if (classes === 0) return horizon <= WEEK_BARS ? 0.05 : 0.2;
  return horizon < LONG_BARS ? 0.2 : 0.1;
}

const balancedMargin = (horizon: number): number => (horizon < LONG_BARS ? 1 / 4 : 1 / 6);

const tell = (figure: string, horizon: number): string =>
  `${figure} at ${barsText(horizon)} is more than honest models reach: look for a leak first.`;
