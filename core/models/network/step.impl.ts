import type { Scalar, Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-node';
import { RatchetError } from '../../errors.ts';
import { Adam, type Moments, type OptimiserStep } from './adam.impl.ts';
import { canCompile, Program } from './program/program.impl.ts';
import type { TrainingJob, TrainingPass } from './training-job.ts';

/** Keras uses .99: moving = .99 moving + .01 batch. */
const BATCH_NORM_MOMENTUM = 0.99;
/**
 * Floating-point operations of an epoch from which on its steps are compiled. Compiling takes two
 * seconds or more of each process, and an LSTM of 16 + 16 units over 20 rows of 20 features (30
 * batches, half a gigaflop) took, on one core:
 *
 *   epochs          1       4      12
 *   compiled     5126    2651    2468 ms
 *   one by one    255     420    1306 ms
 *
 * Of ten times as much the default patience of ten epochs pays for it. Not by the number of epochs:
 * a rung that goes on has another one, and the two ways differ in their last bits.
 */
const COMPILED_FROM_FLOPS = 5e9;
/**
 * A multiplication and an addition of each parameter for the outputs, and twice that for the
 * gradients.
 */
const FLOPS_PER_PARAMETER = 6;

/** Vectors that change with every step. */
export type Vectors = Moments & {
  readonly mean: Tensor1D;
  readonly variance: Tensor1D;
};

/** What a step reads: as tensors, so that a compiled one can be told others. */
interface StepInputs {
  readonly before: Vectors;
  readonly rows: Tensor2D;
  /** Rows of the batch's windows, int32 [lookback x B]. */
  readonly places: Tensor1D;
  readonly y: Tensor2D;
  /** The random numbers of its masks; absent: nothing is dropped. */
  readonly uniform: Tensor1D | undefined;
  readonly rate: Scalar;
  readonly size: Scalar;
}

const listOf = ({ before, ...rest }: StepInputs): Tensor[] => [
  ...[before.theta, before.m, before.v, before.mean, before.variance],
  ...[rest.rows, rest.places, rest.y, rest.rate, rest.size],
  ...(rest.uniform ? [rest.uniform] : []),
];

/** What a step is made of. */
export type StepJob = Pick<TrainingJob, 'native' | 'network' | 'layout' | 'params' | 'train'>;

/** Of an epoch, about: as if each parameter were used in each row of a window. */
export const flopsOfEpoch = ({ train, layout }: Pick<StepJob, 'train' | 'layout'>): number =>
  FLOPS_PER_PARAMETER * layout.parameterCount * train.lookback * train.count;

/**
 * Whether the steps of a training are compiled: as those before its checkpoint were, for it goes on
 * bit for bit, or where that pays. Throws `training.cannot-compile` where they were and this
 * machine cannot.
 */
export function chooseCompiled(job: StepJob, before: boolean | undefined): boolean {
  if (before === false) return false;
  if (before === undefined && flopsOfEpoch(job) < COMPILED_FROM_FLOPS) return false;
  const can = canCompile(job.native);
  if (before && !can) {
    throw new RatchetError(
      'training.cannot-compile',
      'this training began with compiled steps, which TensorFlow cannot compile here: ' +
        'let it go on where it began, or train anew',
    );
  }
  return can;
}

/** Steps of the optimiser over batches of windows: the whole of one is compiled where that pays. */
export class TrainingSteps {
  readonly #job: StepJob;
  readonly #adam: Adam;
  /** Whether steps of whole batches are compiled. */
  readonly compiles: boolean;
  #program: Program | undefined;

  constructor(job: StepJob, compiles: boolean) {
    this.#job = job;
    this.#adam = new Adam(job.native.tf, job.layout, job.params);
    this.compiles = compiles;
  }

  /** One step on these windows; disposes `before`. Losses: by horizon. */
  take(
    before: Vectors,
    indices: Int32Array,
    at: OptimiserStep,
  ): { readonly vectors: Vectors; readonly losses: ArrayLike<number> } {
    const { native, network, train, params } = this.#job;
    const { tf } = native;
    const after = tf.tidy(() => {
      const { rate, size } = this.#adam.sizesAt(at);
      const inputs: StepInputs = {
        before,
        rows: train.rows,
        places: train.places(indices),
        y: train.labels(indices),
        uniform: network.draw(indices.length, at.step),
        rate: tf.scalar(rate),
        size: tf.scalar(size),
      };
      // The last batch of an epoch may be smaller: it is not worth a program of its own.
      const compiled = this.compiles && indices.length === params.batchSize;
      return compiled ? this.#compiled(inputs, at.step) : this.#work(inputs, at.step);
    });
    tf.dispose({ ...before });
    const [theta, m, v, mean, variance, losses] = after as Tensor1D[];
    const byHorizon = losses!.dataSync();
    losses!.dispose();
    const vectors = { theta: theta!, m: m!, v: v!, mean: mean!, variance: variance! };
    return { vectors, losses: byHorizon };
  }

  dispose(): void {
    this.#adam.dispose();
    this.#program?.dispose();
  }

  #compiled(inputs: StepInputs, step: number): Tensor[] {
    const args = listOf(inputs);
    this.#program ??= Program.of(this.#job.native, args, () => this.#work(inputs, step));
    return this.#program.run(args);
  }

  /** The vectors after the step, and the losses. */
  #work(inputs: StepInputs, step: number): Tensor[] {
    const { before, rows, places, y, uniform, rate, size } = inputs;
    const { native, network, train } = this.#job;
    const { tf } = native;
    const x = train.gather(rows, places);
    let pass: TrainingPass | undefined;
    const { grads } = tf.valueAndGrads((theta) =>
      network
        .trainingLoss(theta as Tensor1D, { x, y, step, uniform }, (kept) => {
          pass = kept;
        })
        .asScalar(),
    )([before.theta]);
    const { losses, means, variances } = pass!;
    const moving = (old: Tensor1D, batch: readonly Tensor[]): Tensor1D =>
      batch.length === 0
        ? tf.clone(old)
        : tf.add(
            tf.mul(old, BATCH_NORM_MOMENTUM),
            tf.mul(tf.concat([...batch]), 1 - BATCH_NORM_MOMENTUM),
          );
    const mean = moving(before.mean, means);
    const variance = moving(before.variance, variances);
    tf.dispose([...means, ...variances]);
    const moved = this.#adam.move(before, grads[0] as Tensor1D, { rate, size });
    return [moved.theta, moved.m, moved.v, mean, variance, losses];
  }
}
