import { modelFamilies, modelFamilyOrThrow } from '../models/index.ts';
import type { ModelDescriptor } from '../models/model.ts';
import { pruners, searchMethods } from '../search/index.ts';
import { withPoint } from '../search/point.ts';
import { spaceOf, type Dimension, type Space, type SpaceEntry } from '../search/space.ts';
import { nearestName } from './nearest-name.ts';
import { registeredNames } from './registered-members.ts';
import type { SpecIssue } from './spec-error.ts';
import type { ExperimentSpec } from './spec.ts';
import type { Tune } from './tune-schema.ts';

/**
 * The spec with its search space written out, so that it means the same however the family's defaults change, and what is
 * wrong with its `tune`. `given` is the spec as it was written: what it fixes is not searched by default.
 */
export function completeTune(
  spec: ExperimentSpec,
  given: unknown,
): { spec: ExperimentSpec; issues: readonly SpecIssue[] } {
  const { tune } = spec;
  const family = modelFamilies.find(({ name }) => name === spec.family);
  if (tune === undefined || family === undefined) return { spec, issues: [] };
  const named = [
    ...unknownName('tune.search', 'search', tune.search, searchMethods),
    ...unknownName('tune.pruner', 'pruner', tune.pruner, pruners),
  ];
  const { space, issues } = spaceWanted(family, tune, given);
  const unsearchable = issues.map(({ path, message, known }) => ({
    path: path === '' ? 'tune' : `tune.space.${path}`,
    message: path === '' ? `${message}: name hyperparameters in tune.space` : message,
    ...(known ? { suggestion: suggestionOf(path, known) } : {}),
  }));
  const all = [
    ...named,
    ...unsearchable,
    ...checkBudget(family, tune, space),
    ...checkEnds(family, spec, space),
    ...checkSize(tune, space),
  ];
  return { spec: { ...spec, tune: { ...tune, space: entriesOf(space) } }, issues: all };
}

/** The space of a spec that was parsed. Empty where it asks for no search. */
export function tunedSpaceOf({ family, tune }: Pick<ExperimentSpec, 'family' | 'tune'>): Space {
  const { params, traits } = modelFamilyOrThrow(family);
  return tune === undefined ? [] : spaceOf(params, tune.space, traits.budget).space;
}

function spaceWanted(family: ModelDescriptor, tune: Tune, given: unknown) {
  const wanted = spaceOf(family.params, tune.space, family.traits.budget);
  if (tune.space !== undefined) return wanted;
  const fixed = givenParameters(given);
  const space = wanted.space.filter(({ path }) => !fixed.includes(path.split('.')[0]!));
  const issues =
    space.length === 0 && wanted.space.length > 0
      ? [{ path: '', message: 'hyperparameters gives all that the family searches by default' }]
      : wanted.issues;
  return { space, issues };
}

function givenParameters(given: unknown): string[] {
  if (typeof given !== 'object' || given === null || !('hyperparameters' in given)) return [];
  return Object.keys(given.hyperparameters ?? {});
}

function unknownName(
  path: string,
  kind: string,
  name: string,
  catalogue: readonly { readonly name: string }[],
): SpecIssue[] {
  const known = catalogue.map((entry) => entry.name);
  if (known.includes(name)) return [];
  return [{ path, message: `no ${kind} "${name}"`, suggestion: suggestionOf(name, known) }];
}

function suggestionOf(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  const list = `Known: ${known.join(', ')}`;
  return nearest === undefined ? list : `Did you mean "${nearest}"? ${list}`;
}

function checkBudget(family: ModelDescriptor, { pruner: name }: Tune, space: Space): SpecIssue[] {
  if (!pruners.find((pruner) => pruner.name === name)?.needsBudget) return [];
  const { budget } = family.traits;
  if (budget === undefined) {
    return [
      {
        path: 'tune.pruner',
        message: `the family ${family.name} has no training budget that could be cut`,
        suggestion: 'Use `pruner: none`',
      },
    ];
  }
  return space
    .filter(({ path }) => path === budget)
    .map(({ path }) => ({
      path: `tune.space.${path}`,
      message: `${path} is the budget that ${name} cuts: it cannot be searched as well`,
      suggestion: `Use \`pruner: none\`, or fix hyperparameters.${path}`,
    }));
}

/**
 * Both ends of every range and every choice must be values that the family takes; registered versions are those of the
 * spec: who may use them is asked once.
 */
function checkEnds(family: ModelDescriptor, spec: ExperimentSpec, space: Space): SpecIssue[] {
  if (!family.params.safeParse(spec.hyperparameters).success) return [];
  const versions = versionsIn(spec);
  return space.flatMap((dimension) => {
    for (const [field, value] of endsOf(dimension)) {
      const params = withPoint(spec.hyperparameters, { [dimension.path]: value });
      const parsed = family.params.safeParse(params);
      if (parsed.success && versionsIn({ ...spec, hyperparameters: params }) === versions) continue;
      if (parsed.success) {
        return [
          {
            path: `tune.space.${dimension.path}.${field}`,
            message: 'names other registered versions than hyperparameters: they are not searched',
          },
        ];
      }
      return [
        {
          path: `tune.space.${dimension.path}.${field}`,
          message: `${JSON.stringify(value)} is not taken: ${parsed.error.issues[0]!.message}`,
        },
      ];
    }
    return [];
  });
}

/** Which registered versions the hyperparameters name, in order. */
const versionsIn = (spec: Pick<ExperimentSpec, 'family' | 'hyperparameters'>): string =>
  JSON.stringify(registeredNames(spec).map(({ model, version }) => [model, version]));

function endsOf(dimension: Dimension): readonly (readonly [string, unknown])[] {
  if (dimension.kind === 'choice') return dimension.choices.map((c, i) => [`choices[${i}]`, c]);
  return [
    ['low', dimension.low],
    ['high', dimension.high],
  ];
}

/** A search that gives all its points must be able to try them. */
function checkSize(tune: Tune, space: Space): SpecIssue[] {
  const method = searchMethods.find(({ name }) => name === tune.search);
  const points = method?.pointsOf?.(space, tune.trials);
  if (points === undefined || points <= tune.trials) return [];
  return [
    {
      path: 'tune.trials',
      message: `the ${tune.search} has ${points} points, but ${tune.trials} trials are allowed`,
      suggestion: `Use \`trials: ${points}\`, or fewer points and choices`,
    },
  ];
}

const entriesOf = (space: Space): Record<string, SpaceEntry> =>
  Object.fromEntries(
    space.map((dimension): [string, SpaceEntry] => {
      if (dimension.kind === 'choice') return [dimension.path, { choices: [...dimension.choices] }];
      const { low, high, scale, points } = dimension;
      return [dimension.path, { low, high, scale, ...(points && { points }) }];
    }),
  );
