import { RatchetError } from '../errors.ts';
import { crypto46 } from './crypto-46.ts';
import { daily22 } from './daily-22.ts';
import type { FeatureSet } from './feature-set.ts';
import type { Levels } from './levels.ts';
import { technical152 } from './technical-152.ts';

/** What a spec may call a set: one that is the same in any units, or one that comes in two. */
type CatalogueEntry = FeatureSet | Readonly<Record<Levels, FeatureSet>>;

/** By the name that a spec gives. A new one: a file in this folder and an entry here. */
const catalogue: ReadonlyMap<string, CatalogueEntry> = new Map<string, CatalogueEntry>([
  ['technical-152', technical152],
  ['crypto-46', crypto46],
  ['daily-22', daily22],
]);

/** Names of sets that a spec may give. */
export const featureSetNames: readonly string[] = [...catalogue.keys()];

/** All feature sets by their full name, which says the units of a set that has levels. */
export const featureSets: ReadonlyMap<string, FeatureSet> = new Map(
  [...catalogue.values()]
    .flatMap((entry) => ('hash' in entry ? [entry] : [entry.relative, entry.raw]))
    .map((set) => [set.name, set]),
);

/** A set of the catalogue, as a spec names it. */
export interface FeatureChoice {
  readonly set: string;
  readonly levels?: Levels;
}

/** Units of a set that has levels where a spec does not say them. */
const DEFAULT_LEVELS: Levels = 'relative';

/**
 * The choice with its units filled in where the set has levels (`relative`).
 * Throws `features.unknown` and, where a set without levels is given units, `features.levels`.
 */
export function completeChoice({ set, levels }: FeatureChoice): FeatureChoice {
  const entry = catalogue.get(set);
  if (entry === undefined) throw unknown(set, featureSetNames);
  if (!('hash' in entry)) return { set, levels: levels ?? DEFAULT_LEVELS };
  if (levels === undefined) return { set };
  throw new RatchetError('features.levels', `${set} has no levels: it is the same in any units`, {
    details: { name: set, levels },
  });
}

/** The set of a choice; throws as `completeChoice` does. */
export function chosenSet(choice: FeatureChoice): FeatureSet {
  const { set, levels } = completeChoice(choice);
  return featureSetOrThrow(levels === undefined ? set : `${set}-${levels}`);
}

/** Looks a feature set up by its full name; throws `features.unknown` with the names that exist. */
export function featureSetOrThrow(name: string): FeatureSet {
  const found = featureSets.get(name);
  if (found === undefined) throw unknown(name, [...featureSets.keys()]);
  return found;
}

const unknown = (name: string, known: readonly string[]): RatchetError =>
  new RatchetError(
    'features.unknown',
    `no feature set is named "${name}"; there are ${known.join(', ')}`,
    { details: { name, known } },
  );
