import { RatchetError } from '../errors.ts';
import type { Prepared } from '../features/prepared.ts';
import type { SeenPart } from './knowledge.ts';
import type { ExportContext } from './model.ts';

/** Name of a model as a spec writes it: `{instrument}` stands for that of the unit. */
export const MODEL_TEMPLATE = /^[a-z0-9][a-z0-9._-]*(\{instrument\})?[a-z0-9._-]*$/;
/** What the template takes, for people. */
export const MODEL_TEMPLATE_RULE =
  'lower case letters, digits, ".", "_", "-", and {instrument} once where each has a model, as in "prefix-{instrument}"; ' +
  'a letter or digit first, 63 at most';

/** A version that is part of a fit, as hyperparameters name it. */
export interface RegisteredName {
  /** May be a template. */
  readonly model: string;
  /** `champion`: the one that served when the experiment was made. */
  readonly version: number | 'champion';
}

export interface RegisteredVersion {
  readonly model: string;
  readonly version: number;
}

/** What is kept of a version that is part of another fit: its evaluated weights, in its own scalers. */
export interface RegisteredParts extends RegisteredVersion {
  readonly family: string;
  /** `save()` of the fitted model. */
  readonly weights: Uint8Array;
  readonly context: Omit<ExportContext, 'multiplyByClose'>;
  /** Of a pool whose instruments are scaled each by itself: whose scalers are meant. */
  readonly instrument?: string | undefined;
}

/** A finished fit that another fit is made of. */
export interface RegisteredFit extends RegisteredParts {
  /** ms UTC: end of the newest label that it or whatever it went on from used for anything. */
  readonly knownThrough: number;
}

/** What a version says of itself, as far as it must be like the fit that it is to be part of. */
export interface MemberFacts {
  readonly featureSet: string;
  readonly featureHash: string;
  readonly lookback: number;
  readonly label: {
    readonly kind: string;
    readonly horizons: readonly number[];
    readonly params?: Readonly<Record<string, unknown>>;
  };
  readonly timeframe: string;
  readonly instruments: readonly string[];
}

export const memberName = ({ model, version }: RegisteredVersion): string =>
  `version ${version} of ${model}`;

/** The refusal of a version that cannot be a member, whatever the data. */
export const noMember = (of: RegisteredVersion, why: string): RatchetError =>
  new RatchetError('training.member', `${memberName(of)} cannot be a member: ${why}`, {
    details: { model: of.model, version: of.version },
  });

const sorted = (value: Readonly<Record<string, unknown>> = {}): [string, unknown][] =>
  Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/**
 * Throws `training.member-differs`, which names all that differs, unless a version can answer for these windows: same
 * columns, label and timeframe, windows that are not longer, every instrument among its own. A window that is shorter is
 * the newest part of the unit's.
 */
export function assertAlike(
  of: RegisteredVersion,
  facts: MemberFacts,
  prepared: Pick<
    Prepared,
    | 'featureSet'
    | 'featureHash'
    | 'lookback'
    | 'labelKind'
    | 'labelParams'
    | 'horizons'
    | 'timeframe'
    | 'instruments'
  >,
): void {
  const { label } = facts;
  const foreign = prepared.instruments.filter(({ id }) => !facts.instruments.includes(id));
  const differences = [
    facts.featureHash !== prepared.featureHash &&
      `its features are others (${facts.featureSet}, hash ${facts.featureHash.slice(0, 12)}; here ` +
        `${prepared.featureSet}, ${prepared.featureHash.slice(0, 12)})`,
    facts.lookback > prepared.lookback &&
      `its windows have ${facts.lookback} bars, here they have ${prepared.lookback}: raise lookback`,
    label.kind !== prepared.labelKind && `its label is ${label.kind}, here ${prepared.labelKind}`,
    label.kind === prepared.labelKind &&
      !same(sorted(label.params), sorted(prepared.labelParams)) &&
      `its label has ${JSON.stringify(label.params ?? {})}, here ${JSON.stringify(prepared.labelParams)}`,
    !same(label.horizons, prepared.horizons) &&
      `its horizons are ${label.horizons.join(', ')}, here ${prepared.horizons.join(', ')}`,
    facts.timeframe !== prepared.timeframe &&
      `its bars are of ${facts.timeframe}, here ${prepared.timeframe}`,
    foreign.length > 0 &&
      `it answers for ${facts.instruments.join(', ')}, not for ${foreign.map(({ id }) => id).join(', ')}`,
  ].filter((difference) => difference !== false);
  if (differences.length === 0) return;
  throw new RatchetError(
    'training.member-differs',
    `${memberName(of)} cannot be a member: ${differences.join('; ')}`,
    { details: { model: of.model, version: of.version, differences } },
  );
}

const iso = (at: number): string => new Date(at).toISOString();

/** The refusal of a member that has learnt labels of a part that is to be new to it. */
export function memberLeaks(
  of: RegisteredVersion,
  { part, through, begins }: SeenPart,
): RatchetError {
  const [knows, from] = [iso(through), iso(begins)];
  return new RatchetError(
    'training.member-leaks',
    `${memberName(of)} has learnt labels up to ${knows}, and the ${part} part begins at ${from}: it ` +
      'must be new to every member; name an older version, take smaller parts, or wait for newer bars',
    { details: { model: of.model, version: of.version, part, knows, begins: from } },
  );
}

/** The refusal of stacking where a member has no answers that are out of sample. */
export function memberKnowsTraining(
  of: RegisteredVersion,
  { through, samples, minimum }: { through: number; samples: number; minimum: number },
): RatchetError {
  return new RatchetError(
    'training.member-leaks',
    `stacking: ${memberName(of)} has learnt labels up to ${iso(through)}, which leaves ${samples} samples of the ` +
      `training part that are new to it, at least ${minimum} are needed: use method: blending (whose weights are of the ` +
      'validation part) or voting, or name an older version',
    {
      details: {
        ...{ model: of.model, version: of.version, part: 'training', knows: iso(through) },
        ...{ samples, minimum },
      },
    },
  );
}
