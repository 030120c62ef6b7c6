import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-node';
import type { EpochEvent, FitContext } from '../model.ts';
import type { TrainingState } from './checkpoint.ts';
import type { HeadTask } from './head.ts';
import type { FlatLayout, FlatWeights } from './layout.ts';
import { initialProgress, progressAlong, type ProgressRules, type Rates } from './progress.ts';
import type { NativeOps } from './tensorflow.impl.ts';
import type { WindowSet } from './windows.impl.ts';

/** What a training pass leaves besides the loss; the caller disposes all of it. */
export interface TrainingPass {
  /** Loss by horizon [H], not weighted by horizon. */
  readonly losses: Tensor1D;
  /** Batch statistics of each batch norm, [units] each; empty where there is none. */
  readonly means: readonly Tensor[];
  readonly variances: readonly Tensor[];
}

/** What a network trains on in one step: x [T, B, inputs], y [B, horizons]. */
export interface TrainingBatch {
  readonly x: Tensor3D;
  readonly y: Tensor2D;
  /** Keys the masks: same seed and step, same masks. */
  readonly step: number;
  /** What `draw` gave for this size and step; absent: it is drawn. */
  readonly uniform?: Tensor1D | undefined;
}

/** A network that the training loop can train: its parameters are one flat vector. Time-major. */
export interface TrainableNetwork {
  /** The random numbers of a step with `batch` windows; undefined where nothing is dropped. */
  draw(batch: number, step: number): Tensor1D | undefined;
  /**
   * Loss of a batch with dropout on, as a scalar that tfjs can differentiate by `theta`. `keep`
   * receives the rest of the pass.
   */
  trainingLoss(theta: Tensor1D, batch: TrainingBatch, keep: (pass: TrainingPass) => void): Tensor;
  /** Raw outputs [B, horizons x outputs] with dropout off and the moving statistics. */
  predict(
    theta: Tensor1D,
    statistics: { readonly mean: Tensor1D; readonly variance: Tensor1D },
    x: Tensor3D,
  ): Tensor2D;
  /** Frees the constants. */
  dispose(): void;
}

/** Hyperparameters of the loop itself. */
export interface TrainingRules extends ProgressRules {
  readonly epochs: number;
  readonly batchSize: number;
  /** Steps over which the learning rate rises from 0 to its value; absent: none. */
  readonly warmupSteps?: number;
  /** Share of the decaying parameters that a step of size 1 takes away (AdamW); absent: none. */
  readonly weightDecay?: number;
}

/**
 * What ends the training: the validation rows choose, or the choices of another fit are followed.
 */
export type Course =
  | { readonly kind: 'choose'; readonly valid: WindowSet }
  | { readonly kind: 'follow'; readonly rates: Rates };

export interface TrainingJob {
  readonly native: NativeOps;
  readonly network: TrainableNetwork;
  readonly layout: FlatLayout;
  /** Where a training begins. */
  readonly initial: FlatWeights;
  readonly params: TrainingRules;
  readonly head: HeadTask;
  readonly train: WindowSet;
  readonly course: Course;
  readonly context: FitContext;
  /** Names this fit in its checkpoints: one of another fit is refused. */
  readonly fingerprint: string;
}

export interface TrainingResult {
  readonly weights: FlatWeights;
  readonly bestEpoch: number;
  /** null: nothing was validated. */
  readonly bestValidLoss: number | null;
  readonly history: readonly EpochEvent[];
}

/** Where a training begins that has no checkpoint. */
export function firstState(job: TrainingJob): TrainingState {
  const { initial, params, head, course } = job;
  return {
    weights: initial,
    m: new Float32Array(initial.theta.length),
    v: new Float32Array(initial.theta.length),
    step: 0,
    epoch: 1,
    batch: 0,
    lossSums: new Float64Array(head.lossWeights.length),
    secondsInEpoch: 0,
    best: undefined,
    progress: course.kind === 'choose' ? initialProgress(params) : progressAlong(course.rates),
    history: [],
    finished: false,
    compiled: undefined,
  };
}
