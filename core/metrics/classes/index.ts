/** The catalogue of class metrics: a new one is defined in a file of this folder and named here. */
import { informationCoefficients } from '../information-coefficient.ts';
import { auc, aucDirection } from './auc.ts';
import type { ClassMetric, ClassRows } from './class-rows.ts';
import {
  accuracy,
  balancedAccuracy,
  balancedAccuracyAtPriors,
  macroMetrics,
  mcc,
  metricsOfClass,
} from './confusion-metrics.ts';
import { brier, calibrationError, logLoss } from './probability-metrics.ts';

export type { ClassMetric, ClassRows } from './class-rows.ts';

/** The metric that a class model is read by first. */
export const MAIN_CLASS_METRIC = balancedAccuracyAtPriors.name;

/** All metrics of a label with these classes, in the order in which reports show them. */
export function classMetrics(classes: readonly string[]): readonly ClassMetric[] {
  const directional = classes.length > 2;
  return [
    logLoss,
    brier,
    calibrationError,
    accuracy,
    balancedAccuracy,
    balancedAccuracyAtPriors,
    mcc,
    auc,
    ...(directional ? [aucDirection] : []),
    ...macroMetrics,
    ...classes.flatMap(metricsOfClass),
    ...informationCoefficients<ClassRows>(({ openTime, expectedChange, change }) => ({
      openTime,
      forecast: expectedChange,
      outcome: change,
    })),
  ];
}

/** Is more of a class metric better, whatever the names of the classes? undefined for a name there is not. */
export function classMetricDirection(name: string): 'higher' | 'lower' | undefined {
  if (/^(precision|recall|f1)_/.test(name)) return 'higher';
  return classMetrics(['fall', 'flat', 'rise']).find((metric) => metric.name === name)?.direction;
}
