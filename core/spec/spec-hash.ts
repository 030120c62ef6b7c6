import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import type { ExperimentSpec } from './spec.ts';

/**
 * sha256 (hex) over what shapes the trained and packaged version: data, features, label, split, scaling, family with
 * every hyperparameter filled in, seeds, baselines, confidence and serving. Names, thresholds of quality, promotion, retraining age
 * and the flags `recollect` and `forceRetrain` do not change what comes out, so they do not change the hash.
 */
export function specHash(spec: ExperimentSpec): string {
  const { recollect: _recollect, ...data } = spec.data;
  const shaping = {
    format: 1,
    fit: spec.fit,
    data,
    features: spec.features,
    lookback: spec.lookback,
    label: spec.label,
    split: spec.split,
    refit: spec.refit,
    scaling: spec.scaling,
    family: spec.family,
    hyperparameters: spec.hyperparameters,
    seeds: spec.seeds.toSorted((a, b) => a - b),
    serve: spec.serve,
    baselines: spec.baselines.toSorted(),
    confidence: spec.confidence,
    serving: spec.serving,
  };
  return createHash('sha256').update(canonicalJson(shaping)).digest('hex');
}
