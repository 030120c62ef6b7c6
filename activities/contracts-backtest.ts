import type { ArtifactRef } from '../workflows/messages.ts';

/** What the activities of a backtest take and give. */

export interface BacktestRef {
  readonly backtestId: string;
}

/** A stretch of the period that one model answers in. */
export interface PlannedFold {
  /** From 0, in order of time. */
  readonly fold: number;
  /** Open times of its first and last session, ISO. */
  readonly from: string;
  readonly to: string;
  /** What its model is trained by; absent: a registered one answers. */
  readonly training?: FoldTraining;
  /** What trains its model, once that is open. */
  readonly experimentId?: string;
}
export interface FoldTraining {
  /** Last day whose bars are trained on, and by when they were known, ISO. */
  readonly trainTo: string;
  readonly asOf: string;
}
export interface PlannedBacktest {
  /** Empty: no strategy asks a model. */
  readonly folds: readonly PlannedFold[];
  /** Absent: no strategy takes its sizes from history or endpoints. */
  readonly advised?: true;
}

export interface OpenFoldInput extends BacktestRef {
  readonly fold: PlannedFold;
}
export interface TrainingRef extends BacktestRef {
  readonly experimentId: string;
}

export interface FoldEnded extends BacktestRef {
  readonly fold: PlannedFold;
  readonly status: 'completed' | 'failed' | 'cancelled' | 'skipped';
  readonly message: string;
}

export interface AnswerFoldInput extends BacktestRef {
  readonly fold: PlannedFold;
}
export interface AnsweredFold {
  readonly fold: number;
  /** What trained its model; absent: a registered one answered. */
  readonly experimentId?: string;
  /** Absent: in rows, by backtest and fold (registry/backtest-answers.ts); here in runs of the release before. */
  readonly answers?: readonly {
    readonly instrument: string;
    /** core/backtest/answers.ts */
    readonly columns: ArtifactRef;
  }[];
}

export interface AdviseInput extends BacktestRef {
  readonly folds: readonly AnsweredFold[];
}
export interface AdviseResult {
  /** core/advice/backtest-advice.ts */
  readonly advice: ArtifactRef;
}

export interface SimulateInput extends BacktestRef {
  readonly folds: readonly AnsweredFold[];
  /** Absent: the rule says all sizes. */
  readonly advice?: ArtifactRef;
}
export interface SimulateResult {
  readonly verdict: string;
}

export interface FailBacktestInput extends BacktestRef {
  readonly status: 'failed' | 'cancelled';
  readonly reason: string;
}
