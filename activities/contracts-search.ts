import type { ArtifactRef } from '../workflows/messages.ts';
import type { ExperimentRef, FitUnit, Hyperparameters } from './contracts.ts';

/** The search of one model of an experiment. */
export interface SearchInput extends ExperimentRef {
  readonly model: string;
}

export interface SuggestTrialInput extends SearchInput {
  /** From 0. */
  readonly trial: number;
}
export type SuggestTrialResult = { readonly stop: false } | { readonly stop: true };

export interface FitTrialInput extends SuggestTrialInput {
  readonly unit: FitUnit;
  readonly prepared: ArtifactRef;
  /** From 0. */
  readonly rung: number;
}
export interface FitTrialResult {
  /** Goes on with the next rung. */
  readonly goesOn: boolean;
}

export interface FailTrialInput extends SuggestTrialInput {
  readonly reason: string;
}

export interface AbandonSearchInput extends SearchInput {
  readonly state: 'failed' | 'cancelled';
  readonly message: string;
}

export interface CompleteSearchResult {
  /** Of the best trial, complete: what the fits run with. */
  readonly hyperparameters: Hyperparameters;
  readonly bestTrial: number;
  /** Trials that began. */
  readonly trials: number;
}
