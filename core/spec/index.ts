/** The experiment spec: parse it, name it by content, and expand it into units of training. */
export { askedModel, askedModels } from './asked-models.ts';
export { backtestFolds, type BacktestFold } from './backtest-folds.ts';
export {
  backtestSpecSchema,
  foldExperiment,
  foldModel,
  parseBacktestSpec,
  type BacktestSpec,
} from './backtest-spec.ts';
export { canonicalJson } from './canonical-json.ts';
export { FOLDS_MAX, tooManyFolds } from './fold-limits.ts';
export { expandUnits, instrumentSlug, modelOfUnit, type FitUnit } from './fit-units.ts';
export { knownKeysAt } from './known-keys.ts';
export { missingRulesOf } from './missing-rules.ts';
export { nearestName } from './nearest-name.ts';
export { lossWeightsOf } from './loss-weights.ts';
export {
  parseSpec,
  parseStoredSpec,
  type KnownDataset,
  type SpecCatalogues,
} from './parse-spec.ts';
export { memberModels } from './registered-members.ts';
export { parseStrategy } from './parse-strategy.ts';
export {
  retrainSpec,
  takesOverSizes,
  type RetrainRequest,
  type SplitSizes,
} from './retrain-spec.ts';
export { issueText, SpecError, type SpecIssue } from './spec-error.ts';
export { specHash, templateHash } from './spec-hash.ts';
export type { ExperimentSpec, ExperimentSpecInput } from './spec.ts';
export type { Refit } from './lifecycle-schema.ts';
export { tunedSpaceOf } from './tune.ts';
export type { Tune } from './tune-schema.ts';
export type { TrialSpec } from './promotion-schema.ts';
