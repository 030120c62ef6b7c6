import type { EpochEvent } from '../model.ts';
import {
  CorruptBytesError,
  decodeSections,
  encodeSections,
  sectionOrThrow,
  type SectionArray,
} from '../sections.ts';
import type { FlatWeights } from './layout.ts';
import type { Progress } from './progress.ts';

/** Everything that decides how training goes on: from it the rest follows bit for bit. */
export interface TrainingState {
  readonly weights: FlatWeights;
  /** Adam's first and second moment. */
  readonly m: Float32Array;
  readonly v: Float32Array;
  /** Optimiser steps done: Adam's bias correction and the key of the dropout masks. */
  readonly step: number;
  /**
   * Epoch to go on in, from 1, and batches done of it; the order of its windows follows from both.
   */
  readonly epoch: number;
  readonly batch: number;
  /**
   * Sum over this epoch's windows of the loss, by horizon; regression: squared error in scaled
   * units.
   */
  readonly lossSums: Float64Array;
  readonly secondsInEpoch: number;
  readonly best: { readonly epoch: number; readonly weights: FlatWeights } | undefined;
  readonly progress: Progress;
  readonly history: readonly EpochEvent[];
  /** Stopped: only the best weights are still to be taken. */
  readonly finished: boolean;
  /**
   * Whether its steps are compiled: their bits are others. undefined: not chosen yet, or not known.
   */
  readonly compiled: boolean | undefined;
}

const KIND = 'network-checkpoint';
const VERSION = 1;

interface Meta {
  /** What the fit was asked; bytes of another fit are refused. */
  readonly fingerprint: string;
  readonly step: number;
  readonly epoch: number;
  readonly batch: number;
  readonly secondsInEpoch: number;
  readonly bestEpoch: number | null;
  readonly progress: Progress;
  readonly history: readonly EpochEvent[];
  readonly finished: boolean;
  /** Absent in checkpoints of before it was kept. */
  readonly compiled?: boolean | undefined;
}

const weightSections = (weights: FlatWeights, prefix: string): Record<string, SectionArray> => ({
  [`${prefix}theta`]: weights.theta,
  [`${prefix}movingMean`]: weights.movingMean,
  [`${prefix}movingVariance`]: weights.movingVariance,
});

export function encodeCheckpoint(state: TrainingState, fingerprint: string): Uint8Array {
  const meta: Meta = {
    fingerprint,
    step: state.step,
    epoch: state.epoch,
    batch: state.batch,
    secondsInEpoch: state.secondsInEpoch,
    bestEpoch: state.best?.epoch ?? null,
    progress: state.progress,
    history: state.history,
    finished: state.finished,
    compiled: state.compiled,
  };
  return encodeSections({
    kind: KIND,
    version: VERSION,
    meta,
    sections: {
      ...weightSections(state.weights, ''),
      m: state.m,
      v: state.v,
      lossSums: state.lossSums,
      ...(state.best ? weightSections(state.best.weights, 'best.') : {}),
    },
  });
}

/** Throws `bytes.corrupt` for damaged bytes and for a checkpoint of another fit. */
export function decodeCheckpoint(bytes: Uint8Array, fingerprint: string): TrainingState {
  const file = decodeSections(bytes, KIND, VERSION);
  const meta = file.meta as Meta;
  if (meta.fingerprint !== fingerprint) throw new CorruptBytesError(KIND, 'of another fit');
  const f32 = (name: string): Float32Array => sectionOrThrow(file, name, Float32Array);
  const weights = (prefix: string): FlatWeights => ({
    theta: f32(`${prefix}theta`),
    movingMean: f32(`${prefix}movingMean`),
    movingVariance: f32(`${prefix}movingVariance`),
  });
  return {
    weights: weights(''),
    m: f32('m'),
    v: f32('v'),
    step: meta.step,
    epoch: meta.epoch,
    batch: meta.batch,
    lossSums: sectionOrThrow(file, 'lossSums', Float64Array),
    secondsInEpoch: meta.secondsInEpoch,
    best:
      meta.bestEpoch === null ? undefined : { epoch: meta.bestEpoch, weights: weights('best.') },
    progress: meta.progress,
    history: meta.history,
    finished: meta.finished,
    compiled: meta.compiled,
  };
}
