import { z } from 'zod';
import { judgeTrial } from './judge.ts';
import { definePolicy } from './policy.ts';

const params = z.object({});

/** For versions that are only to be looked at: those of backtests. */
export const never = definePolicy({
  name: 'never',
  docs: 'Registers versions and promotes none of them: for backtests and comparisons. A person still can (`ratchet promote`).',
  params,
  trials: ['none'],
  decide(evidence) {
    return {
      verdict: 'reject',
      reasons: ['Its spec says that no version of this model is promoted by itself'],
      evidence: { ...evidence, policy: 'never', alphaK: 0 },
    };
  },
  // No trial of it can begin; the strictest rule stands here.
  judge: (evidence) => judgeTrial(evidence, { margin: 0, proved: '' }),
});
