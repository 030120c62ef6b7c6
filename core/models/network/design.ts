import type { ExportContext, ExportedGraphs } from '../model.ts';
import type { HeadTask } from './head.ts';
import type { FlatLayout, FlatWeights } from './layout.ts';
import type { TrainingParams } from './params.ts';
import type { SavedAs } from './saved.ts';
import type { NativeOps } from './tensorflow.impl.ts';
import type { TrainableNetwork } from './training-job.ts';

/** What the data say about a network's sizes. */
export interface DataSizes {
  readonly inputs: number;
  readonly lookback: number;
  readonly horizons: number;
  /** Classes of each label, 0 of a quantity. */
  readonly classes: number;
}

/** What a network needs besides its sizes to be trained: `seed` keys its dropout masks. */
export interface TrainingSetup {
  readonly head: HeadTask;
  readonly seed: number;
}

/** One network of a family, for given hyperparameters and sizes. */
export interface NetworkDesign {
  readonly layout: FlatLayout;
  /** Where a training begins; a pure function of the seed. */
  initialWeights(seed: number): FlatWeights;
  /** Without a set-up it only predicts. */
  network(native: NativeOps, setup?: TrainingSetup): TrainableNetwork;
  graphs(weights: FlatWeights, ctx: ExportContext): ExportedGraphs;
}

/** What a family of networks is besides the training and the files that all of them share. */
export interface NetworkFamily<P extends TrainingParams> extends SavedAs {
  design(params: P, sizes: DataSizes): NetworkDesign;
}
