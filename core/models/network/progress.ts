import type { EpochEvent } from '../model.ts';

/** Counters that decide when to stop and how fast to go; plain data, part of a checkpoint. */
export interface Progress {
  readonly learningRate: number;
  /** Best validation loss so far, epochs since. `null` before the first epoch. */
  readonly stop: { readonly best: number | null; readonly wait: number };
  readonly plateau: { readonly best: number | null; readonly wait: number };
}

export interface ProgressStep {
  readonly progress: Progress;
  /** This epoch's weights are the best so far. */
  readonly improved: boolean;
  readonly stop: boolean;
}

/** When to stop and to slow down; losses are those of validation. */
export interface ProgressRules {
  readonly learningRate: number;
  readonly earlyStopping: { readonly patience: number; readonly minDelta: number };
  readonly reduceLr: {
    readonly factor: number;
    readonly patience: number;
    readonly minDelta: number;
    readonly minLearningRate: number;
  };
}

export const initialProgress = (rules: ProgressRules): Progress => ({
  learningRate: rules.learningRate,
  stop: { best: null, wait: 0 },
  plateau: { best: null, wait: 0 },
});

const isBetter = (loss: number, best: number | null, minDelta: number): boolean =>
  best === null || loss < best - minDelta;

/** The learning rates of a fit up to the epoch whose weights it kept: what a refit follows. */
export type Rates = readonly number[];

export const progressAlong = (rates: Rates): Progress => ({
  learningRate: rates[0]!,
  stop: { best: null, wait: 0 },
  plateau: { best: null, wait: 0 },
});

/**
 * After an epoch of a refit: nothing is chosen, and the last of its epochs is the one that is kept.
 */
export function follow(progress: Progress, epoch: number, rates: Rates): ProgressStep {
  const last = epoch >= rates.length;
  return {
    progress: { ...progress, learningRate: rates[epoch] ?? progress.learningRate },
    improved: last,
    stop: last,
  };
}

/**
 * After an epoch with this validation loss; the rules of Keras' EarlyStopping and
 * ReduceLROnPlateau.
 */
export function advance(progress: Progress, validLoss: number, rules: ProgressRules): ProgressStep {
  const { earlyStopping, reduceLr } = rules;
  const improved = isBetter(validLoss, progress.stop.best, earlyStopping.minDelta);
  const stop = improved
    ? { best: validLoss, wait: 0 }
    : { best: progress.stop.best, wait: progress.stop.wait + 1 };
  let { learningRate } = progress;
  let plateau = isBetter(validLoss, progress.plateau.best, reduceLr.minDelta)
    ? { best: validLoss, wait: 0 }
    : { best: progress.plateau.best, wait: progress.plateau.wait + 1 };
  if (plateau.wait >= reduceLr.patience) {
    // Never raised: a floor above the first rate leaves it as it is.
    learningRate = Math.min(
      learningRate,
      Math.max(learningRate * reduceLr.factor, reduceLr.minLearningRate),
    );
    plateau = { ...plateau, wait: 0 };
  }
  return {
    progress: { learningRate, stop, plateau },
    improved,
    stop: stop.wait >= earlyStopping.patience,
  };
}

/** What of a checkpoint says where its training stands. */
interface Standing {
  /** To go on in, from 1. */
  readonly epoch: number;
  readonly progress: Progress;
  readonly history: readonly EpochEvent[];
  readonly finished: boolean;
}

/**
 * Where a training goes on from a checkpoint: one that had used up fewer epochs than there are now
 * is not finished; one whose patience ended is.
 */
export function goingOn<T extends Standing>(
  state: T,
  course: { readonly kind: 'choose' | 'follow' },
  { epochs, earlyStopping }: ProgressRules & { readonly epochs: number },
): T {
  const stopped = state.progress.stop.wait >= earlyStopping.patience;
  const finished = course.kind === 'follow' ? state.finished : stopped || state.epoch > epochs;
  return { ...state, finished, history: state.history.map((event) => ({ ...event, epochs })) };
}
