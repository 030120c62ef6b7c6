import { labelKindOrThrow } from '../labels/index.ts';
import { modelFamilies } from '../models/index.ts';
import { checkContinue } from './continue-checks.ts';
import { expandUnits } from './fit-units.ts';
import { checkLifecycle } from './lifecycle-checks.ts';
import { checkOutliers } from './outliers.ts';
import { checkPromotion } from './promotion-checks.ts';
import { checkMembers } from './registered-members.ts';
import type { SpecIssue } from './spec-error.ts';
import { NAME_PATTERN, type ExperimentSpec } from './spec.ts';

/** What single fields cannot say: rules between fields. `given` is the spec as it was written. */
export function crossChecks(spec: ExperimentSpec, given: unknown): SpecIssue[] {
  return [
    ...checkData(spec),
    ...checkModelNames(spec),
    ...checkLossWeights(spec),
    ...checkFamily(spec),
    ...checkOutliers(spec),
    ...checkServe(spec),
    ...checkScaling(spec),
    ...checkTasks(spec),
    ...checkHyperparameters(spec),
    ...checkContinue(spec),
    ...checkMembers(spec),
    ...checkPromotion(spec),
    ...checkLifecycle(spec),
    ...checkConfidence(spec, given),
  ];
}

function checkData({ data }: ExperimentSpec): SpecIssue[] {
  const issues: SpecIssue[] = [];
  if (!data.sources.some((source) => source.role === 'primary')) {
    issues.push({
      path: 'data.sources',
      message: 'no source is primary',
      suggestion: 'Give one source `role: primary`',
    });
  }
  for (const [i, { dataset }] of data.sources.entries()) {
    if (data.sources.findIndex((source) => source.dataset === dataset) === i) continue;
    issues.push({ path: `data.sources[${i}].dataset`, message: `"${dataset}" is named twice` });
  }
  for (const [i, { id }] of data.instruments.entries()) {
    if (data.instruments.findIndex((instrument) => instrument.id === id) === i) continue;
    issues.push({ path: `data.instruments[${i}]`, message: `"${id}" is named twice` });
  }
  const ranges = [
    { path: 'data.from', range: data },
    ...data.instruments.map((instrument, i) => ({
      path: `data.instruments[${i}].from`,
      range: { from: undefined, to: undefined, ...instrument },
    })),
  ];
  for (const { path, range } of ranges) {
    if (range.from !== undefined && range.to !== undefined && range.from > range.to) {
      issues.push({ path, message: `${range.from} lies after \`to\`, ${range.to}` });
    }
  }
  return issues;
}

function checkModelNames(spec: ExperimentSpec): SpecIssue[] {
  const perInstrument = spec.model.includes('{instrument}');
  if (spec.fit === 'pooled' && perInstrument) {
    return [
      {
        path: 'model',
        message: 'a pooled fit makes one model, but the name has {instrument}',
        suggestion: 'Leave {instrument} out, or use `fit: perInstrument`',
      },
    ];
  }
  if (spec.fit === 'perInstrument' && spec.data.instruments.length > 1 && !perInstrument) {
    return [
      {
        path: 'model',
        message: `${spec.data.instruments.length} instruments fitted one by one need a name each`,
        suggestion: `Write "${spec.model}-{instrument}", or use \`fit: pooled\``,
      },
    ];
  }
  return checkUnitNames(spec);
}

function checkUnitNames(spec: ExperimentSpec): SpecIssue[] {
  const units = expandUnits(spec);
  return units.flatMap(({ model, instruments }, i) => {
    const first = units.findIndex((unit) => unit.model === model);
    if (first !== i) {
      const others = [units[first]!.instruments[0], instruments[0]].join(' and ');
      return [
        {
          path: 'model',
          message: `${others} would both be the model "${model}"`,
          suggestion: 'Put them into experiments of their own',
        },
      ];
    }
    if (!NAME_PATTERN.test(model)) {
      return [
        {
          path: 'model',
          message: `"${model}" cannot be a model's name`,
          suggestion: 'Lower case letters, digits, ".", "_", "-"; 63 at most',
        },
      ];
    }
    return [];
  });
}

/** Whatever family has loss weights has one for each horizon. */
function checkLossWeights({ hyperparameters, label }: ExperimentSpec): SpecIssue[] {
  const weights = hyperparameters['lossWeights'];
  if (!Array.isArray(weights) || weights.length === label.horizons.length) return [];
  return [
    {
      path: 'hyperparameters.lossWeights',
      message: `has ${weights.length} values, label.horizons has ${label.horizons.length}`,
      suggestion: 'Give one weight per horizon, or leave it out',
    },
  ];
}

/** Whoever learns, the family or a baseline, can learn what the label is. */
function checkTasks({ family, baselines, label }: ExperimentSpec): SpecIssue[] {
  const { task } = labelKindOrThrow(label.kind);
  const places = [
    { path: 'family', name: family },
    ...baselines.map((name, i) => ({ path: `baselines[${i}]`, name })),
  ];
  const able = modelFamilies.filter((f) => f.traits.tasks.includes(task)).map((f) => f.name);
  const what = task === 'classification' ? 'classes' : 'quantities';
  return places
    .filter(({ name }) => modelFamilies.some((f) => f.name === name) && !able.includes(name))
    .map(({ path, name }) => ({
      path,
      message: `the family ${name} does not learn ${what}, and the label is ${label.kind}`,
      suggestion: `Families that do: ${able.join(', ')}`,
    }));
}

/** Hyperparameters that do not go with the label. */
function checkHyperparameters({
  family: name,
  hyperparameters,
  label,
}: ExperimentSpec): SpecIssue[] {
  const family = modelFamilies.find((f) => f.name === name);
  const params = family?.params.safeParse(hyperparameters);
  if (!params?.success) return [];
  const { task } = labelKindOrThrow(label.kind);
  const asked = { task, horizons: label.horizons.length };
  return (family?.check?.(params.data, asked) ?? []).map((issue) => ({
    ...issue,
    path: `hyperparameters.${issue.path}`,
  }));
}

function checkFamily(spec: ExperimentSpec): SpecIssue[] {
  const family = modelFamilies.find((f) => f.name === spec.family);
  if (!family?.traits.needsScaling) return [];
  const quantity = labelKindOrThrow(spec.label.kind).task === 'regression';
  // Classes have no scale.
  return (quantity ? (['features', 'labels'] as const) : (['features'] as const))
    .filter((part) => spec.scaling[part] === 'none')
    .map((part) => ({
      path: `scaling.${part}`,
      message: `the family ${family.name} needs scaled ${part}`,
      suggestion: 'Use standard, minmax or robust',
    }));
}

/** Where each instrument has a model of its own, it has scalers of its own. */
function checkScaling({ fit, scaling }: ExperimentSpec): SpecIssue[] {
  if (fit === 'pooled' || scaling.per === undefined) return [];
  const message = 'says something of pooled fits only: here each instrument is a unit';
  return [{ path: 'scaling.per', message, suggestion: 'Leave it out, or use `fit: pooled`' }];
}

/** A mean of one, or of fits that are all the same, is not what was asked for. */
function checkServe({ serve, seeds, family: name }: ExperimentSpec): SpecIssue[] {
  if (serve === 'medianSeed') return [];
  const family = modelFamilies.find((f) => f.name === name);
  const suggestion = 'Use `serve: medianSeed`';
  if (family && !family.traits.stochastic) {
    const message = `every seed of the family ${name} gives the same fit: there is nothing to average`;
    return [{ path: 'serve', message, suggestion }];
  }
  if (seeds.length > 1) return [];
  return [
    {
      path: 'serve',
      message: 'one seed has no mean to serve',
      suggestion: `Name two seeds or more, or ${suggestion.toLowerCase()}`,
    },
  ];
}

function checkConfidence(spec: ExperimentSpec, given: unknown): SpecIssue[] {
  const family = modelFamilies.find((f) => f.name === spec.family);
  const { method } = spec.confidence;
  if (method === 'none') return [];
  const { task } = labelKindOrThrow(spec.label.kind);
  if ((method === 'probability') !== (task === 'classification') && givesConfidence(given)) {
    return [
      {
        path: 'confidence.method',
        message: `${method} is no confidence of a label such as ${spec.label.kind}`,
        suggestion:
          task === 'classification' ? 'Use probability, or none' : 'Use directional, or none',
      },
    ];
  }
  if (task === 'classification') return [];
  if (family && !family.traits.monteCarlo && givesConfidence(given)) {
    return [
      {
        path: 'confidence.method',
        message: `the family ${family.name} has no dropout to sample from`,
        suggestion: 'Use `method: none`, or leave confidence out',
      },
    ];
  }
  if (method === 'relativeStd' && spec.scaling.labels !== 'minmax') {
    return [
      {
        path: 'confidence.method',
        message: 'relativeStd is defined on labels scaled to 0..1',
        suggestion: 'Use `scaling: { labels: minmax }`, or `method: directional`',
      },
    ];
  }
  return [];
}

/** Was a method asked for, or is it the default? */
function givesConfidence(given: unknown): boolean {
  if (typeof given !== 'object' || given === null || !('confidence' in given)) return false;
  const { confidence } = given;
  return typeof confidence === 'object' && confidence !== null && 'method' in confidence;
}
