import { z, ZodError } from 'zod';
import { RatchetError } from '../errors.ts';
import {
  columnSchema,
  completeChoice,
  completeEntry,
  type FeatureChoice,
  type FeatureEntry,
  featureSetNames,
  featureSetOf,
  indicatorOf,
} from '../features/index.ts';
import { indicators } from '../indicators/index.ts';
import { pathText, type SpecIssue } from './spec-error.ts';
import type { ExperimentSpec } from './spec.ts';
import { issuesOf, suggestionFor } from './zod-issues.ts';

type Features = ExperimentSpec['features'];

interface Checked {
  readonly features: Features;
  readonly issues: readonly SpecIssue[];
}

/**
 * The features of a spec with every default filled in, so that equal specs have equal hashes however
 * short they are. `given` is the spec as it was written: issues name places in it.
 */
export function checkFeatures(
  spec: Pick<ExperimentSpec, 'features' | 'data'>,
  given: object,
): Checked {
  const { features, data } = spec;
  if (!('columns' in features)) return checkChoice(features);
  const list = 'features' in given && Array.isArray(given.features);
  return checkColumns(features.columns, data, list ? ['features'] : ['features', 'columns']);
}

function checkChoice(choice: FeatureChoice): Checked {
  const { set } = choice;
  if (!featureSetNames.includes(set)) {
    const suggestion = suggestionFor(set, featureSetNames);
    const issue = { path: 'features', message: `no feature set "${set}"`, suggestion };
    return { features: choice, issues: [issue] };
  }
  try {
    return { features: completeChoice(choice), issues: [] };
  } catch (error) {
    if (!(error instanceof RatchetError)) throw error;
    const issue = { path: 'features.levels', message: error.message, suggestion: 'Leave it out' };
    return { features: choice, issues: [issue] };
  }
}

type Data = ExperimentSpec['data'];

function checkColumns(
  declared: readonly FeatureEntry[],
  data: Data,
  at: readonly string[],
): Checked {
  const issues: SpecIssue[] = [];
  const columns = declared.map((entry, i) => {
    const checked = checkEntry(entry, [...at, i]);
    issues.push(...checked.issues);
    return checked.entry;
  });
  if (issues.length === 0) issues.push(...checkWhole(columns, data, at));
  return { features: { columns }, issues };
}

interface CheckedEntry {
  readonly entry: FeatureEntry;
  readonly issues: readonly SpecIssue[];
}

function checkEntry(entry: FeatureEntry, at: readonly (string | number)[]): CheckedEntry {
  const path = pathText(at);
  if (!('indicator' in entry)) {
    const { features, issues } = checkChoice(entry);
    const moved = issues.map((issue) => ({ ...issue, path: issue.path.replace('features', path) }));
    return { entry: 'columns' in features ? entry : features, issues: moved };
  }
  const found = indicatorOf(entry);
  if (found === undefined) {
    const { indicator } = entry;
    const suggestion = suggestionFor(indicator, [...indicators.keys()]);
    const message = `no indicator "${indicator}"`;
    return { entry, issues: [{ path: `${path}.indicator`, message, suggestion }] };
  }
  try {
    return { entry: completeEntry(entry), issues: [] };
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    // Its own fields are known beside the parameters.
    const known = z.union([found.params, columnSchema]);
    return { entry, issues: issuesOf(error, known, at) };
  }
}

/**
 * What only all columns together show: names given twice, too many, one that reaches too far back, or one of a
 * source that the spec does not read.
 */
function checkWhole(
  columns: readonly FeatureEntry[],
  { sources }: Data,
  at: readonly string[],
): SpecIssue[] {
  const path = at.join('.');
  const offered = sources.filter(({ role }) => role === 'exogenous').map(({ dataset }) => dataset);
  try {
    const read = featureSetOf({ columns }).columns.flatMap(({ use }) => use.exogenous);
    return [...new Set(read)].flatMap((column) => {
      const dataset = column.slice(0, column.lastIndexOf('.'));
      if (offered.includes(dataset)) return [];
      const message = `reads ${column}, and no source is the exogenous dataset "${dataset}"`;
      const suggestion = `Add { dataset: ${dataset}, role: exogenous } to data.sources`;
      return [{ path, message, suggestion }];
    });
  } catch (error) {
    if (!(error instanceof RatchetError)) throw error;
    return [{ path, message: error.message }];
  }
}
