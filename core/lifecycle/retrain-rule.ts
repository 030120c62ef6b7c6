/**
 * When a model is trained again. One rule for the lifecycle and for the simulation of false retrains
 * (docs/drift-simulation.md): facts in, an action in words out. Spans are sessions of market time.
 */

/** Why a retrain may be asked for. `cadence` and `stale` follow from the facts themselves. */
export type RetrainReason = 'loss' | 'input-twice' | 'stale' | 'cadence' | 'asked';

export interface RetrainRule {
  /** Sessions between trainings; null: only on a reason. */
  readonly every: number | null;
  /** Least sessions between two trainings of a reason. */
  readonly cooldown: number;
  /** Sessions after which a model is stale. */
  readonly maxAge: number;
  /** Training minutes a day of wall time. */
  readonly budgetMinutes: number;
}

export interface RetrainFacts {
  readonly championVersion: number | null;
  /** Why it is frozen; null: it is not. */
  readonly frozen: string | null;
  /** Sessions since the last label that the champion learnt from. */
  readonly age: number;
  /** Sessions since the newest retrain began; null: none yet. */
  readonly sinceRetrain: number | null;
  readonly retrainRunning: boolean;
  readonly trialRunning: boolean;
  /** Of the last 24 hours. */
  readonly budgetUsedMinutes: number;
}

/** What stands between a reason and its retrain. */
export type RetrainObstacle =
  'no-champion' | 'frozen' | 'retrain-running' | 'trial-running' | 'cooldown' | 'budget';

export type RetrainDecision =
  | { readonly action: 'retrain'; readonly reasons: readonly RetrainReason[] }
  | {
      readonly action: 'wait';
      /** The reasons that stand; they are looked at again, and a further one joins them. */
      readonly reasons: readonly RetrainReason[];
      /** Why not now, in words; clauses without a full stop. */
      readonly why: readonly string[];
      /** The same by name; empty where nothing asks for a retrain. */
      readonly obstacles: readonly RetrainObstacle[];
      /** Sessions until it may or will happen, as far as the calendar tells; null: not by time alone. */
      readonly inSessions: number | null;
    };

/** Decides on `reasons` and on what the facts give reason for. Total and pure. */
export function decideRetrain(
  facts: RetrainFacts,
  asked: readonly RetrainReason[],
  rule: RetrainRule,
): RetrainDecision {
  const reasons = [...new Set([...asked, ...dueReasons(facts, rule)])];
  if (reasons.length === 0) return nothingAsks(facts, rule);
  const obstacles = obstaclesTo(facts, reasons, rule);
  if (obstacles.length === 0) return { action: 'retrain', reasons };
  const spans = obstacles.map(({ inSessions }) => inSessions);
  return {
    action: 'wait',
    reasons,
    why: obstacles.map(({ why }) => why),
    obstacles: obstacles.map(({ name }) => name),
    inSessions: spans.some((span) => span === null) ? null : Math.max(...spans.map(Number)),
  };
}

function dueReasons(facts: RetrainFacts, rule: RetrainRule): RetrainReason[] {
  if (facts.championVersion === null) return [];
  const due: RetrainReason[] = [];
  if (facts.age > rule.maxAge) due.push('stale');
  if (rule.every !== null && (facts.sinceRetrain ?? facts.age) >= rule.every) due.push('cadence');
  return due;
}

function nothingAsks(facts: RetrainFacts, rule: RetrainRule): RetrainDecision {
  if (facts.championVersion === null) {
    const why = 'there is no champion yet, so there is nothing to retrain: run an experiment';
    return { action: 'wait', reasons: [], why: [why], obstacles: [], inSessions: null };
  }
  const untilStale = Math.max(0, rule.maxAge + 1 - facts.age);
  const untilCadence =
    rule.every === null ? Infinity : Math.max(0, rule.every - (facts.sinceRetrain ?? facts.age));
  const inSessions = Math.min(untilStale, untilCadence);
  const cause = untilCadence <= untilStale ? 'by its cadence' : 'because it is stale by then';
  return {
    action: 'wait',
    reasons: [],
    why: [`nothing asks for a retrain; the next one comes in ${sessions(inSessions)} ${cause}`],
    obstacles: [],
    inSessions,
  };
}

interface Obstacle {
  readonly name: RetrainObstacle;
  readonly why: string;
  readonly inSessions: number | null;
}

function obstaclesTo(
  facts: RetrainFacts,
  reasons: readonly RetrainReason[],
  rule: RetrainRule,
): Obstacle[] {
  const found: Obstacle[] = [];
  const block = (name: RetrainObstacle, why: string, inSessions: number | null = null): void => {
    found.push({ name, why, inSessions });
  };
  if (facts.championVersion === null)
    block('no-champion', 'there is no champion yet: run an experiment');
  if (facts.frozen !== null) block('frozen', `the model is frozen (${facts.frozen}): unfreeze it`);
  if (facts.retrainRunning) block('retrain-running', 'a retrain is under way');
  if (facts.trialRunning)
    block('trial-running', 'a challenger is on trial, and one is tried at a time');
  const left = facts.sinceRetrain === null ? 0 : rule.cooldown - facts.sinceRetrain;
  // Who asks by hand need not wait for a cooldown; cadence is a wait of its own.
  if (left > 0 && reasons.some((reason) => reason !== 'asked' && reason !== 'cadence')) {
    if (!reasons.includes('asked'))
      block('cooldown', `the cooldown lasts ${sessions(left)} more`, left);
  }
  if (facts.budgetUsedMinutes >= rule.budgetMinutes) {
    const used = Math.round(facts.budgetUsedMinutes);
    block(
      'budget',
      `the day's training budget is used up (${used} of ${rule.budgetMinutes} minutes)`,
    );
  }
  return found;
}

const sessions = (n: number): string => (n === 1 ? '1 session' : `${n} sessions`);
