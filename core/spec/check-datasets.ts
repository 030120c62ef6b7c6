import type { KnownDataset } from './parse-spec.ts';
import type { SpecIssue } from './spec-error.ts';
import type { ExperimentSpec } from './spec.ts';
import { suggestionFor } from './zod-issues.ts';

/** Datasets that are not there, and instruments that none of those named has. Uploads are not looked up here. */
export function datasetIssues(
  { sources, instruments }: Pick<ExperimentSpec['data'], 'sources' | 'instruments'>,
  datasets: ReadonlyMap<string, KnownDataset>,
): readonly SpecIssue[] {
  const issues: SpecIssue[] = [];
  const check = (path: string, kind: string, name: string, known: readonly string[]): void => {
    if (known.includes(name)) return;
    issues.push({ path, message: `no ${kind} "${name}"`, suggestion: suggestionFor(name, known) });
  };
  for (const [i, { dataset }] of sources.entries()) {
    if (dataset.startsWith('upload:')) continue;
    check(`data.sources[${i}].dataset`, 'dataset', dataset, [...datasets.keys()]);
  }
  // Only where every source says what it has can it be said that none has it.
  const offers = sources.map(({ dataset }) => datasets.get(dataset)?.instruments);
  if (offers.some((offer) => offer === undefined)) return issues;
  const known = [...new Set(offers.flatMap((offer) => offer ?? []))];
  for (const [i, { id }] of instruments.entries()) {
    check(`data.instruments[${i}]`, 'instrument in these datasets', id, known);
  }
  return issues;
}
