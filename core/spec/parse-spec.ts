import { labelKindOrThrow } from '../labels/index.ts';
import { modelFamilies } from '../models/index.ts';
import { policies } from '../policies/index.ts';
import { datasetIssues } from './check-datasets.ts';
import { checkFeatures } from './check-features.ts';
import { crossChecks } from './cross-checks.ts';
import { SpecError, type SpecIssue } from './spec-error.ts';
import { experimentSpecSchema, type ExperimentSpec } from './spec.ts';
import { completeTune } from './tune.ts';
import { writtenThreshold } from './written-threshold.ts';
import { issuesOf, suggestionFor } from './zod-issues.ts';

/** A dataset that a spec may name, as far as a spec can be checked against it. */
export interface KnownDataset {
  /** Instruments it can deliver, where that is known. */
  readonly instruments?: readonly string[] | undefined;
}

export interface SpecCatalogues {
  /** By name; absent: dataset names are not checked here. */
  readonly datasets?: ReadonlyMap<string, KnownDataset>;
}

/** Specs are small; anything larger is a mistake, and checking it would only take time. */
const MAX_ISSUES = 50;

/**
 * Turns a parsed YAML or JSON value into a spec with every default filled in, the family's hyperparameters too.
 * Throws SpecError (`spec.invalid`) with all issues: each names its path, what is wrong and what to do.
 */
export function parseSpec(value: unknown, catalogues: SpecCatalogues = {}): ExperimentSpec {
  const written = writtenThreshold(mappingOf(value));
  return read(written.value, catalogues, written.issues);
}

/** The same of a spec that was taken before: settings without effect, which were no issue then, are none now. */
export function parseStoredSpec(value: unknown, catalogues: SpecCatalogues = {}): ExperimentSpec {
  return read(mappingOf(value), catalogues, []);
}

function mappingOf(value: unknown): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SpecError([
      {
        path: '',
        message: 'a spec is a mapping of fields such as name, model and data',
        suggestion: 'See docs/spec.md',
      },
    ]);
  }
  return value;
}

function read(
  value: object,
  catalogues: SpecCatalogues,
  known: readonly SpecIssue[],
): ExperimentSpec {
  const parsed = experimentSpecSchema.safeParse(value, { reportInput: true });
  if (!parsed.success) {
    const wrong = issuesOf(parsed.error, experimentSpecSchema, []);
    throw new SpecError([...wrong, ...known].slice(0, MAX_ISSUES));
  }
  const filled = withBaselinesOfTask(parsed.data, value);
  const named = checkCatalogues(filled, value, catalogues);
  const { spec, issues } = completeTune(named.spec, value);
  const all = [...known, ...named.issues, ...issues, ...crossChecks(spec, value)];
  if (all.length > 0) throw new SpecError(all.slice(0, MAX_ISSUES));
  return withFittingConfidence(spec);
}

/** What a label with classes is compared with where the spec does not say: no quantity can be. */
const CLASS_BASELINES = ['majority', 'logistic'];

function withBaselinesOfTask(spec: ExperimentSpec, given: object): ExperimentSpec {
  const { task } = labelKindOrThrow(spec.label.kind);
  if ('baselines' in given || task === 'regression') return spec;
  const known = CLASS_BASELINES.filter((name) => modelFamilies.some((f) => f.name === name));
  return { ...spec, baselines: known };
}

/**
 * A model of classes has its probabilities, a family that cannot be sampled no confidence: said outright, so that a
 * parsed spec parses again.
 */
function withFittingConfidence(spec: ExperimentSpec): ExperimentSpec {
  const { confidence, label } = spec;
  if (labelKindOrThrow(label.kind).task === 'classification') {
    const method = confidence.method === 'none' ? 'none' : 'probability';
    // The place of a class has no scale: two specs that differ in it alone are one.
    const scaling = { ...spec.scaling, labels: 'none' as const };
    return { ...spec, scaling, confidence: { ...confidence, method } };
  }
  const family = modelFamilies.find((f) => f.name === spec.family);
  if (!family || family.traits.monteCarlo) return spec;
  return { ...spec, confidence: { ...spec.confidence, method: 'none' } };
}

/** Names must be in their catalogues; the family's own schema fills in and checks its hyperparameters. */
function checkCatalogues(
  spec: ExperimentSpec,
  given: object,
  { datasets }: SpecCatalogues,
): { spec: ExperimentSpec; issues: SpecIssue[] } {
  const issues: SpecIssue[] = [];
  const check = (path: string, kind: string, name: string, known: readonly string[]): boolean => {
    if (known.includes(name)) return true;
    issues.push({ path, message: `no ${kind} "${name}"`, suggestion: suggestionFor(name, known) });
    return false;
  };
  const families = modelFamilies.map((f) => f.name);
  const { features, issues: wrongFeatures } = checkFeatures(spec, given);
  issues.push(...wrongFeatures);
  check(
    'promotion.policy',
    'policy',
    spec.promotion.policy,
    policies.map((p) => p.name),
  );
  spec.baselines.forEach((name, i) => check(`baselines[${i}]`, 'model family', name, families));
  if (datasets) issues.push(...datasetIssues(spec.data, datasets));
  if (!check('family', 'model family', spec.family, families)) return { spec, issues };
  const family = modelFamilies.find((f) => f.name === spec.family)!;
  const params = family.params.safeParse(spec.hyperparameters, { reportInput: true });
  if (!params.success) {
    return {
      spec,
      issues: [...issues, ...issuesOf(params.error, family.params, ['hyperparameters'])],
    };
  }
  const hyperparameters = params.data as ExperimentSpec['hyperparameters'];
  return { spec: { ...spec, features, hyperparameters }, issues };
}
