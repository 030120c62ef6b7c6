import { setImmediate } from 'node:timers/promises';
import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-node';
import { RatchetError } from '../../errors.ts';
import { CheckpointWriter } from '../checkpoint-writer.ts';
import type { EpochEvent } from '../model.ts';
import { permutation, randomFor } from '../random.ts';
import { Adam, type Moments } from './adam.impl.ts';
import { decodeCheckpoint, encodeCheckpoint, type TrainingState } from './checkpoint.ts';
import { ValidationLoss, weightedSum, type Validation } from './head.ts';
import type { FlatWeights } from './layout.ts';
import { advance, follow, goingOn, type Progress, type ProgressStep } from './progress.ts';
import {
  firstState,
  type TrainingJob,
  type TrainingPass,
  type TrainingResult,
} from './training-job.ts';
import type { WindowSet } from './windows.impl.ts';

/** Separates the order of the windows from all other random numbers of a seed. */
const SALT_SHUFFLE = 0x73687566;
/** Keras uses .99: moving = .99 moving + .01 batch. */
const BATCH_NORM_MOMENTUM = 0.99;

interface EpochVerdict {
  /** At most this many will run. */
  readonly epochs: number;
  readonly next: ProgressStep;
  readonly validation?: Validation;
}

/** Vectors that change with every step. */
type Vectors = Moments & {
  readonly mean: Tensor1D;
  readonly variance: Tensor1D;
};

/** Trains until the epochs or the patience end; goes on from the newest checkpoint if there is one. */
export async function trainNetwork(job: TrainingJob): Promise<TrainingResult> {
  const bytes = await job.context.loadCheckpoint();
  const state = bytes
    ? goingOn(decodeCheckpoint(bytes, job.fingerprint), job.course, job.params)
    : firstState(job);
  const run = new TrainingRun(job, state);
  try {
    return await run.toEnd();
  } finally {
    run.dispose();
  }
}

class TrainingRun {
  readonly #job: TrainingJob;
  readonly #batches: number;
  readonly #adam: Adam;
  #vectors: Vectors;
  #step: number;
  #epoch: number;
  #batch: number;
  #lossSums: Float64Array;
  #best: TrainingState['best'];
  #progress: Progress;
  #history: readonly EpochEvent[];
  #finished: boolean;
  #epochStartedMs: number;
  readonly #checkpoints: CheckpointWriter;

  constructor(job: TrainingJob, state: TrainingState) {
    this.#job = job;
    this.#batches = Math.ceil(job.train.count / job.params.batchSize);
    this.#adam = new Adam(job.native.tf, job.layout, job.params);
    const tensor = (values: Float32Array): Tensor1D => job.native.tf.tensor1d(values);
    this.#vectors = {
      theta: tensor(state.weights.theta),
      m: tensor(state.m),
      v: tensor(state.v),
      mean: tensor(state.weights.movingMean),
      variance: tensor(state.weights.movingVariance),
    };
    this.#step = state.step;
    this.#epoch = state.epoch;
    this.#batch = state.batch;
    this.#lossSums = state.lossSums;
    this.#best = state.best;
    this.#progress = state.progress;
    this.#history = state.history;
    this.#finished = state.finished;
    this.#checkpoints = new CheckpointWriter(job.context);
    this.#epochStartedMs = job.context.now() - state.secondsInEpoch * 1000;
  }

  async toEnd(): Promise<TrainingResult> {
    while (!this.#finished) {
      await this.#runBatches();
      await this.#endEpoch();
      await this.#checkpoint();
    }
    await this.#checkpoints.landed();
    const best = this.#best!;
    return {
      weights: best.weights,
      bestEpoch: best.epoch,
      bestValidLoss: this.#progress.stop.best,
      history: this.#history,
    };
  }

  dispose(): void {
    this.#adam.dispose();
    this.#job.native.tf.dispose({ ...this.#vectors });
  }

  /** The rest of the current epoch. */
  async #runBatches(): Promise<void> {
    const { context, params, train } = this.#job;
    const order = permutation(train.count, randomFor(context.seed, SALT_SHUFFLE, this.#epoch));
    while (this.#batch < this.#batches) {
      // Lets messages in and out: a cancel, a closed pipe, a checkpoint's acknowledgement.
      await setImmediate();
      context.signal.throwIfAborted();
      const from = this.#batch * params.batchSize;
      this.#trainBatch(order.subarray(from, from + params.batchSize));
      this.#batch += 1;
      context.onBatch({ epoch: this.#epoch, batch: this.#batch, batches: this.#batches });
      if (this.#batch < this.#batches && this.#checkpoints.isDue()) await this.#checkpoint();
    }
  }

  /** One step of Adam on these windows. */
  #trainBatch(indices: Int32Array): void {
    const { native, train } = this.#job;
    this.#step += 1;
    const before = this.#vectors;
    const { losses, ...vectors } = native.tf.tidy(() => {
      const { x, y } = train.batch(indices);
      return this.#stepVectors(x, y);
    });
    this.#vectors = vectors;
    native.tf.dispose({ ...before });
    const byHorizon = losses.dataSync();
    losses.dispose();
    for (const [k, value] of byHorizon.entries()) {
      if (!Number.isFinite(value)) throw this.#nanLoss('training');
      this.#lossSums[k]! += value * indices.length;
    }
  }

  #stepVectors(x: Tensor3D, y: Tensor2D): Vectors & { losses: Tensor1D } {
    const { native, network } = this.#job;
    const { tf } = native;
    let pass: TrainingPass | undefined;
    const { grads } = tf.valueAndGrads((theta) =>
      network
        .trainingLoss(theta as Tensor1D, { x, y, step: this.#step }, (kept) => {
          pass = kept;
        })
        .asScalar(),
    )([this.#vectors.theta]);
    const { losses, means, variances } = pass!;
    const moving = (old: Tensor1D, batch: readonly Tensor[]): Tensor1D =>
      batch.length === 0
        ? tf.clone(old)
        : tf.add(
            tf.mul(old, BATCH_NORM_MOMENTUM),
            tf.mul(tf.concat([...batch]), 1 - BATCH_NORM_MOMENTUM),
          );
    const mean = moving(this.#vectors.mean, means);
    const variance = moving(this.#vectors.variance, variances);
    tf.dispose([...means, ...variances]);
    const { learningRate } = this.#progress;
    const at = { step: this.#step, learningRate };
    const moved = this.#adam.next(this.#vectors, grads[0] as Tensor1D, at);
    return { ...moved, mean, variance, losses };
  }

  /** What the epoch was worth, the decision to stop, and the start of the next epoch's counters. */
  async #endEpoch(): Promise<void> {
    const { context, head, train } = this.#job;
    const { epochs, validation, next } = await this.#judgeEpoch();
    const lossByHorizon = [...this.#lossSums].map((sum) => sum / train.count);
    const nowMs = context.now();
    const event: EpochEvent = {
      epoch: this.#epoch,
      epochs,
      loss: weightedSum(lossByHorizon, head.lossWeights),
      lossByHorizon,
      ...validation,
      learningRate: this.#progress.learningRate,
      seconds: (nowMs - this.#epochStartedMs) / 1000,
      rssBytes: context.rssBytes(),
    };
    if (next.improved) this.#best = { epoch: this.#epoch, weights: this.#currentWeights() };
    this.#progress = next.progress;
    this.#history = [...this.#history, event];
    this.#finished = next.stop || this.#epoch >= epochs;
    this.#epoch += 1;
    this.#batch = 0;
    this.#lossSums = new Float64Array(head.lossWeights.length);
    this.#epochStartedMs = nowMs;
    context.onEpoch(event);
  }

  /** How the epoch did on the validation rows, where they choose, and what follows. */
  async #judgeEpoch(): Promise<EpochVerdict> {
    const { course, params } = this.#job;
    if (course.kind === 'follow') {
      const next = follow(this.#progress, this.#epoch, course.rates);
      return { epochs: course.rates.length, next };
    }
    const validation = await this.#validate(course.valid);
    if (!Number.isFinite(validation.validLoss)) throw this.#nanLoss('validation');
    const next = advance(this.#progress, validation.validLoss, params);
    return { epochs: params.epochs, validation, next };
  }

  /** Loss by horizon over the validation part. */
  async #validate(valid: WindowSet): Promise<Validation> {
    const { native, network, head, context } = this.#job;
    const loss = new ValidationLoss(head);
    for (const indices of valid.slices()) {
      await setImmediate();
      context.signal.throwIfAborted();
      const outputs = native.tf.tidy(() => {
        const x = valid.inputs(indices);
        return network.predict(this.#vectors.theta, this.#vectors, x).dataSync();
      });
      loss.add(outputs, (row, k) => valid.label(indices[row]!, k));
    }
    return loss.mean();
  }

  #currentWeights(): FlatWeights {
    const read = (tensor: Tensor1D): Float32Array => Float32Array.from(tensor.dataSync());
    return {
      theta: read(this.#vectors.theta),
      movingMean: read(this.#vectors.mean),
      movingVariance: read(this.#vectors.variance),
    };
  }

  #checkpoint(): Promise<void> {
    const at = { epoch: this.#epoch, batch: this.#batch };
    return this.#checkpoints.handOver(at, (nowMs) =>
      encodeCheckpoint(
        {
          weights: this.#currentWeights(),
          m: Float32Array.from(this.#vectors.m.dataSync()),
          v: Float32Array.from(this.#vectors.v.dataSync()),
          step: this.#step,
          epoch: this.#epoch,
          batch: this.#batch,
          lossSums: this.#lossSums,
          secondsInEpoch: (nowMs - this.#epochStartedMs) / 1000,
          best: this.#best,
          progress: this.#progress,
          history: this.#history,
          finished: this.#finished,
        },
        this.#job.fingerprint,
      ),
    );
  }

  #nanLoss(part: string): RatchetError {
    const at = { epoch: this.#epoch, batch: this.#batch + 1 };
    return new RatchetError(
      'training.nan-loss',
      `the ${part} loss became NaN or infinite in epoch ${at.epoch}, batch ${at.batch}: ` +
        'lower hyperparameters.learningRate, or look for extreme feature values',
      { details: { part, ...at } },
    );
  }
}
