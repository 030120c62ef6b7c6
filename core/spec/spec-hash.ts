import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import { outliersOf } from './outliers.ts';
import { compressionRulesOf } from './package-schema.ts';
import type { ExperimentSpec } from './spec.ts';

/**
 * sha256 (hex) over what shapes the trained and packaged version: data, features, label, split, refit, scaling, family
 * with every hyperparameter filled in, seeds, baselines, confidence and serving. Names, thresholds of quality, promotion,
 * retraining, monitoring and the flags `recollect` and `forceRetrain` do not change what comes out, so they do not change
 * the hash; nor does `serving.strategy`, which changes no version, nor `data.asOf`, which says when the spec was
 * run: two moments are told apart by their dataset hashes.
 */
export function specHash(spec: ExperimentSpec): string {
  const { recollect: _recollect, asOf: _asOf, missingHead, ...data } = spec.data;
  const { abstain, strategy: _strategy, ...serving } = spec.serving;
  const shaping = {
    format: 1,
    fit: spec.fit,
    data: { ...data, ...(missingHead === 'drop' && { missingHead }) },
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
    ...(spec.continueFrom && { continueFrom: spec.continueFrom }),
    ...(spec.tune && { tune: spec.tune }),
    ...(outliersOf(spec) && { training: spec.training }),
    ...(compressionRulesOf(spec) && { package: spec.package }),
  };
  return createHash('sha256').update(canonicalJson(shaping)).digest('hex');
}

/**
 * sha256 (hex) over what a retrain of a template keeps of it (see `retrainSpec`): the same template on newer bars has the
 * same hash, whatever split and refit it was trained by and where its bars ended. Of a template for each instrument any
 * instrument: models are told apart by their names.
 */
export function templateHash(spec: ExperimentSpec): string {
  const { to: _to, instruments, ...data } = spec.data;
  const lasting = instruments.map(({ id, missing }) => ({ id, ...(missing && { missing }) }));
  const kept = spec.fit === 'pooled' ? lasting : [];
  const split = { kind: 'recent', trainBars: 0, validBars: 0, testBars: 0 } as const;
  const same = { ...split, purge: 'auto', embargo: 'auto' } as const;
  return specHash({ ...spec, data: { ...data, instruments: kept }, split: same, refit: 'none' });
}
