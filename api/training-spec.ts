import { labelKindOrThrow } from '../core/labels/index.ts';
import { modelFamilyOrThrow } from '../core/models/index.ts';
import type { ExperimentSpec } from '../core/spec/index.ts';
import { bordersOf } from '../core/splits/index.ts';
import { ApiError } from './errors.ts';

export const TRAINING_DAYS_MIN = 100;
export const TRAINING_DAYS_MAX = 5000;
const DEFAULT_TEST_SIZE = 0.15;
/** Floors of the spec's `recent` split. */
const TRAIN_FLOOR = 100;
const PART_FLOOR = 30;

export interface TrainRequest {
  readonly instruments?: readonly string[] | undefined;
  /** Labelled samples; warm-up, lookback and horizon rows are fetched in addition. */
  readonly trainingDays?: number | undefined;
  /** Share of the test part, and of the validation part before it. */
  readonly testSize?: number | undefined;
  readonly lookbackDays?: number | undefined;
  /** Least return that counts as a move, of labels with classes: 0.02 = 2 %. */
  readonly threshold?: number | undefined;
  /** How long a fit trains: the family's own rounds or epochs. */
  readonly rounds?: number | undefined;
  readonly forceRetrain?: boolean | undefined;
  readonly seeds?: readonly number[] | undefined;
}

interface Parts {
  readonly trainBars: number;
  readonly validBars: number;
  readonly testBars: number;
}

function partsOf(days: number, testSize: number): Parts {
  const testBars = Math.round(days * testSize);
  return { trainBars: days - 2 * testBars, validBars: testBars, testBars };
}

/** Do all parts keep at least max(30, 2h) rows once h rows are purged before each boundary? */
function suffices({ trainBars, validBars, testBars }: Parts, horizon: number): boolean {
  const floor = Math.max(PART_FLOOR, 2 * horizon);
  return (
    trainBars >= TRAIN_FLOOR &&
    trainBars - horizon >= floor &&
    validBars - horizon >= floor &&
    testBars >= floor
  );
}

/** Fewest labelled samples that can be split; undefined where even the most are too few. */
export function minimumTrainingDays(horizon: number, testSize: number): number | undefined {
  for (let days = TRAINING_DAYS_MIN; days <= TRAINING_DAYS_MAX; days++) {
    if (suffices(partsOf(days, testSize), horizon)) return days;
  }
  return undefined;
}

/**
 * The spec of a training that was asked for in a few numbers: the model's template with its split
 * replaced, and its threshold and rounds where they are given. Throws a 422 that names the computed minimum where the
 * samples cannot be split, and one that says why where the template has no threshold or its family no rounds.
 */
export function trainingSpec(
  template: ExperimentSpec,
  model: { readonly name: string; readonly instruments: readonly string[] },
  request: TrainRequest,
): ExperimentSpec {
  checkScope(model, request.instruments);
  const instruments = template.data.instruments.filter((i) => model.instruments.includes(i.id));
  const horizon = Math.max(...template.label.horizons);
  return {
    ...template,
    model: template.model.includes('{instrument}') ? template.model : model.name,
    // A template may be what a retrain of a past moment ran: who asks for a training now means now.
    data: { ...template.data, instruments, asOf: undefined },
    split: splitOf(template, request, horizon),
    lookback: request.lookbackDays ?? template.lookback,
    label: labelOf(template, request.threshold),
    hyperparameters: hyperparametersOf(template, request.rounds),
    seeds: request.seeds ? [...request.seeds] : template.seeds,
    forceRetrain: request.forceRetrain ?? false,
  };
}

function checkScope(
  model: { readonly name: string; readonly instruments: readonly string[] },
  asked: readonly string[] | undefined,
): void {
  if (asked === undefined) return;
  const scope = [...model.instruments].sort().join(', ');
  if ([...asked].sort().join(', ') === scope) return;
  throw new ApiError(
    'unprocessable',
    'train.scope',
    `The model ${model.name} answers for ${scope}. For other instruments start an experiment with another model name.`,
    { issues: [{ path: '/instruments', message: `must be ${scope}` }] },
  );
}

function splitOf(
  template: ExperimentSpec,
  request: TrainRequest,
  horizon: number,
): ExperimentSpec['split'] {
  const testSize = request.testSize ?? DEFAULT_TEST_SIZE;
  if (request.trainingDays === undefined) {
    if (request.testSize === undefined) return template.split;
    const ratios: [number, number, number] = [1 - 2 * testSize, testSize, testSize];
    return { kind: 'chronological', ratios, ...bordersOf(template.split) };
  }
  const parts = partsOf(request.trainingDays, testSize);
  if (!suffices(parts, horizon)) {
    const minimum = minimumTrainingDays(horizon, testSize);
    const message =
      minimum === undefined
        ? `no number of training days up to ${TRAINING_DAYS_MAX} can be split with this testSize`
        : `at least ${minimum} are needed for horizon ${horizon} with testSize ${testSize}`;
    throw new ApiError('unprocessable', 'train.too-few-days', `trainingDays: ${message}.`, {
      issues: [{ path: '/trainingDays', message }],
      details: minimum === undefined ? {} : { minimumTrainingDays: minimum },
    });
  }
  return { kind: 'recent', ...parts, ...bordersOf(template.split) };
}

function labelOf(
  { label }: ExperimentSpec,
  threshold: number | undefined,
): ExperimentSpec['label'] {
  if (threshold === undefined) return label;
  if (labelKindOrThrow(label.kind).task === 'classification') {
    return { ...label, by: 'fixed', threshold };
  }
  throw notApplicable(
    'threshold',
    `the template learns ${label.kind}, a quantity: only labels with classes have a threshold`,
  );
}

function hyperparametersOf(
  { family, hyperparameters }: ExperimentSpec,
  rounds: number | undefined,
): ExperimentSpec['hyperparameters'] {
  if (rounds === undefined) return hyperparameters;
  const { traits } = modelFamilyOrThrow(family);
  const path = traits.rounds ?? traits.budget;
  if (path !== undefined) return withValue(hyperparameters, path.split('.'), rounds);
  throw notApplicable('rounds', `the family ${family} does not train in rounds`);
}

type Tree = Readonly<Record<string, unknown>>;

function withValue(tree: Tree, [key, ...rest]: readonly string[], value: number): Tree {
  if (key === undefined) return tree;
  if (rest.length === 0) return { ...tree, [key]: value };
  const below = (tree[key] ?? {}) as Tree;
  return { ...tree, [key]: withValue(below, rest, value) };
}

const notApplicable = (field: string, message: string): ApiError =>
  new ApiError('unprocessable', `train.no-${field}`, `${field}: ${message}.`, {
    issues: [{ path: `/${field}`, message }],
  });
