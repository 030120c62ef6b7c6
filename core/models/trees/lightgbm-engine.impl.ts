import { readLightGbm } from '../../onnx/trees/lightgbm-text.ts';
import type { LightGbmParams } from '../lightgbm.ts';
import {
  answersOf,
  scoresOf,
  type GrowingBooster,
  type GrowthJob,
  type LoadedBooster,
  type TreeEngine,
  type TreeRows,
  type TreeTask,
} from './engine.ts';
import { offsetsOf } from './offsets.ts';
import { made, type Handle } from './library.impl.ts';
import { check, lightGbm } from './lightgbm-library.impl.ts';

/** C_API_DTYPE_*, C_API_PREDICT_* and C_API_FEATURE_IMPORTANCE_* of LightGBM's c_api.h. */
const FLOAT32 = 0;
const FLOAT64 = 1;
const PREDICT = { raw: 1, contributions: 3 } as const;
const IMPORTANCE = { split: 0, gain: 1 } as const;
const ROW_MAJOR = 1;
const ALL_ROUNDS = -1;
const ONE_THREAD = 'num_threads=1';
/** Grown on demand to what the library says. */
const TEXT_BYTES = 1 << 16;

const OBJECTIVES = {
  regression: 'objective=regression metric=l2',
  binary: 'objective=binary metric=binary_logloss',
  multiclass: 'objective=multiclass metric=multi_logloss',
} as const;

/** LightGBM's own names of all that decides about the trees, as its C interface takes them. */
export function lightGbmParameters(params: LightGbmParams, task: TreeTask, seed: number): string {
  const given = {
    learning_rate: params.learningRate,
    num_leaves: params.numLeaves,
    max_depth: params.maxDepth,
    min_data_in_leaf: params.minDataInLeaf,
    feature_fraction: params.featureFraction,
    bagging_fraction: params.baggingFraction,
    bagging_freq: params.baggingFraction < 1 ? 1 : 0,
    lambda_l1: params.lambdaL1,
    lambda_l2: params.lambdaL2,
    min_gain_to_split: params.minGain,
    max_bin: params.maxBins,
    seed,
  };
  const classes = task.kind === 'multiclass' ? ` num_class=${task.classes}` : '';
  const list = Object.entries(given).map(([name, value]) => `${name}=${value}`);
  const fixed = `${ONE_THREAD} deterministic=true force_row_wise=true verbosity=-1`;
  return `${OBJECTIVES[task.kind]}${classes} ${list.join(' ')} ${fixed}`;
}

function datasetOf(rows: TreeRows, params: string, reference: Handle | null): Handle {
  const native = lightGbm();
  const { x, columns, y, weights } = rows;
  const dataset = made(check, (out) =>
    native.datasetCreate(x, FLOAT64, y.length, columns, ROW_MAJOR, params, reference, out),
  );
  const set = (name: string, values: Float64Array): void =>
    check(native.datasetSetField(dataset, name, Float32Array.from(values), y.length, FLOAT32));
  set('label', y);
  if (weights) set('weight', weights);
  return dataset;
}

/** What a finished booster says of the rows, as where boosting begins: class after class, as the library takes it. */
function beginFrom(parent: Loaded, dataset: Handle, rows: TreeRows, task: TreeTask): void {
  const raw = parent.raw(rows.x, rows.columns);
  const [count, scores] = [rows.y.length, scoresOf(task)];
  const start = raw.map((_, at) => raw[(at % count) * scores + Math.floor(at / count)]!);
  const native = lightGbm();
  check(native.datasetSetField(dataset, 'init_score', start, start.length, FLOAT64));
}

class Growing implements GrowingBooster {
  readonly #native = lightGbm();
  readonly #job: GrowthJob<LightGbmParams>;
  readonly #datasets: Handle[] = [];
  readonly #booster: Handle;
  #kept = 0;

  constructor(job: GrowthJob<LightGbmParams>) {
    this.#job = job;
    const params = lightGbmParameters(job.params, job.task, job.seed);
    const train = datasetOf(job.train, params, null);
    this.#datasets.push(train);
    const valid = job.valid && datasetOf(job.valid, params, train);
    if (valid) this.#datasets.push(valid);
    const parent = job.after && new Loaded(job.after);
    try {
      if (parent) this.#begin(parent, train, valid);
      this.#booster = made(check, (out) => this.#native.create(train, params, out));
      parent?.mergeInto(this.#booster);
      if (valid) check(this.#native.addValid(this.#booster, valid));
    } finally {
      parent?.dispose();
    }
  }

  /**
   * Both parts begin where the parent's trees end. What it is off by on the training rows as a whole goes into its first
   * trees, as the mean does in a fit that begins anew: under a penalty no split finds a constant.
   */
  #begin(parent: Loaded, train: Handle, valid: Handle | undefined): void {
    const { task, ...job } = this.#job;
    const raw = parent.raw(job.train.x, job.train.columns);
    parent.shift(offsetsOf(task, raw, job.train));
    beginFrom(parent, train, job.train, task);
    if (valid) beginFrom(parent, valid, job.valid!, task);
  }

  grow(): void {
    // A round that finds no split adds no tree; with other rows in the bag a later one may.
    check(this.#native.update(this.#booster, [0]));
  }

  answers(part: 'train' | 'valid'): Float64Array {
    const { task, train, valid } = this.#job;
    const rows = (part === 'train' ? train : valid!).y.length;
    const scores = scoresOf(task);
    const given = new Float64Array(rows * scores);
    check(this.#native.answers(this.#booster, part === 'train' ? 0 : 1, [0], given));
    if (task.kind === 'regression') return given;
    const answers = answersOf(task);
    const out = new Float64Array(rows * answers);
    for (let at = 0; at < out.length; at++) {
      const row = Math.floor(at / answers);
      const k = at % answers;
      // The library gives class after class; of two classes only the probability of the second.
      if (task.kind === 'multiclass') out[at] = given[k * rows + row]!;
      else out[at] = k === 1 ? given[row]! : 1 - given[row]!;
    }
    return out;
  }

  keep(): void {
    const iteration = [0];
    check(this.#native.iteration(this.#booster, iteration));
    this.#kept = iteration[0]!;
  }

  save(): Uint8Array {
    const length: (number | bigint)[] = [0];
    let text = Buffer.alloc(TEXT_BYTES);
    const write = (): void =>
      check(
        this.#native.save(
          this.#booster,
          0,
          this.#kept,
          IMPORTANCE.split,
          text.length,
          length,
          text,
        ),
      );
    write();
    if (Number(length[0]) > text.length) {
      text = Buffer.alloc(Number(length[0]));
      write();
    }
    return withoutParameters(text.toString('utf8', 0, Number(length[0]) - 1));
  }

  dispose(): void {
    check(this.#native.free(this.#booster));
    for (const dataset of this.#datasets) check(this.#native.datasetFree(dataset));
  }
}

/** The text up to its list of hyperparameters, which says nothing that the trees do not. */
function withoutParameters(text: string): Uint8Array {
  const at = text.indexOf('\nparameters:');
  return new TextEncoder().encode(at < 0 ? text : text.slice(0, at + 1));
}

class Loaded implements LoadedBooster {
  readonly #native = lightGbm();
  readonly #booster: Handle;
  readonly #scores: number;
  readonly #text: string;

  constructor(text: Uint8Array) {
    const readable = new TextDecoder().decode(text);
    this.#text = readable;
    this.#booster = made(check, (out) => this.#native.load(readable, [0], out));
    const scores = [0];
    check(this.#native.scores(this.#booster, scores));
    this.#scores = scores[0]!;
  }

  #predict(kind: keyof typeof PREDICT, x: Float64Array, columns: number, width: number) {
    const rows = x.length / columns;
    const out = new Float64Array(rows * width);
    const shape = [x, FLOAT64, rows, columns, ROW_MAJOR, PREDICT[kind]];
    check(this.#native.predict(this.#booster, ...shape, 0, ALL_ROUNDS, ONE_THREAD, [0], out));
    return out;
  }

  raw(x: Float64Array, columns: number): Float64Array {
    return this.#predict('raw', x, columns, this.#scores);
  }

  /** Adds a constant to each raw score: to all leaves of the first tree that gives it. */
  shift(offsets: readonly number[]): void {
    offsets.forEach((offset, tree) => {
      const leaves = new RegExp(`^Tree=${tree}\nnum_leaves=(\\d+)$`, 'm').exec(this.#text);
      for (let leaf = 0; leaf < Number(leaves![1]); leaf++) {
        const value = [0];
        check(this.#native.leafValue(this.#booster, tree, leaf, value));
        check(this.#native.setLeafValue(this.#booster, tree, leaf, value[0]! + offset));
      }
    });
  }

  mergeInto(booster: Handle): void {
    check(this.#native.merge(booster, this.#booster));
  }

  contributions(x: Float64Array, columns: number): Float64Array {
    return this.#predict('contributions', x, columns, this.#scores * (columns + 1));
  }

  importance(columns: number): { gain: number[]; split: number[] } {
    const read = (kind: number): number[] => {
      const out = new Float64Array(columns);
      check(this.#native.importance(this.#booster, ALL_ROUNDS, kind, out));
      return [...out];
    };
    return { gain: read(IMPORTANCE.gain), split: read(IMPORTANCE.split) };
  }

  dispose(): void {
    check(this.#native.free(this.#booster));
  }
}

export const lightGbmEngine: TreeEngine<LightGbmParams> = {
  name: 'lightgbm',
  start: (job) => new Growing(job),
  load: (text) => new Loaded(text),
  read: (text) => readLightGbm(new TextDecoder().decode(text)),
  libraries: () => ({ lightgbm: lightGbm().digest }),
};
