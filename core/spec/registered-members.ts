import { modelFamilies } from '../models/index.ts';
import type { RegisteredName } from '../models/registered.ts';
import { expandUnits, modelOfUnit } from './fit-units.ts';
import { NAME_PATTERN } from './names.ts';
import type { SpecIssue } from './spec-error.ts';
import type { ExperimentSpec } from './spec.ts';

/** Registered versions that a spec's hyperparameters name, as they are written. */
export function registeredNames({
  family: name,
  hyperparameters,
}: Pick<ExperimentSpec, 'family' | 'hyperparameters'>): readonly (RegisteredName & {
  readonly path: string;
})[] {
  const family = modelFamilies.find((one) => one.name === name);
  const params = family?.registered && family.params.safeParse(hyperparameters);
  return params?.success ? family!.registered!.of(params.data) : [];
}

/** Models whose versions are part of what a spec trains, for all its units. */
export function memberModels(spec: ExperimentSpec): string[] {
  const names = registeredNames(spec);
  const models = expandUnits(spec).flatMap(({ instruments }) =>
    names.map(({ model }) => modelOfUnit(model, instruments)),
  );
  return [...new Set(models)];
}

/** Members that cannot be what they say: of the model itself, of no one instrument, in scalers that are not theirs. */
export function checkMembers(spec: ExperimentSpec): SpecIssue[] {
  const names = registeredNames(spec);
  if (names.length === 0) return [];
  const issues: SpecIssue[] = [];
  const units = expandUnits(spec);
  for (const { model, path: own } of names) {
    const path = `hyperparameters.${own}.model`;
    const models = units.map(({ instruments }) => modelOfUnit(model, instruments));
    const trained = models.find((one) => units.some((unit) => unit.model === one));
    const nameless = models.find((one) => !NAME_PATTERN.test(one));
    if (spec.fit === 'pooled' && modelOfUnit(model, []) !== model) {
      const message = 'a pooled fit is of no one instrument, but the name has {instrument}';
      issues.push({ path, message, suggestion: 'Name one model that answers for all of them' });
    } else if (trained !== undefined) {
      const message = `${trained} is what this spec trains: it would be made of itself`;
      issues.push({ path, message, suggestion: 'Register the ensemble under a name of its own' });
    } else if (nameless !== undefined) {
      issues.push({ path, message: `"${nameless}" cannot be a model's name` });
    }
  }
  return [...issues, ...checkScalers(spec)];
}

/** A registered version brings its own scalers: nobody may scale its windows before it sees them. */
function checkScalers({ fit, scaling, family: name }: ExperimentSpec): SpecIssue[] {
  const family = modelFamilies.find((one) => one.name === name);
  if (fit !== 'pooled' || scaling.per === 'unit' || !family?.traits.needsScaling) return [];
  return [
    {
      path: 'scaling.per',
      message: 'a pooled ensemble of registered versions cannot scale each instrument by itself',
      suggestion: 'Use `scaling: { per: unit }`; registered versions keep scalers of their own',
    },
  ];
}
