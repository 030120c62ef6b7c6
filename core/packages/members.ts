import type { FitSummary } from '../models/model.ts';
import type { Manifest, PackagedMember } from './manifest.ts';

/** What a manifest says of a fit's members; undefined where all were fitted with it. */
export function packagedMembers({
  members = [],
}: Pick<FitSummary, 'members'>): Manifest['members'] {
  if (!members.some(({ registered }) => registered)) return undefined;
  return members.map(({ family, registered, summary }): PackagedMember => {
    if (!registered) return { family };
    const { model, version } = registered;
    return { family, model, version, weightsDigest: summary.weightsDigest };
  });
}

/** The members in words, one each. */
export const memberNames = (members: NonNullable<Manifest['members']>): string[] =>
  members.map((member) =>
    'model' in member
      ? `version ${member.version} of ${member.model} (${member.family}, weights ${member.weightsDigest})`
      : `${member.family}, fitted with it`,
  );

/** Which versions are in it, for the card. */
export const memberWords = (members: NonNullable<Manifest['members']>): string =>
  `Made of ${memberNames(members).join('; ')}. Registered versions are copied in: what becomes of ` +
  'them changes nothing here.';
