import { z } from 'zod';
import { blockMeans, blockRows } from '../metrics/sequential.ts';
import { studentTCdf } from '../metrics/student-t.ts';
import { beatsChampion } from './beats-champion.ts';
import { definePolicy } from './policy.ts';
import type { TrialEvidence } from './trial.ts';

const params = beatsChampion.params.extend({
  floor: z
    .number()
    .min(0.01)
    .max(0.5)
    .default(0.1)
    .describe('Least share of the traffic that either version keeps, for exploration.'),
});

/** A bandit routes the canary's traffic; what promotes is still proof. */
export const thompson = definePolicy({
  name: 'thompson',
  docs:
    'For a canary: the share of the traffic that the challenger answers follows the probability that it is the better ' +
    'of the two (Thompson sampling by the posterior of the block means of the loss difference), and never leaves ' +
    '[floor, 1 - floor]. Routing only saves loss while the trial runs; it promotes by the same proof as beats-champion.',
  params,
  trials: ['canary'],
  decide(evidence, settings) {
    const decided = beatsChampion.decide(evidence, settings);
    return { ...decided, evidence: { ...decided.evidence, policy: 'thompson' } };
  },
  judge(evidence, settings) {
    const decided = beatsChampion.judge(evidence, settings);
    if (decided.verdict !== 'continue' || evidence.kind !== 'canary') return decided;
    const probability = probabilityBetter(evidence);
    const share = Math.min(1 - settings.floor, Math.max(settings.floor, probability));
    return { ...decided, share };
  },
});

/**
 * Posterior probability that the challenger's mean loss is lower: P(t_(k-1) < mean / (sd / sqrt k)) over the k block
 * means of the difference (normal blocks, flat priors; SD with ddof 1); 1/2 before two blocks, or where nothing varies.
 * Source: Thompson 1933; Chapelle and Li 2011, "An empirical evaluation of Thompson sampling".
 */
export function probabilityBetter({ losses, horizon }: TrialEvidence): number {
  const differences = losses.champion.map((loss, i) => loss - losses.challenger[i]!);
  const means = blockMeans(differences, blockRows(horizon));
  const k = means.length;
  if (k < 2) return 0.5;
  const mean = means.reduce((sum, x) => sum + x, 0) / k;
  const variance = means.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (k - 1);
  if (!(variance > 0)) return 0.5;
  return studentTCdf(mean / Math.sqrt(variance / k), k - 1);
}
