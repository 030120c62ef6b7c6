import { setImmediate } from 'node:timers/promises';
import { CheckpointWriter } from '../checkpoint-writer.ts';
import type { EpochEvent, FitContext } from '../model.ts';
import {
  advance,
  follow,
  goingOn,
  initialProgress,
  progressAlong,
  type Progress,
  type ProgressRules,
  type ProgressStep,
  type Rates,
} from '../network/progress.ts';
import { permutation, randomFor } from '../random.ts';
import { adamStep } from './adam.ts';
import { decodeTraining, encodeTraining, type PolicyTraining } from './checkpoint.ts';
import { layersOf, type Theta } from './network.ts';
import type { Piece } from './pieces.ts';
import { pieceStep, rewardOf, type PolicySetting } from './policy.ts';

/** Separate the order of the pieces and the draws of actions from all other random numbers of a seed. */
const SALT_SHUFFLE = 0x73687566;
const SALT_ACTIONS = 0x61637473;

/** What ends the training: the validation pieces choose, or the choices of another fit are followed. */
export type PolicyCourse =
  | { readonly kind: 'choose'; readonly valid: readonly Piece[] }
  | { readonly kind: 'follow'; readonly rates: Rates };

export interface PolicyJob {
  readonly setting: PolicySetting;
  readonly rules: ProgressRules & { readonly epochs: number; readonly penalty: number };
  readonly initial: Theta;
  readonly pieces: readonly Piece[];
  readonly course: PolicyCourse;
  readonly context: FitContext;
  /** Names this fit in its checkpoints. */
  readonly fingerprint: string;
}

export interface PolicyResult {
  readonly theta: Theta;
  readonly bestEpoch: number;
  /** -reward of the validation rows; null: nothing was validated. */
  readonly bestValidLoss: number | null;
  readonly history: readonly EpochEvent[];
}

/** Trains until the epochs or the patience end; goes on from the newest checkpoint if there is one. */
export async function trainPolicy(job: PolicyJob): Promise<PolicyResult> {
  const bytes = await job.context.loadCheckpoint();
  const run = new Run(job, bytes ? resumed(job, bytes) : first(job));
  return run.toEnd();
}

function first({ initial, course, rules, setting }: PolicyJob): PolicyTraining {
  return {
    theta: initial.slice(),
    m: new Float64Array(initial.length),
    v: new Float64Array(initial.length),
    ...{ step: 0, epoch: 1, batch: 0, secondsInEpoch: 0 },
    growth: new Float64Array(setting.horizons.length),
    best: undefined,
    progress: course.kind === 'choose' ? initialProgress(rules) : progressAlong(course.rates),
    history: [],
    finished: false,
  };
}

function resumed({ course, rules, fingerprint }: PolicyJob, bytes: Uint8Array): PolicyTraining {
  return goingOn(decodeTraining(bytes, fingerprint), course, rules);
}

class Run {
  readonly #job: PolicyJob;
  readonly #theta: Theta;
  readonly #moments: { readonly m: Float64Array; readonly v: Float64Array };
  readonly #decisions: number;
  #step: number;
  #epoch: number;
  #batch: number;
  #growth: Float64Array;
  #best: PolicyTraining['best'];
  #progress: Progress;
  #history: readonly EpochEvent[];
  #finished: boolean;
  #epochStartedMs: number;
  readonly #checkpoints: CheckpointWriter;

  constructor(job: PolicyJob, state: PolicyTraining) {
    this.#job = job;
    this.#theta = state.theta;
    this.#moments = { m: state.m, v: state.v };
    this.#decisions = job.pieces.reduce((sum, { decisions }) => sum + decisions, 0);
    this.#step = state.step;
    this.#epoch = state.epoch;
    this.#batch = state.batch;
    this.#growth = state.growth;
    this.#best = state.best;
    this.#progress = state.progress;
    this.#history = state.history;
    this.#finished = state.finished;
    this.#checkpoints = new CheckpointWriter(job.context);
    this.#epochStartedMs = job.context.now() - state.secondsInEpoch * 1000;
  }

  async toEnd(): Promise<PolicyResult> {
    while (!this.#finished) {
      await this.#playPieces();
      this.#endEpoch();
      await this.#checkpointWhenDue();
    }
    await this.#checkpoints.landed();
    const best = this.#best!;
    return {
      theta: best.theta,
      bestEpoch: best.epoch,
      bestValidLoss: this.#progress.stop.best,
      history: this.#history,
    };
  }

  /** The rest of the current epoch. */
  async #playPieces(): Promise<void> {
    const { context, pieces } = this.#job;
    const order = permutation(pieces.length, randomFor(context.seed, SALT_SHUFFLE, this.#epoch));
    while (this.#batch < pieces.length) {
      // Lets messages in and out: a cancel, a closed pipe, a checkpoint's acknowledgement.
      await setImmediate();
      context.signal.throwIfAborted();
      this.#learn(pieces[order[this.#batch]!]!);
      this.#batch += 1;
      context.onBatch({ epoch: this.#epoch, batch: this.#batch, batches: pieces.length });
      if (this.#batch < pieces.length) await this.#checkpointWhenDue();
    }
  }

  /** One step of Adam on what some rollouts of a piece brought. */
  #learn(piece: Piece): void {
    const { context, setting, rules } = this.#job;
    this.#step += 1;
    const random = randomFor(context.seed, SALT_ACTIONS, this.#step);
    const { gradient, growth } = pieceStep(setting, this.#theta, piece, random);
    addPenalty(setting, rules.penalty, this.#theta, gradient);
    const { learningRate } = this.#progress;
    adamStep(this.#theta, this.#moments, gradient, { step: this.#step, learningRate });
    growth.forEach((value, k) => (this.#growth[k]! += value));
  }

  #endEpoch(): void {
    const { context, setting } = this.#job;
    const unit = this.#decisions * setting.deviation;
    const lossByHorizon = [...this.#growth].map((sum) => -sum / unit);
    const { epochs, validLossByHorizon, next } = this.#judge();
    const nowMs = context.now();
    const event: EpochEvent = {
      epoch: this.#epoch,
      epochs,
      loss: meanOf(lossByHorizon),
      lossByHorizon,
      ...(validLossByHorizon && { validLoss: meanOf(validLossByHorizon), validLossByHorizon }),
      learningRate: this.#progress.learningRate,
      seconds: (nowMs - this.#epochStartedMs) / 1000,
      rssBytes: context.rssBytes(),
    };
    if (next.improved) this.#best = { epoch: this.#epoch, theta: this.#theta.slice() };
    this.#progress = next.progress;
    this.#history = [...this.#history, event];
    this.#finished = next.stop || this.#epoch >= epochs;
    this.#epoch += 1;
    this.#batch = 0;
    this.#growth = new Float64Array(setting.horizons.length);
    this.#epochStartedMs = nowMs;
    context.onEpoch(event);
  }

  #judge(): {
    readonly epochs: number;
    readonly next: ProgressStep;
    readonly validLossByHorizon?: readonly number[];
  } {
    const { course, rules, setting } = this.#job;
    if (course.kind === 'follow') {
      const next = follow(this.#progress, this.#epoch, course.rates);
      return { epochs: course.rates.length, next };
    }
    const validLossByHorizon = rewardOf(setting, this.#theta, course.valid).map((r) => -r);
    const next = advance(this.#progress, meanOf(validLossByHorizon), rules);
    return { epochs: rules.epochs, next, validLossByHorizon };
  }

  async #checkpointWhenDue(): Promise<void> {
    if (!this.#checkpoints.isDue()) return;
    const at = { epoch: this.#epoch, batch: this.#batch };
    await this.#checkpoints.handOver(at, (nowMs) =>
      encodeTraining(
        {
          ...{ theta: this.#theta, ...this.#moments, step: this.#step },
          ...{ epoch: this.#epoch, batch: this.#batch, growth: this.#growth },
          secondsInEpoch: (nowMs - this.#epochStartedMs) / 1000,
          ...{ best: this.#best, progress: this.#progress, history: this.#history },
          finished: this.#finished,
        },
        this.#job.fingerprint,
      ),
    );
  }
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Adds the gradient of penalty / 2 x the sum of squared coefficients; intercepts are not penalised. */
function addPenalty(
  { shape }: PolicySetting,
  penalty: number,
  theta: Theta,
  gradient: Theta,
): void {
  const into = layersOf(shape, gradient);
  for (const [i, { coefficients }] of layersOf(shape, theta).entries()) {
    const own = into[i]!.coefficients;
    for (let at = 0; at < own.length; at++) own[at]! += penalty * coefficients[at]!;
  }
}
