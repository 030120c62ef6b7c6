import type { AdviceFacts } from '../../core/advice/index.ts';

/** Facts by which the rule gives .8 x .5 x 1 x .5 x .5 = .1. */
export const FACTS: AdviceFacts = {
  signal: {
    ...{ source: 'model', score: 0.28, strongScore: 0.35, probability: 0.64, confidence: 0.5 },
    ...{ expectedChange: 0.0123456789, horizonBars: 7, beatsNaive: true, abstain: false },
  },
  market: { volatility: 0.3, drawdown: 0.04, change: -0.02, emergencyScore: 0.1 },
  account: { equity: 12_345.678912, cashShare: 0.9, exposure: 0.1, position: 0.1, drawdown: 0.1 },
};

/** The same with some facts of the signal changed. */
export const factsWith = (signal: Partial<AdviceFacts['signal']>): AdviceFacts => ({
  ...FACTS,
  signal: { ...FACTS.signal, ...signal },
});
