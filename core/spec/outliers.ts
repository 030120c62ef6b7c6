import type { OutlierRules } from '../features/fitted-on.ts';
import { labelKindOrThrow } from '../labels/index.ts';
import type { SpecIssue } from './spec-error.ts';
import type { ExperimentSpec } from './spec.ts';

/** What a spec does to outliers of its training rows; undefined: nothing, however that is written. */
export function outliersOf({
  training,
}: Pick<ExperimentSpec, 'training'>): OutlierRules | undefined {
  if (training === undefined) return undefined;
  const { features, labels } = training.outliers;
  return features === 'none' && labels === 'none' ? undefined : training.outliers;
}

/** A class is no number that could lie far from the others. */
export function checkOutliers(spec: ExperimentSpec): SpecIssue[] {
  const rules = outliersOf(spec);
  if (!rules || rules.labels === 'none') return [];
  if (labelKindOrThrow(spec.label.kind).task === 'regression') return [];
  return [
    {
      path: 'training.outliers.labels',
      message: `labels of the kind ${spec.label.kind} are classes`,
      suggestion: 'Leave it out',
    },
  ];
}
