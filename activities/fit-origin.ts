import { RatchetError } from '../core/errors.ts';
import { modelFamilyOrThrow } from '../core/models/index.ts';
import { fitVersion } from '../core/models/model.ts';
import type { RegisteredName } from '../core/models/registered.ts';
import { registeredNames } from '../core/spec/registered-members.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { stepKey, type CachedStep } from '../registry/step-cache.ts';
import type { FitInput } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';
import { memberFits, type MemberFit } from './member-fits.ts';
import { parentFit, type ParentFit } from './parent-fit.ts';

type Deps = Pick<ActivityDeps, 'db' | 'artifacts' | 'codeVersion'>;

/** What a fit is made from beside its data. */
export interface FitOrigin {
  /** Hyperparameters, with the versions that they name by number. */
  readonly params: unknown;
  readonly parent: ParentFit | undefined;
  readonly members: readonly MemberFit[];
  /** Everything the weights depend on. */
  readonly step: CachedStep;
  readonly key: string;
}

/** Looks up what the spec means for this fit; throws as `parentFit` and `memberFits`. */
export async function fitOrigin(
  deps: Deps,
  input: FitInput,
  spec: ExperimentSpec,
): Promise<FitOrigin> {
  const { params: schema, registered } = modelFamilyOrThrow(input.family);
  const asked: unknown = schema.parse(hyperparametersOf(input, spec));
  const parent = await parentFit(deps, input, spec);
  const names = registered?.of(asked) ?? [];
  // Who may use a version was asked of the spec; a search cannot bring others.
  if (registered && input.family === spec.family && !sameNames(names, registeredNames(spec))) {
    throw new RatchetError('training.member', 'registered versions are those of the spec');
  }
  const members = registered ? await memberFits(deps, input, names, registered) : [];
  const params = registered && members.length > 0 ? registered.named(asked, members) : asked;
  const step = fitStep(input, { params, parent, members });
  return { params, parent, members, step, key: stepKey(deps.codeVersion, step) };
}

const sameNames = (a: readonly RegisteredName[], b: readonly RegisteredName[]): boolean =>
  a.length === b.length &&
  a.every(({ model, version }, i) => b[i]!.model === model && b[i]!.version === version);

/** What a search chose, or the spec's hyperparameters, which are those of its family; a baseline runs with its defaults. */
const hyperparametersOf = (input: FitInput, spec: ExperimentSpec): unknown =>
  input.hyperparameters ?? (input.family === spec.family ? spec.hyperparameters : {});

/** Everything the weights depend on; the seed only where the family looks at it. */
function fitStep(
  input: FitInput,
  { params, parent, members }: Pick<FitOrigin, 'params' | 'parent' | 'members'>,
): CachedStep {
  const family = modelFamilyOrThrow(input.family);
  return {
    step: 'fit',
    version: fitVersion(family, params),
    key: [
      params,
      family.traits.stochastic ? input.seed : null,
      input.prepared.sha256,
      ...(input.refit ? [input.refit.rows.sha256, input.refit.twin.sha256] : []),
      ...(input.fold ? [input.fold.rows.sha256] : []),
      ...(parent ? [{ parent: parent.fitted.sha256 }] : []),
      ...(members.length > 0
        ? [
            {
              members: members.map(({ fitted, trainedThrough }) => [fitted.sha256, trainedThrough]),
            },
          ]
        : []),
    ],
  };
}
