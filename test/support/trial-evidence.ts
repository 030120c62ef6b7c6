import { DEFAULT_GUARDS, type ArmFacts, type TrialEvidence } from '../../core/policies/trial.ts';
import { seededUniform } from '../../core/seeded-uniform.ts';

export const arm = (changes: Partial<ArmFacts> = {}): ArmFacts => ({
  requests: 1_000,
  errors: 0,
  abstained: 0,
  p95Ms: 2,
  ...changes,
});

/**
 * Evidence of a trial with seeded losses: the champion's are 1 on average, the challenger's `gain` lower.
 * Both vary together, and a little apart.
 */
export function trialEvidence(
  rows: number,
  gain: number,
  changes: Partial<TrialEvidence> = {},
): TrialEvidence {
  const uniform = seededUniform(17);
  const champion = new Float64Array(rows);
  const challenger = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    champion[i] = 0.5 + uniform();
    challenger[i] = champion[i]! * (1 - gain) + 0.1 * (uniform() - 0.5);
  }
  return {
    kind: 'shadow',
    mode: 'prove',
    version: 7,
    championVersion: 3,
    losses: { champion, challenger },
    horizon: 1,
    arms: { champion: arm(), challenger: arm() },
    guards: DEFAULT_GUARDS,
    elapsed: 10,
    maxDays: 60,
    barsPerSession: 24,
    minIndependent: 20,
    guarantee: 'asymptotic',
    clipScale: 0.2,
    alpha: 0.03,
    steps: [],
    stepDays: 1,
    ...changes,
  };
}
