import type { Comparison } from './comparison.ts';
import { studentTUpperTail } from './student-t.ts';

export interface NonInferiority {
  /** (mean(d) + margin) / SE(mean(d)), with the SE of the comparison's own test. */
  readonly statistic: number;
  /** One-sided probability of such a result if the challenger loses exactly the margin more. */
  readonly p: number;
}

/**
 * Is the challenger worse by less than the margin? Formula: T on d + margin x mean(other loss) of STATISTICS 3.5;
 * adding a constant leaves the long-run variance of d as it is, so the SE is mean(d) / T of the tested comparison.
 * `margin` is a share of the other's mean loss, > 0. null where the losses do not vary against each other (the same
 * forecasts twice) or a figure is not finite: then there is no error to compare with.
 */
export function nonInferiority(
  {
    meanDifference,
    otherLoss,
    test,
  }: {
    readonly meanDifference: number | null;
    readonly otherLoss: number | null;
    readonly test: Comparison['test'];
  },
  margin: number,
): NonInferiority | null {
  if (test === null || meanDifference === null || otherLoss === null) return null;
  const error = meanDifference / test.statistic;
  const statistic = (meanDifference + margin * otherLoss) / error;
  if (!(error > 0) || !Number.isFinite(statistic) || !Number.isFinite(test.p)) return null;
  return { statistic, p: studentTUpperTail(statistic, test.degreesOfFreedom) };
}
