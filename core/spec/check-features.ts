import { z, ZodError } from 'zod';
import { RatchetError } from '../errors.ts';
import {
  type ColumnDeclaration,
  columnSchema,
  completeChoice,
  completeColumn,
  type FeatureChoice,
  featureSetNames,
  featureSetOf,
} from '../features/index.ts';
import { indicators } from '../indicators/index.ts';
import type { SpecIssue } from './spec-error.ts';
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
export function checkFeatures(features: Features, given: object): Checked {
  if (!('columns' in features)) return checkChoice(features);
  const list = 'features' in given && Array.isArray(given.features);
  return checkColumns(features.columns, list ? ['features'] : ['features', 'columns']);
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

function checkColumns(declared: readonly ColumnDeclaration[], at: readonly string[]): Checked {
  const issues: SpecIssue[] = [];
  const columns = declared.map((column, i) => {
    const found = indicators.get(column.indicator);
    if (found === undefined) {
      issues.push({
        path: `${at.join('.')}[${i}].indicator`,
        message: `no indicator "${column.indicator}"`,
        suggestion: suggestionFor(column.indicator, [...indicators.keys()]),
      });
      return column;
    }
    try {
      return completeColumn(column);
    } catch (error) {
      if (!(error instanceof ZodError)) throw error;
      // Its own fields are known beside the parameters.
      const known = z.union([found.params, columnSchema]);
      issues.push(...issuesOf(error, known, [...at, i]));
      return column;
    }
  });
  if (issues.length === 0) issues.push(...checkWhole(columns, at));
  return { features: { columns }, issues };
}

/** What only all columns together show: names given twice, too many, or one that reaches too far back. */
function checkWhole(columns: readonly ColumnDeclaration[], at: readonly string[]): SpecIssue[] {
  try {
    featureSetOf({ columns });
    return [];
  } catch (error) {
    if (!(error instanceof RatchetError)) throw error;
    return [{ path: at.join('.'), message: error.message }];
  }
}
