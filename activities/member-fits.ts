import type { Prepared } from '../core/features/prepared.ts';
import { RatchetError } from '../core/errors.ts';
import type { RegisteredUse } from '../core/models/model.ts';
import { assertAlike, memberName, noMember } from '../core/models/registered.ts';
import type { RegisteredName, RegisteredVersion } from '../core/models/registered.ts';
import { modelOfUnit } from '../core/spec/fit-units.ts';
import type { FitInput } from './contracts.ts';
import type { ActivityDeps, TrainingMember } from './deps.ts';
import { championOf, versionFit, type VersionFit } from './version-fit.ts';

/** A registered version that is part of a fit. */
export interface MemberFit extends RegisteredVersion, VersionFit {}

type Deps = Pick<ActivityDeps, 'db' | 'artifacts'>;
type Asker = Pick<FitInput, 'experimentId' | 'unit'>;

/**
 * The versions that hyperparameters name, in their order. Same experiment, same answer: `champion` is who served when it
 * was made. Throws `version.unknown`, and `training.member` where nobody served, a version is named twice, is of a family
 * that cannot be a member, or its weights are not kept as one fit.
 */
export async function memberFits(
  deps: Deps,
  asker: Asker,
  names: readonly RegisteredName[],
  { families }: Pick<RegisteredUse<unknown>, 'families'>,
): Promise<MemberFit[]> {
  const members: MemberFit[] = [];
  for (const version of await memberVersions(deps, asker, names)) {
    const found = await versionFit(deps, version.model, version.version);
    if (found === undefined) {
      throw noMember(
        version,
        'its weights are not kept as those of one fit (it is a mean of seeds); name one that serves the median seed',
      );
    }
    const { family } = found.manifest;
    if (!families.includes(family)) {
      throw noMember(version, `its family ${family} is made of others: name those`);
    }
    members.push({ ...version, ...found });
  }
  return members;
}

/** Numbers of the versions that are named. Throws `training.member`. */
export async function memberVersions(
  deps: Pick<ActivityDeps, 'db'>,
  { experimentId, unit }: Asker,
  names: readonly RegisteredName[],
): Promise<RegisteredVersion[]> {
  const versions: RegisteredVersion[] = [];
  for (const name of names) {
    const model = modelOfUnit(name.model, unit.instruments);
    const number =
      name.version === 'champion' ? await championOf(deps, experimentId, model) : name.version;
    if (number === undefined) throw noChampion(model);
    const version = { model, version: number };
    if (versions.some((one) => memberName(one) === memberName(version))) {
      throw noMember(version, 'it is named twice');
    }
    versions.push(version);
  }
  return versions;
}

const noChampion = (model: string): RatchetError =>
  new RatchetError(
    'training.member',
    `${model} had no champion when the experiment was made: promote a version, or name one by its number`,
    { details: { model } },
  );

/** What the training child is given of them. Throws `training.member-differs` where one cannot answer for these windows. */
export async function trainingMembers(
  { artifacts }: Pick<ActivityDeps, 'artifacts'>,
  members: readonly MemberFit[],
  prepared: () => Prepared,
): Promise<TrainingMember[]> {
  if (members.length === 0) return [];
  const data = prepared();
  const given: TrainingMember[] = [];
  for (const { model, version, manifest, fitted, trainedThrough } of members) {
    assertAlike({ model, version }, manifest, data);
    const bundle = await artifacts.get(fitted);
    given.push({ model, version, trainedThrough: Date.parse(trainedThrough), bundle });
  }
  return given;
}
