/**
 * Results that are too good: more than honest models of these markets reach (STATISTICS section 7), so that a leak is
 * the likelier explanation until it is ruled out. A result is named when its value exceeds the limit and its interval
 * leaves out what chance gives. The limits lie above everything measured without a leak: skill of a quantity .012 at 7
 * bars and .10 at 30; skill of classes .129 at one hour and .056 at four; balanced accuracy of three classes .484 at
 * one hour and .434 at four; AUC of the direction .557.
 */
import { barsText } from './bars-text.ts';
import type { Evaluation } from './evaluation.ts';

const CHANCE_AREA = 0.5;
const AREA_MAX = 0.65;
/** Up to `bars`, and on longer horizons. */
const QUANTITY_SKILL = { bars: 7, near: 0.05, far: 0.2 } as const;
const CLASS_SKILL = { bars: 3, near: 0.2, far: 0.1 } as const;
/** Above 1 / K: .58 and .50 of three classes, .75 and .67 of two. */
const BALANCED_MARGIN = { bars: 3, near: 1 / 4, far: 1 / 6 } as const;

const limitAt = (horizon: number, { bars, near, far }: Limit): number =>
  horizon <= bars ? near : far;

interface Limit {
  readonly bars: number;
  readonly near: number;
  readonly far: number;
}

/** The limits in words, for the page of scores. */
export const LIMITS = [
  {
    figure: 'skill of a quantity against the naive baseline',
    near: `${QUANTITY_SKILL.near} up to ${barsText(QUANTITY_SKILL.bars)}`,
    far: String(QUANTITY_SKILL.far),
  },
  {
    figure: 'skill of classes against the naive baseline',
    near: `${CLASS_SKILL.near} up to ${barsText(CLASS_SKILL.bars)}`,
    far: String(CLASS_SKILL.far),
  },
  {
    figure: 'balanced accuracy of K classes, priors divided out',
    near: `1/K + 1/4 up to ${barsText(BALANCED_MARGIN.bars)}`,
    far: '1/K + 1/6: 0.5 of three',
  },
  { figure: 'AUC of the direction', near: String(AREA_MAX), far: String(AREA_MAX) },
] as const;

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
      suspect(figure, 0, limitAt(horizon, classes > 0 ? CLASS_SKILL : QUANTITY_SKILL))
        ? [tell(`Skill ${figure.value!.toFixed(3)}`, horizon)]
        : [],
    ),
    ...scores.flatMap(({ horizon, metrics }) => {
      const balanced = metrics['balancedAccuracyAtPriors'];
      const area = metrics['aucDirection'];
      const chance = 1 / classes;
      return [
        ...(balanced && suspect(balanced, chance, chance + limitAt(horizon, BALANCED_MARGIN))
          ? [
              tell(
                `Balanced accuracy, priors divided out, of ${balanced.value!.toFixed(3)}`,
                horizon,
              ),
            ]
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

const tell = (figure: string, horizon: number): string =>
  `${figure} at ${barsText(horizon)} is more than honest models reach: look for a leak first.`;
