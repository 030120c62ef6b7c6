import { readXgBoost } from '../../onnx/trees/xgboost-json.ts';
import type { FeatureImportance } from '../model.ts';
import type { XgBoostParams } from '../xgboost.ts';
import {
  type GrowingBooster,
  type GrowthJob,
  type LoadedBooster,
  type TreeEngine,
  type TreeRows,
  type TreeTask,
} from './engine.ts';
import { bytesAt, countsAt, floatsAt, made, stringsAt, type Handle } from './library.impl.ts';
import { answersFrom } from './loss.ts';
import { check, xgBoost } from './xgboost-library.impl.ts';

/** `type` of XGBoosterPredictFromDMatrix. */
const PREDICT = { margin: 1, contributions: 2 } as const;
/** Columns have no names of ours: the library calls them f0, f1, ... */
const COLUMN = /^f(\d+)$/;

const OBJECTIVES = {
  regression: 'reg:squarederror',
  binary: 'binary:logistic',
  multiclass: 'multi:softprob',
} as const;

/** XGBoost's own names of all that decides about the trees. */
export function xgBoostParameters(params: XgBoostParams, task: TreeTask, seed: number) {
  return {
    objective: OBJECTIVES[task.kind],
    ...(task.kind === 'multiclass' ? { num_class: task.classes } : {}),
    tree_method: 'hist',
    learning_rate: params.learningRate,
    max_depth: params.maxDepth,
    min_child_weight: params.minChildWeight,
    colsample_bytree: params.featureFraction,
    subsample: params.baggingFraction,
    reg_alpha: params.lambdaL1,
    reg_lambda: params.lambdaL2,
    gamma: params.minGain,
    max_bin: params.maxBins,
    seed,
    // The library has one generator a thread: without this the boosters of other horizons would draw from it too.
    seed_per_iteration: 1,
    nthread: 1,
    verbosity: 0,
  };
}

/** A matrix of the library's; values are rounded to float32, NaN is missing. */
function matrixOf({ x, columns, y, weights }: Partial<TreeRows> & Pick<TreeRows, 'x' | 'columns'>) {
  const native = xgBoost();
  const rows = x.length / columns;
  const values = Float32Array.from(x);
  const matrix = made(check, (out) => native.matrixCreate(values, rows, columns, NaN, out));
  const set = (field: string, given: Float64Array): void =>
    check(native.matrixSet(matrix, field, Float32Array.from(given), rows));
  if (y) set('label', y);
  if (weights) set('weight', weights);
  return matrix;
}

/** What a booster says of a matrix, as the library gives it (float32). */
function predict(booster: Handle, matrix: Handle, kind: keyof typeof PREDICT): Float64Array {
  const native = xgBoost();
  const every = { training: false, iteration_begin: 0, iteration_end: 0, strict_shape: true };
  const config = JSON.stringify({ ...every, type: PREDICT[kind] });
  const [shape, dimensions, out]: unknown[][] = [[null], [0], [null]];
  check(native.predict(booster, matrix, config, shape, dimensions, out));
  const sizes = countsAt(shape![0], Number(dimensions![0]));
  return Float64Array.from(
    floatsAt(
      out![0],
      sizes.reduce((product, size) => product * size, 1),
    ),
  );
}

class Growing implements GrowingBooster {
  readonly #native = xgBoost();
  readonly #job: GrowthJob<XgBoostParams>;
  readonly #train: Handle;
  readonly #valid: Handle | undefined;
  readonly #booster: Handle;
  #rounds = 0;
  #kept = 0;

  constructor(job: GrowthJob<XgBoostParams>) {
    this.#job = job;
    this.#train = matrixOf(job.train);
    this.#valid = job.valid && matrixOf(job.valid);
    // Predictions for the matrices named here are carried from round to round.
    const known = [this.#train, ...(this.#valid ? [this.#valid] : [])];
    this.#booster = made(check, (out) => this.#native.create(known, known.length, out));
    const params = xgBoostParameters(job.params, job.task, job.seed);
    for (const [name, value] of Object.entries(params)) {
      check(this.#native.setParam(this.#booster, name, String(value)));
    }
    if (job.after) this.#continue(job.after);
  }

  /** Takes the trees of a finished booster; rounds go on counting where it ended. */
  #continue(after: Uint8Array): void {
    const native = this.#native;
    check(native.load(this.#booster, after, after.length));
    const rounds = [0];
    check(native.rounds(this.#booster, rounds));
    this.#rounds = Number(rounds[0]);
    this.#kept = this.#rounds;
    const params = xgBoostParameters(this.#job.params, this.#job.task, this.#job.seed);
    for (const [name, value] of Object.entries(params)) {
      check(native.setParam(this.#booster, name, String(value)));
    }
  }

  grow(): void {
    check(this.#native.update(this.#booster, this.#rounds, this.#train));
    this.#rounds += 1;
  }

  answers(part: 'train' | 'valid'): Float64Array {
    const matrix = part === 'train' ? this.#train : this.#valid!;
    return answersFrom(this.#job.task, predict(this.#booster, matrix, 'margin'));
  }

  keep(): void {
    this.#kept = this.#rounds;
  }

  save(): Uint8Array {
    const native = this.#native;
    const kept = made(check, (out) => native.slice(this.#booster, 0, this.#kept, 1, out));
    try {
      const [length, out]: unknown[][] = [[0], [null]];
      check(native.save(kept, '{"format":"json"}', length, out));
      return bytesAt(out![0], Number(length![0]));
    } finally {
      check(native.free(kept));
    }
  }

  dispose(): void {
    check(this.#native.free(this.#booster));
    check(this.#native.matrixFree(this.#train));
    if (this.#valid) check(this.#native.matrixFree(this.#valid));
  }
}

class Loaded implements LoadedBooster {
  readonly #native = xgBoost();
  readonly #booster: Handle;

  constructor(text: Uint8Array) {
    const native = this.#native;
    this.#booster = made(check, (out) => native.create([], 0, out));
    try {
      check(native.setParam(this.#booster, 'nthread', '1'));
      check(native.load(this.#booster, text, text.length));
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  #predict(kind: keyof typeof PREDICT, x: Float64Array, columns: number): Float64Array {
    const matrix = matrixOf({ x, columns });
    try {
      return predict(this.#booster, matrix, kind);
    } finally {
      check(this.#native.matrixFree(matrix));
    }
  }

  raw(x: Float64Array, columns: number): Float64Array {
    return this.#predict('margin', x, columns);
  }

  contributions(x: Float64Array, columns: number): Float64Array {
    return this.#predict('contributions', x, columns);
  }

  importance(columns: number): FeatureImportance {
    const read = (kind: string): number[] => {
      const [count, names, dimensions, shape, out]: unknown[][] = [
        [0],
        [null],
        [0],
        [null],
        [null],
      ];
      const config = JSON.stringify({ importance_type: kind });
      check(this.#native.scores(this.#booster, config, count, names, dimensions, shape, out));
      const found = stringsAt(names![0], Number(count![0]));
      const values = floatsAt(out![0], found.length);
      const byColumn = new Array<number>(columns).fill(0);
      // Columns without a split are not listed.
      found.forEach((name, i) => {
        byColumn[Number(COLUMN.exec(name)![1])] = values[i]!;
      });
      return byColumn;
    };
    return { gain: read('total_gain'), split: read('weight') };
  }

  dispose(): void {
    check(this.#native.free(this.#booster));
  }
}

function libraries(): Record<string, string> {
  const native = xgBoost();
  const [major, minor, patch]: unknown[][] = [[0], [0], [0]];
  native.version(major, minor, patch);
  return { xgboost: `${String(major)}.${String(minor)}.${String(patch)} ${native.digest}` };
}

export const xgBoostEngine: TreeEngine<XgBoostParams> = {
  name: 'xgboost',
  start: (job) => new Growing(job),
  load: (text) => new Loaded(text),
  read: (text) => readXgBoost(new TextDecoder().decode(text)),
  libraries,
};
