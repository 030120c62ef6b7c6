/** Registered versions as parts of another fit. */
import type { Prepared } from '../features/prepared.ts';
import { labelClasses, labelKindOrThrow } from '../labels/index.ts';
import type { FitBundle } from './bundle.ts';
import { modelFamilyOrThrow } from './index.ts';
import { knowledgeOfVersion, seenPart, type Knowledge } from './knowledge.ts';
import type { ExportContext } from './model.ts';
import { memberLeaks, noMember, type RegisteredFit, type RegisteredVersion } from './registered.ts';
import type { SeenData } from './seen-data.ts';

/** Of a version that is part of another fit: its evaluated fit bundle, and through when it was trained. */
export interface FitMember
  extends
    RegisteredVersion,
    Pick<FitBundle, 'family' | 'params' | 'weights' | 'knowledge' | 'context'> {
  /** ms UTC. */
  readonly trainedThrough: number;
}

/** What a member has learnt from and been chosen by. */
export const knowledgeOfMember = ({ trainedThrough, knowledge }: FitMember): Knowledge =>
  knowledgeOfVersion(trainedThrough, knowledge);

/** Native libraries that members answer by. */
export async function librariesOf(
  members: readonly FitMember[],
): Promise<Readonly<Record<string, string>>> {
  const libraries: Record<string, string> = {};
  for (const { family, params } of members) {
    const { implementation } = await modelFamilyOrThrow(family).load();
    Object.assign(libraries, implementation.libraries?.(params));
  }
  return libraries;
}

/** Fits that learn nothing have weights like those of other data: what is kept under their digest may be of those. */
function readsLike(
  { featureNames, lookback, horizons, classes }: Omit<ExportContext, 'multiplyByClose'>,
  prepared: Prepared,
): boolean {
  const names = JSON.stringify([featureNames, horizons, classes]);
  const own = labelClasses(labelKindOrThrow(prepared.labelKind));
  const here = JSON.stringify([prepared.featureNames, prepared.horizons, own]);
  return names === here && lookback <= prepared.lookback;
}

/**
 * The members as the family is given them. Throws `training.member-leaks` where one has learnt what this fit is judged on,
 * `training.member` where its windows or labels are not those of the data that the family sees.
 */
export function registeredFits(
  members: readonly FitMember[],
  prepared: Prepared,
  { instrumentScalers }: SeenData,
): RegisteredFit[] {
  return members.map((member) => {
    const { model, version, family, weights, context } = member;
    const leak = seenPart(knowledgeOfMember(member), prepared);
    if (leak) throw memberLeaks(member, leak);
    if (instrumentScalers) {
      throw noMember(member, 'the family sees each instrument scaled: use scaling: { per: unit }');
    }
    const { multiplyByClose: _price, ...own } = context;
    if (!readsLike(own, prepared)) {
      throw noMember(member, 'the weights that are kept of it are those of other data');
    }
    const [only, ...others] = prepared.instruments.map(({ id }) => id);
    if (own.instrumentScalers && (others.length > 0 || !(only! in own.instrumentScalers))) {
      throw noMember(member, 'it scales each instrument by itself: use it in a fit of one of them');
    }
    return {
      ...{ model, version, family, weights, context: own },
      ...(own.instrumentScalers && { instrument: only! }),
      knownThrough: knowledgeOfMember(member).knownThrough,
    };
  });
}
