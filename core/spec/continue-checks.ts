import { modelFamilies } from '../models/index.ts';
import { retrainsAsItIs } from '../splits/index.ts';
import type { SpecIssue } from './spec-error.ts';
import type { ExperimentSpec } from './spec.ts';

/** Families that can go on from a version, and splits whose only test part is newer than what it has learnt. */
export function checkContinue({ family, split, continueFrom }: ExperimentSpec): SpecIssue[] {
  if (continueFrom === undefined) return [];
  const able = modelFamilies.filter(({ traits }) => traits.canContinue).map(({ name }) => name);
  const issues: SpecIssue[] = [];
  if (!able.includes(family)) {
    issues.push({
      path: 'continueFrom',
      message: `a fit of the family ${family} always begins anew`,
      suggestion: `Families that go on: ${able.join(', ')}`,
    });
  }
  if (!retrainsAsItIs(split)) {
    issues.push({
      path: 'continueFrom',
      message: `the split ${split.kind} tests bars that the version has learnt from`,
      suggestion: 'Use `split: { kind: recent, ... }` with a test part of newer bars',
    });
  }
  return issues;
}
