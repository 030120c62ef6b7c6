import { createHash } from 'node:crypto';
import {
  type FitContext,
  type FitSummary,
  type FittedModel,
  type ModelImplementation,
  type Samples,
  twinLacks,
  unlikeParent,
} from './model.ts';
import type { Rates } from './network/progress.ts';
import type { PolicyGradientParams } from './policy-gradient.ts';
import { fittedPolicy, policyStateOf, thetaDigest } from './policy/fitted.ts';
import { initialTheta, type PolicyShape, type Theta } from './policy/network.ts';
import { barDeviation, marketOf, piecesOf, type PieceRules } from './policy/pieces.ts';
import { trainPolicy, type PolicyCourse, type PolicyResult } from './policy/training.ts';
import { assertUsable } from './scaled.ts';

/** What chooses epoch and learning rates: validation rows, or the fit that is repeated. */
type Chooser = { readonly valid: Samples } | { readonly rates: Rates };

/** Where a training begins: the weights of its parent, or every action equally likely. */
function initialWeights(shape: PolicyShape, { seed, parent }: FitContext): Theta {
  if (parent === undefined) return initialTheta(shape, seed);
  const before = policyStateOf(parent);
  const keys = Object.keys(shape) as (keyof PolicyShape)[];
  if (keys.some((key) => before.shape[key] !== shape[key])) throw unlikeParent('layers');
  return before.theta;
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Int32Array | Uint8Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Everything that decides the weights but how long is trained: a checkpoint that says otherwise is of another fit. */
function fingerprintOf(
  { epochs: _epochs, ...params }: PolicyGradientParams,
  train: Samples,
  chooser: Chooser,
  { seed, parent }: FitContext,
): string {
  const { featureCount, horizons, classes } = train;
  const followed = 'rates' in chooser ? chooser.rates : null;
  const asked = { kind: 'policy', params, seed, featureCount, horizons, classes, followed };
  const hash = createHash('sha256').update(JSON.stringify(asked));
  if (parent) hash.update(parent);
  for (const { endRow } of 'valid' in chooser ? [train, chooser.valid] : [train]) {
    hash.update(bytesOf(endRow));
  }
  return hash.digest('hex');
}

/** Trains a policy of these rows; no bar of another part but the one after each last sample is looked at. */
async function train(
  params: PolicyGradientParams,
  rows: { readonly train: Samples; readonly chooser: Chooser },
  context: FitContext,
): Promise<{ readonly shape: PolicyShape; readonly result: PolicyResult }> {
  const { train: samples, chooser } = rows;
  assertUsable(samples, 'train', 'last-row');
  if ('valid' in chooser) assertUsable(chooser.valid, 'valid', 'last-row');
  const shape: PolicyShape = {
    inputs: samples.featureCount,
    hidden: params.hidden,
    classes: samples.classes,
    horizons: samples.horizons.length,
  };
  const plan: PieceRules = {
    scaler: context.scalers.features,
    rules: params.market,
    openEpisode: context.openEpisode,
    decisionsMax: params.episodeBars,
  };
  const pieces = piecesOf(samples, plan);
  const course: PolicyCourse =
    'valid' in chooser
      ? { kind: 'choose', valid: piecesOf(chooser.valid, { ...plan, decisionsMax: Infinity }) }
      : { kind: 'follow', rates: chooser.rates };
  const result = await trainPolicy({
    setting: {
      shape,
      positions: marketOf(samples).positions,
      horizons: samples.horizons,
      deviation: barDeviation(pieces),
      rollouts: params.rollouts,
      entropy: params.entropy,
    },
    rules: params,
    initial: initialWeights(shape, context),
    pieces,
    course,
    context,
    fingerprint: fingerprintOf(params, samples, chooser, context),
  });
  return { shape, result };
}

/** The learning rates that led the twin to the weights it kept; throws `training.twin` where they are not there. */
function ratesOf({ history, bestEpoch }: FitSummary): Rates {
  const rates = history.slice(0, bestEpoch).map(({ learningRate }) => learningRate);
  if (rates.length === 0 || rates.length < bestEpoch) throw twinLacks('its learning rates');
  return rates;
}

function fitted(
  { shape, result }: { readonly shape: PolicyShape; readonly result: PolicyResult },
  bestValidLoss: number,
  { scalers }: FitContext,
): FittedModel {
  const { theta, bestEpoch, history } = result;
  const summary: FitSummary = {
    epochsRun: history.length,
    bestEpoch,
    bestValidLoss,
    weightsDigest: thetaDigest(theta),
    history,
  };
  return fittedPolicy({ shape, theta, scalers, summary });
}

export const implementation: ModelImplementation<PolicyGradientParams> = {
  async fit(params, samples, valid, context) {
    const trained = await train(params, { train: samples, chooser: { valid } }, context);
    return fitted(trained, trained.result.bestValidLoss!, context);
  },
  async refit(params, twin, samples, context) {
    const rates = ratesOf(twin);
    const trained = await train(params, { train: samples, chooser: { rates } }, context);
    return fitted(trained, twin.bestValidLoss, context);
  },
  restore: async (bytes) => fittedPolicy(policyStateOf(bytes)),
};
