import { RatchetError } from '../core/errors.ts';
import { taskOf } from '../core/evaluation/task.ts';
import { decodePrepared, outputsOf, samplesOf, type Prepared } from '../core/features/prepared.ts';
import { labelKindOrThrow } from '../core/labels/index.ts';
import { meanByTime, groupByTime } from '../core/metrics/bootstrap.ts';
import { meanOf } from '../core/metrics/metric.ts';
import { decodeBundle } from '../core/models/bundle.ts';
import { modelFamilyOrThrow } from '../core/models/index.ts';
import { openSession } from '../core/onnx/session.impl.ts';
import { lossWeightsOf } from '../core/spec/loss-weights.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import type { ArtifactRef } from '../workflows/messages.ts';
import type { FitResult } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';
import { forecastRows } from './forecast-rows.ts';

/**
 * The loss that versions are compared by (core/evaluation), of a fit's graph over the validation part: mean over time
 * stamps. It weighs horizons as the spec does, whatever a trial's own loss weights are, so that trials compare. Of a family
 * that learns by trading it is what its own validation found, minus the reward: a log loss would choose who dares least.
 * Throws `search.loss-not-finite`.
 */
export async function validationLossOf(
  { artifacts, heartbeat }: Pick<ActivityDeps, 'artifacts'> & { readonly heartbeat: () => void },
  of: {
    readonly spec: ExperimentSpec;
    readonly prepared: ArtifactRef;
    readonly fit: Pick<FitResult, 'fitted'>;
  },
): Promise<number> {
  const bundle = decodeBundle(await artifacts.get(of.fit.fitted));
  if (modelFamilyOrThrow(bundle.family).traits.learnsByTrading) return bundle.summary.bestValidLoss;
  const prepared = decodePrepared(await artifacts.get(of.prepared));
  const { valid } = prepared.split;
  const session = await openSession(bundle.graphs.model, { threads: 1 });
  try {
    const source = { ...prepared, featureCount: prepared.featureNames.length };
    const predictions = await forecastRows(session, source, valid, {
      lookback: prepared.lookback,
      outputs: outputsOf(prepared),
      onChunk: heartbeat,
    });
    const loss = lossOf(of.spec, prepared, predictions);
    if (Number.isFinite(loss)) return loss;
  } finally {
    await session.release();
  }
  throw new RatchetError('search.loss-not-finite', 'its validation loss is not finite');
}

function lossOf(spec: ExperimentSpec, prepared: Prepared, predictions: Float64Array): number {
  const { split, horizons, trainLabelVariance, classes } = prepared;
  const openTime = Float64Array.from(split.valid, (row) => prepared.openTime[row]!);
  const label = labelKindOrThrow(prepared.labelKind);
  const rows = { openTime, labels: samplesOf(prepared, split.valid).labels };
  const facts = { label, rows, horizons, trainLabelVariance, classes };
  const losses = taskOf(label).losses({ ...facts, lossWeights: lossWeightsOf(spec) }, predictions);
  return meanOf(meanByTime(losses, groupByTime(openTime)));
}
