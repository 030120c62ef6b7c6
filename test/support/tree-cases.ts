import { readFileSync } from 'node:fs';
import { lightGbmParams } from '../../core/models/lightgbm.ts';
import { boost } from '../../core/models/trees/boost.ts';
import type { HorizonRows, Rounds } from '../../core/models/trees/boost.ts';
import { taskOf, type TreeEngine, type TreeTask } from '../../core/models/trees/engine.ts';
import { lightGbmEngine } from '../../core/models/trees/lightgbm-engine.impl.ts';
import type { BoostParams } from '../../core/models/trees/params.ts';
import { xgBoostEngine } from '../../core/models/trees/xgboost-engine.impl.ts';
import { xgBoostParams } from '../../core/models/xgboost.ts';

/** test/golden/trees.py makes the same rows, from the same whole numbers. */
const ROWS = { train: 600, valid: 200, test: 40 };
export const COLUMNS = 6;
const CLASSES = { regression: 0, binary: 2, multiclass: 3 } as const;

export interface TreeCase {
  readonly library: 'lightgbm' | 'xgboost';
  readonly task: keyof typeof CLASSES;
  readonly missing: boolean;
  readonly weighted: boolean;
  readonly patience: number | null;
  readonly expected: {
    readonly rounds: number;
    readonly treesSha256: string;
    readonly raw: readonly number[];
    readonly answers: readonly number[];
    readonly contributions: readonly number[];
    readonly gain: readonly number[];
    readonly split: readonly number[];
  };
}

export const goldenTrees = JSON.parse(
  readFileSync(new URL('../golden/trees.json', import.meta.url), 'utf8'),
) as {
  readonly cases: readonly TreeCase[];
  readonly categorical: { readonly lightgbm: string; readonly xgboost: string };
};

const SHARED = {
  learningRate: 0.1,
  featureFraction: 0.7,
  baggingFraction: 0.6,
  lambdaL1: 0.1,
  lambdaL2: 1.5,
  minGain: 0.01,
  maxBins: 63,
};
const SEED = 5;

/** An engine with the parameters of the golden values bound to it. */
export interface BoundEngine {
  readonly engine: TreeEngine<never>;
  boost(job: {
    task: TreeTask;
    horizons: readonly HorizonRows[];
    rounds: Rounds;
    most: number;
    signal?: AbortSignal;
  }): ReturnType<typeof boost>;
}

function bind<P extends BoostParams>(engine: TreeEngine<P>, params: P): BoundEngine {
  return {
    engine,
    boost: ({ most, signal = new AbortController().signal, ...job }) =>
      boost(
        engine,
        { ...job, params: { ...params, rounds: most } },
        {
          seed: SEED,
          signal,
          now: () => 0,
          rssBytes: () => 0,
          onEpoch: () => {},
          onBatch: () => {},
        },
      ),
  };
}

export const ENGINES: Readonly<Record<TreeCase['library'], BoundEngine>> = {
  lightgbm: bind(
    lightGbmEngine,
    lightGbmParams.parse({ ...SHARED, numLeaves: 15, minDataInLeaf: 10 }),
  ),
  xgboost: bind(xgBoostEngine, xgBoostParams.parse({ ...SHARED, maxDepth: 4, minChildWeight: 3 })),
};

/** Park and Miller's generator. */
function uniforms(count: number, seed: number): Float64Array {
  let state = seed;
  return Float64Array.from({ length: count }, () => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647;
  });
}

/** Rows [840 x 6] and labels by task, as test/golden/trees.py has them. */
export function treeData(missing: boolean) {
  const total = ROWS.train + ROWS.valid + ROWS.test;
  const x = uniforms(total * COLUMNS, 7);
  const noise = uniforms(total, 11);
  const signal = noise.map((n, i) => {
    const [a, b, c, d] = x.subarray(i * COLUMNS, i * COLUMNS + 4);
    return a! + b! * c! * 2 - d! * 0.5 + n * 0.6;
  });
  const holes = uniforms(total * COLUMNS, 13);
  if (missing) x.forEach((_, at) => holes[at]! < 0.1 && (x[at] = NaN));
  return {
    x,
    labels: {
      regression: signal.map(Math.fround),
      binary: signal.map((s) => Number(s > 1.1)),
      multiclass: signal.map((s) => Number(s >= 0.9) + Number(s >= 1.5)),
    },
  };
}

/** The parts of a case: boosters learn from `train` and `valid`, `test` is [40 x 6]. */
export function partsOf({ task, missing, weighted }: TreeCase) {
  const { x, labels } = treeData(missing);
  const y = labels[task];
  const part = (from: number, rows: number) => ({
    x: x.subarray(from * COLUMNS, (from + rows) * COLUMNS),
    columns: COLUMNS,
    y: y.subarray(from, from + rows),
  });
  const train = part(0, ROWS.train);
  const counts = [0, 1, 2].map((c) => train.y.filter((label) => label === c).length);
  const classes = CLASSES[task];
  const weights = weighted
    ? train.y.map((label) => ROWS.train / (classes * counts[label]!))
    : undefined;
  return {
    task: taskOf(classes),
    train: { ...train, weights },
    valid: part(ROWS.train, ROWS.valid),
    test: part(ROWS.train + ROWS.valid, ROWS.test).x,
  };
}

/** Boosts a golden case; gives its only text. */
export async function boostCase(given: TreeCase) {
  const { task, train, valid } = partsOf(given);
  const { patience, expected } = given;
  const rounds = patience === null ? { chosen: [expected.rounds] } : { patience };
  const horizons = [patience === null ? { train } : { train, valid }];
  const boosted = await ENGINES[given.library].boost({ task, horizons, rounds, most: 300 });
  return { task, text: boosted.texts[0]!, rounds: boosted.rounds[0]! };
}
