/** What goes to and fro between the lifecycle of a model, its children, the API and the schedules. */
import type { RetrainReason } from '../core/lifecycle/retrain-rule.ts';
import type { PromoteOutcome } from './messages.ts';

export type { RetrainReason };

/** Types, and names of Signals and Updates: clients know no workflow code. */
export const LIFECYCLE = 'lifecycle';
export const SIGNALS = {
  /** Everything known at `asOf` is settled: trials and cadence look again. */
  tick: 'tick',
  /** A drift report asks for a retrain. */
  drift: 'drift',
  /** A registered version wants to be tried. */
  challenger: 'challenger',
  /** To a trial: a person decided. */
  judgement: 'judgement',
} as const;
export const UPDATES = {
  promote: 'promote',
  rollback: 'rollback',
  approve: 'approve',
  reject: 'reject',
  freeze: 'freeze',
  unfreeze: 'unfreeze',
} as const;

export interface ModelRef {
  readonly model: string;
}

/** An instant of market time, ISO. */
export interface AtMarketTime {
  readonly asOf: string;
}

export interface DriftSignal extends AtMarketTime {
  readonly reasons: readonly RetrainReason[];
  readonly reportId: string;
}

export interface ChallengerSignal {
  readonly version: number;
  readonly experimentId: string;
  /** Decision of the offline gate; `trialId` follows from it. */
  readonly decisionId: string;
}

/** Who asks, and why: goes on record. */
export interface Asked {
  readonly actor: string;
  readonly reason: string;
}

export interface PromoteRequest extends Asked {
  readonly promotionId: string;
  readonly version: number;
  readonly expectedGeneration: number;
  /** `rollback` is a promotion of an earlier version, with another name on record. */
  readonly kind: 'promote' | 'rollback';
}

export interface FreezeRequest extends Asked {
  /** Names the request: repeated, it changes nothing. */
  readonly requestKey: string;
}

/** About the running trial. */
export interface AskedOfTrial extends Asked {
  /** Version that the asker looked at: a trial of another one is refused. */
  readonly version?: number;
}

export interface JudgementRequest extends AskedOfTrial {
  readonly decision: 'approve' | 'reject';
}

/** Carried over when the entity continues as new: nothing that PostgreSQL holds. */
export interface LifecycleInput extends ModelRef {
  readonly carried?: {
    readonly asOf: string | null;
    readonly reasons: readonly RetrainReason[];
    readonly reportId: string | null;
    readonly challenger: ChallengerSignal | null;
    /** Something came that was not looked at. */
    readonly news: boolean;
  };
}

export interface TrialInput extends ModelRef {
  readonly trialId: string;
  /** Newest market time known to the parent; null: none yet. */
  readonly asOf: string | null;
}

export interface TrialOutcome {
  readonly status: 'promoted' | 'rejected' | 'undecided' | 'aborted' | 'superseded';
  readonly reasons: readonly string[];
  readonly promotion?: PromoteOutcome;
}

export interface RetrainInput extends ModelRef, AtMarketTime {
  readonly retrainId: string;
  readonly experimentId: string;
}

/** Without `asOf`: the time the Schedule meant, however late it runs. */
export interface SlotInput extends ModelRef {
  readonly asOf?: string;
}

export interface AlertInput {
  readonly alertId: string;
}
