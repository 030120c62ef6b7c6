import { RatchetError } from '../../errors.ts';
import { isRegistered, type EnsembleMember, type EnsembleParams } from '../ensemble.ts';
import type { FitContext, MemberSummary, Samples } from '../model.ts';
import { memberKnowsTraining, type RegisteredFit } from '../registered.ts';
import { forecastAfter, forecastBlocks, LEARN_MIN, type ForecastBlock } from './blocks.ts';

/** The registered versions by place of the member; a fit is given as many as its hyperparameters name. */
export function registeredByPlace(
  { members }: EnsembleParams,
  { registered = [] }: FitContext,
): (RegisteredFit | undefined)[] {
  const given = registered.values();
  return members.map((member) => {
    if (!isRegistered(member)) return undefined;
    const { value } = given.next();
    if (value) return value;
    throw new RatchetError('training.member', `${member.model} was not given to the fit`);
  });
}

/** Is the summary that of this member? */
export function isOf(member: EnsembleMember, { family, registered }: MemberSummary): boolean {
  if (!isRegistered(member)) return registered === undefined && family === member.family;
  return registered?.model === member.model && registered.version === member.version;
}

/**
 * Training rows that are forecast for the stacker: new to the members fitted for it, and to every registered version.
 * Throws `training.member-leaks` where fewer than 30 are.
 */
export function blocksNewTo(
  registered: readonly (RegisteredFit | undefined)[],
  train: Samples,
  folds: number,
): readonly ForecastBlock[] {
  const blocks = forecastBlocks(train, folds);
  const [first, ...others] = registered.filter((version) => version !== undefined);
  if (first === undefined) return blocks;
  const newest = others.reduce((a, b) => (b.knownThrough > a.knownThrough ? b : a), first);
  const left = forecastAfter(blocks, train, newest.knownThrough);
  const samples = left.reduce((sum, { forecast }) => sum + forecast.length, 0);
  if (samples >= LEARN_MIN) return left;
  const { knownThrough: through } = newest;
  throw memberKnowsTraining(newest, { through, samples, minimum: LEARN_MIN });
}
