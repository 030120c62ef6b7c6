import { setImmediate } from 'node:timers/promises';
import type { Tensor1D } from '@tensorflow/tfjs-node';
import { RatchetError } from '../../errors.ts';
import { CheckpointWriter } from '../checkpoint-writer.ts';
import type { EpochEvent } from '../model.ts';
import { permutation, randomFor } from '../random.ts';
import { decodeCheckpoint, encodeCheckpoint, type TrainingState } from './checkpoint.ts';
import { ValidationLoss, weightedSum, type Validation } from './head.ts';
import type { FlatWeights } from './layout.ts';
import { advance, follow, goingOn, type Progress, type ProgressStep } from './progress.ts';
import { chooseCompiled, TrainingSteps, type Vectors } from './step.impl.ts';
import { firstState, type TrainingJob, type TrainingResult } from './training-job.ts';
import type { WindowSet } from './windows.impl.ts';

/** Separates the order of the windows from all other random numbers of a seed. */
const SALT_SHUFFLE = 0x73687566;

interface EpochVerdict {
  /** At most this many will run. */
  readonly epochs: number;
  readonly next: ProgressStep;
  readonly validation?: Validation;
}

/**
 * Trains until the epochs or the patience end; goes on from the newest checkpoint if there is one.
 */
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
  readonly #steps: TrainingSteps;
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
    this.#steps = new TrainingSteps(job, !state.finished && chooseCompiled(job, state.compiled));
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
    this.#steps.dispose();
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
    this.#step += 1;
    const at = { step: this.#step, learningRate: this.#progress.learningRate };
    const { vectors, losses } = this.#steps.take(this.#vectors, indices, at);
    this.#vectors = vectors;
    for (let k = 0; k < losses.length; k++) {
      if (!Number.isFinite(losses[k]!)) throw this.#nanLoss('training');
      this.#lossSums[k]! += losses[k]! * indices.length;
    }
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
          compiled: this.#steps.compiles,
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
