import type { LstmParams } from '../lstm-multi-horizon.ts';
import type { EpochEvent, FitContext } from '../model.ts';
import type { TrainingState } from './checkpoint.ts';
import { initialWeights } from './initialise.ts';
import type { FlatWeights, Layout } from './layout.ts';
import type { Network } from './network.impl.ts';
import { initialProgress, progressAlong, type Rates } from './progress.ts';
import type { NativeOps } from './tensorflow.impl.ts';
import type { WindowSet } from './windows.impl.ts';

/** What ends the training: the validation rows choose, or the choices of another fit are followed. */
export type Course =
  | { readonly kind: 'choose'; readonly valid: WindowSet }
  | { readonly kind: 'follow'; readonly rates: Rates };

export interface TrainingJob {
  readonly native: NativeOps;
  readonly network: Network;
  readonly layout: Layout;
  readonly params: LstmParams;
  readonly lossWeights: readonly number[];
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
  const { layout, params, context, lossWeights, course } = job;
  return {
    weights: initialWeights(layout, context.seed),
    m: new Float32Array(layout.parameterCount),
    v: new Float32Array(layout.parameterCount),
    step: 0,
    epoch: 1,
    batch: 0,
    squaredError: new Float64Array(lossWeights.length),
    secondsInEpoch: 0,
    best: undefined,
    progress: course.kind === 'choose' ? initialProgress(params) : progressAlong(course.rates),
    history: [],
    finished: false,
  };
}
