import { createHash } from 'node:crypto';
import { RatchetError } from '../errors.ts';
import { meanOfModels, meanOfMonteCarlo } from '../onnx/mean-of-models.ts';
import type { FitBundle } from './bundle.ts';
import type { ExportedGraphs } from './model.ts';

/**
 * Fits of one family on the same data with different seeds as one: graphs that give the mean of what they give.
 * `served` stands for all where one seed has to be named. Nothing is known of the mean's trees or contributions, and
 * nothing goes on from its weights. Throws `model.ensemble` where the fits do not belong together.
 */
export function seedEnsemble(bundles: readonly FitBundle[], served: number): FitBundle {
  const named = bundles.find(({ seed }) => seed === served);
  if (named === undefined || bundles.length < 2) {
    throw new RatchetError('model.ensemble', `a mean of seeds needs two, and seed ${served}`);
  }
  const { native: _native, summary, ...rest } = named;
  const { importance: _importance, ...facts } = summary;
  return {
    ...rest,
    summary: { ...facts, weightsDigest: digestOf(bundles) },
    weights: new Uint8Array(0),
    graphs: meanGraphs(bundles.map(({ graphs }) => graphs)),
    probes: meanProbes(bundles.map(({ probes }) => probes)),
    equality: {
      maxRelative: Math.max(...bundles.map(({ equality }) => equality.maxRelative)),
      rows: Math.min(...bundles.map(({ equality }) => equality.rows)),
    },
  };
}

/** Of all weights, in the order of the seeds. */
function digestOf(bundles: readonly FitBundle[]): string {
  const hash = createHash('sha256');
  for (const { seed, summary } of bundles) hash.update(`${seed} ${summary.weightsDigest}\n`);
  return hash.digest('hex');
}

function meanGraphs(graphs: readonly ExportedGraphs[]): ExportedGraphs {
  const sampled = graphs.flatMap(({ monteCarlo }) => (monteCarlo ? [monteCarlo] : []));
  const model = meanOfModels(graphs.map((one) => one.model));
  return sampled.length < graphs.length
    ? { model }
    : { model, monteCarlo: meanOfMonteCarlo(sampled) };
}

/** What the trained models answer on the same windows, averaged: what the joined graph has to give. */
function meanProbes(probes: readonly FitBundle['probes'][]): FitBundle['probes'] {
  const [first] = probes;
  const { rows } = first!;
  const same = probes.every(
    (other) => other.rows.length === rows.length && other.rows.every((row, i) => row === rows[i]),
  );
  if (!same) throw new RatchetError('model.ensemble', 'the fits were probed on different windows');
  const predictions = first!.predictions.map(
    (_, i) => probes.reduce((sum, one) => sum + one.predictions[i]!, 0) / probes.length,
  );
  return { rows, predictions };
}
