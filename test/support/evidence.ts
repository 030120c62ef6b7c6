import { flatMetrics, type Evaluation } from '../../core/evaluation/index.ts';
import type { Evidence } from '../../core/policies/policy.ts';

/** The evidence sheet of an evaluation, as the gate's activity makes it. */
export function evidenceOf(evaluation: Evaluation, changes: Partial<Evidence> = {}): Evidence {
  return {
    model: evaluation.model,
    version: 7,
    championVersion: evaluation.champion?.version ?? null,
    comparisons: evaluation.comparisons,
    servedLoss: evaluation.seeds.find((s) => s.served)!.weightedLoss,
    metrics: flatMetrics(evaluation),
    beatsNaive: evaluation.beatsNaive,
    beatsTrainingMean: evaluation.beatsTrainingMean,
    verdict: evaluation.verdict,
    warnings: evaluation.warnings,
    independent: evaluation.rows.independent,
    power: evaluation.power,
    tries: { k: evaluation.tries.k, rowsDigest: evaluation.rows.digest },
    data: {},
    codeVersion: evaluation.codeVersion,
    ...changes,
  };
}
