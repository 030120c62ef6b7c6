import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import type { ExperimentSpec } from './spec.ts';

/**
 * sha256 (hex) over what shapes the trained and packaged version: data, features, label, split, refit, scaling, family
 * with every hyperparameter filled in, seeds, baselines, confidence and serving. Names, thresholds of quality, promotion,
 * retraining, monitoring and the flags `recollect` and `forceRetrain` do not change what comes out, so they do not change
 * the hash; nor does `data.asOf`, which says when the spec was run: two moments are told apart by their dataset hashes.
 */
export function specHash(spec: ExperimentSpec): string {
  const { recollect: _recollect, asOf: _asOf, ...data } = spec.data;
  const { abstain, ...serving } = spec.serving;
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
    // Fields that came later count where they are set: versions from before keep their hash.
    serving: { ...serving, ...(abstain && { abstain }) },
  };
  return createHash('sha256').update(canonicalJson(shaping)).digest('hex');
}
