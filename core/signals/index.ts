/** Signals: an answer as a five-step recommendation, when to leave at once, and what stands in where no model can answer. */
export {
  cutsSchema,
  recommend,
  RECOMMENDATIONS,
  stepOf,
  type Cuts,
  type Recommendation,
  type Recommended,
} from './recommendation.ts';
export {
  EMERGENCY_STOP,
  EMERGENCY_WARMUP_BARS,
  emergencyColumns,
  emergencyScore,
  twoSidedScore,
  type EmergencyColumns,
  type EmergencyScore,
} from './emergency.ts';
export {
  HEURISTIC_BARS,
  HEURISTIC_WARMUP_BARS,
  heuristicSignal,
  type HeuristicSignal,
  type HeuristicTerms,
} from './heuristic.ts';
