import type {
  AtMarketTime,
  ModelRef,
  RetrainReason,
  TrialOutcome,
} from '../workflows/lifecycle-messages.ts';

/** What the activities of a champion's life take and give. `asOf` is market time, ISO. */

export interface AtSlot extends ModelRef, AtMarketTime {}

export interface TopUpResult {
  /** Newest closed bar over the model's instruments, ISO; null: no bar. */
  readonly newestBar: string | null;
  readonly newRows: number;
}

export interface SettleResult {
  /** Outcomes written now, of them revisions, and predictions whose bar is not known yet. */
  readonly settled: number;
  readonly revised: number;
  readonly waiting: number;
}

export interface MonitorResult {
  readonly reportId: string;
  readonly verdict: 'none' | 'warn' | 'drift' | 'notCalibrated';
  /** Of them each asks for a retrain; empty: none is asked for. */
  readonly signals: readonly Extract<RetrainReason, 'loss' | 'input-twice' | 'stale'>[];
  readonly words: readonly string[];
}

export interface AlertTargets {
  readonly webhooks: readonly string[];
}
export interface DeliverAlertInput {
  readonly alertId: string;
  readonly webhook: string;
}

export interface OpenTrialInput extends ModelRef {
  readonly version: number;
  readonly experimentId: string;
  readonly decisionId: string;
}
/** `busy`: another trial runs, and this one may follow it. */
export type OpenTrialResult =
  | { readonly status: 'running'; readonly trialId: string }
  | { readonly status: 'busy' | 'refused'; readonly reason: string };

export interface TrialRef extends ModelRef {
  readonly trialId: string;
}
/** How a trial stands by its row. */
export type TrialStanding =
  | {
      readonly status: 'running';
      /** Newest market time that it was judged at, ISO. */
      readonly asOf: string;
      /** Of a manual trial: wall ms that are left for an approval. */
      readonly approveWithinMs: number | null;
    }
  | { readonly status: 'ended'; readonly reasons: readonly string[] };

export interface JudgeTrialInput extends ModelRef, AtMarketTime {
  readonly trialId: string;
}
export type JudgeTrialResult =
  | { readonly decision: 'continue' }
  | {
      readonly decision: 'accept';
      readonly promotionId: string;
      readonly version: number;
      readonly expectedGeneration: number;
      readonly reasons: readonly string[];
    }
  | {
      readonly decision: 'reject' | 'undecided' | 'abort' | 'superseded';
      readonly reasons: readonly string[];
    };

export interface CloseTrialInput extends ModelRef, AtMarketTime {
  readonly trialId: string;
  readonly status: TrialOutcome['status'];
  readonly reasons: readonly string[];
  readonly actor: string;
}

export interface ConsiderRetrainInput extends ModelRef, AtMarketTime {
  readonly reasons: readonly RetrainReason[];
  readonly reportId: string | null;
}
export type ConsiderRetrainResult =
  | { readonly action: 'retrain'; readonly experimentId: string; readonly retrainId: string }
  /**
   * `keep`: the reasons stay pending, and are considered again with the next tick. `running`: the retrain that the
   * rows say is under way, so that its workflow is started where it was lost.
   */
  | {
      readonly action: 'wait';
      readonly keep: boolean;
      readonly why: readonly string[];
      readonly running?: AtMarketTime & {
        readonly experimentId: string;
        readonly retrainId: string;
      };
    };

export interface FreezeInput extends ModelRef {
  readonly frozen: boolean;
  readonly actor: string;
  readonly reason: string;
  /** Names the request: repeated, it changes nothing. */
  readonly requestKey: string;
}

/** How an experiment's row ended, whoever ran it. */
export interface EndedExperiment {
  readonly status: 'completed' | 'skipped' | 'failed' | 'cancelled';
  readonly message: string | null;
}

export interface FinishRetrainInput extends ModelRef {
  readonly retrainId: string;
  readonly status: 'completed' | 'failed' | 'cancelled';
  readonly outcome: string;
}
