import { setImmediate } from 'node:timers/promises';
import { RatchetError } from '../../errors.ts';
import type { EpochEvent, FitContext } from '../model.ts';
import type { GrowingBooster, TreeEngine, TreeRows, TreeTask } from './engine.ts';
import { lossOf, type TreeLoss } from './loss.ts';
import type { BoostParams } from './params.ts';

/** Progress told of one fit; rounds are many and short. */
const EVENTS_MAX = 100;

/** What a horizon's booster learns from. */
export interface HorizonRows {
  readonly train: TreeRows;
  /** Absent in a refit. */
  readonly valid?: TreeRows;
}

/** What decides how many rounds a horizon gets: validation rows, or the fit that is repeated. */
export type Rounds = { readonly patience: number } | { readonly chosen: readonly number[] };

export interface BoostJob<P extends BoostParams> {
  readonly params: P;
  readonly task: TreeTask;
  /** One a horizon. */
  readonly horizons: readonly HorizonRows[];
  readonly rounds: Rounds;
  /** Boosters to go on from, one a horizon. */
  readonly after?: readonly Uint8Array[] | undefined;
}

export interface Boosted {
  /** `save()` of each horizon's booster. */
  readonly texts: readonly Uint8Array[];
  /** Rounds of each horizon. */
  readonly rounds: readonly number[];
  readonly history: readonly EpochEvent[];
  /** Mean over horizons of their best validation losses; absent in a refit. */
  readonly bestValidLoss?: number;
}

type Course = Pick<FitContext, 'seed' | 'signal' | 'now' | 'rssBytes' | 'onEpoch' | 'onBatch'>;

/** The booster of one horizon, and where it stands. */
class Horizon {
  readonly #task: TreeTask;
  readonly #rows: HorizonRows;
  readonly #rounds: Rounds;
  readonly #index: number;
  readonly booster: GrowingBooster;
  train: TreeLoss = { loss: NaN };
  valid: TreeLoss | undefined;
  best: { round: number; loss: number } = { round: 0, loss: Infinity };
  done = false;

  constructor(booster: GrowingBooster, job: BoostJob<BoostParams>, index: number) {
    this.booster = booster;
    this.#task = job.task;
    this.#rows = job.horizons[index]!;
    this.#rounds = job.rounds;
    this.#index = index;
  }

  grow(round: number): void {
    if (this.done) return;
    const { booster } = this;
    booster.grow();
    this.train = lossOf(this.#task, booster.answers('train'), this.#rows.train);
    if ('chosen' in this.#rounds) {
      const chosen = this.#rounds.chosen[this.#index]!;
      this.done = round >= chosen;
      this.best = { round, loss: Infinity };
      booster.keep();
      return;
    }
    this.valid = lossOf(this.#task, booster.answers('valid'), this.#rows.valid!);
    if (this.valid.loss < this.best.loss) {
      this.best = { round, loss: this.valid.loss };
      booster.keep();
    }
    this.done = round - this.best.round >= this.#rounds.patience;
  }
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

interface Clock {
  readonly epoch: number;
  readonly epochs: number;
  readonly seconds: number;
}

function eventOf(
  horizons: readonly Horizon[],
  { learningRate }: BoostParams,
  at: Clock,
  rssBytes: number,
): EpochEvent {
  const lossByHorizon = horizons.map((horizon) => horizon.train.loss);
  const valid = horizons.flatMap((horizon) => horizon.valid ?? []);
  const event = { ...at, loss: mean(lossByHorizon), lossByHorizon, learningRate, rssBytes };
  if (valid.length < horizons.length) return event;
  const validLossByHorizon = valid.map(({ loss }) => loss);
  const maes = valid.flatMap(({ mae }) => mae ?? []);
  return {
    ...event,
    validLoss: mean(validLossByHorizon),
    validLossByHorizon,
    ...(maes.length > 0 ? { validMaeByHorizon: maes } : {}),
  };
}

/** Grows all boosters side by side, round by round, until each has its rounds. */
async function growAll(
  horizons: readonly Horizon[],
  job: BoostJob<BoostParams>,
  course: Course,
): Promise<EpochEvent[]> {
  const epochs = 'chosen' in job.rounds ? Math.max(...job.rounds.chosen) : job.params.rounds;
  const tellEvery = Math.ceil(epochs / EVENTS_MAX);
  const history: EpochEvent[] = [];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const beganMs = course.now();
    for (const [index, horizon] of horizons.entries()) {
      // A library call blocks; between two of them the process can hear that its parent is gone.
      await setImmediate();
      course.signal.throwIfAborted();
      course.onBatch({ epoch, batch: index + 1, batches: horizons.length });
      horizon.grow(epoch);
    }
    const seconds = (course.now() - beganMs) / 1000;
    const event = eventOf(horizons, job.params, { epoch, epochs, seconds }, course.rssBytes());
    history.push(event);
    const last = epoch === epochs || horizons.every((horizon) => horizon.done);
    if (last || epoch === 1 || epoch % tellEvery === 0) course.onEpoch(event);
    if (last) break;
  }
  return history;
}

/**
 * Boosts trees for every horizon. There is no checkpoint: a booster that is continued from its saved trees does not grow
 * those of an uninterrupted fit, so a crash starts the fit anew.
 * Throws `training.diverged` where no round has a finite validation loss, the signal's reason, and what the library says.
 */
export async function boost<P extends BoostParams>(
  engine: TreeEngine<P>,
  job: BoostJob<P>,
  course: Course,
): Promise<Boosted> {
  const horizons: Horizon[] = [];
  try {
    for (const [index, rows] of job.horizons.entries()) {
      course.signal.throwIfAborted();
      const { params, task } = job;
      const after = job.after?.[index];
      const booster = engine.start({ params, task, ...rows, seed: course.seed, after });
      horizons.push(new Horizon(booster, job, index));
    }
    const history = await growAll(horizons, job, course);
    if (horizons.some((horizon) => horizon.best.round === 0)) {
      throw new RatchetError('training.diverged', 'no round has a finite validation loss');
    }
    return {
      texts: horizons.map(({ booster }) => booster.save()),
      rounds: horizons.map(({ best }) => best.round),
      history,
      ...('chosen' in job.rounds ? {} : { bestValidLoss: mean(horizons.map((h) => h.best.loss)) }),
    };
  } finally {
    for (const { booster } of horizons) booster.dispose();
  }
}
