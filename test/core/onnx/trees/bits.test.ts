import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RatchetError } from '../../../../core/errors.ts';
import { Graph } from '../../../../core/onnx/graph.ts';
import { openSession } from '../../../../core/onnx/session.impl.ts';
import { addTreeEnsemble, type TreeEnsemble } from '../../../../core/onnx/trees/ensemble.ts';
import { readLightGbm } from '../../../../core/onnx/trees/lightgbm-text.ts';
import { readXgBoost } from '../../../../core/onnx/trees/xgboost-json.ts';
import { checkGraphIsSelfContained } from '../../../../core/packages/graph-check.ts';
import { seededUniform } from '../../../../core/seeded-uniform.ts';
import { boostCase, COLUMNS, ENGINES, goldenTrees } from '../../../support/tree-cases.ts';
import { withoutTrees } from '../../../support/without-trees.ts';

/** The neighbour of a double, upwards or downwards. */
function neighbour(value: number, direction: 1 | -1): number {
  const real = Float64Array.of(value);
  const bits = new BigInt64Array(real.buffer);
  if (value === 0) return direction * Number.MIN_VALUE;
  bits[0]! += value > 0 === direction > 0 ? 1n : -1n;
  return real[0]!;
}

/** The neighbour of the float32 nearest to a number. */
function neighbour32(value: number, direction: 1 | -1): number {
  const real = Float32Array.of(value);
  const bits = new Int32Array(real.buffer);
  if (real[0] === 0) return direction * 1.401298464324817e-45;
  bits[0]! += real[0]! > 0 === direction > 0 ? 1 : -1;
  return real[0]!;
}

const ODD = [0, -0, NaN, 1e-35, -1e-35, 1e-36, -1e-36, 2e-35, -2e-35, 1e30, -1e30, 0.5, -0.5];
const CODES = [-1, -0.5, 0, 0.5, 1, 2.7, 3, 5, 8, 13, 21, 33, 39, 39.9];
/** Codes that XGBoost refuses at predict: it wants those it may have seen. */
const STRANGE_CODES = [40, 41, 64, 300, 1e6, NaN];

/** Rows on, just below and just above every threshold of a model, and odd values in every column. */
function probingRows(ensemble: TreeEnsemble, library: 'lightgbm' | 'xgboost'): Float64Array {
  const uniform = seededUniform(3);
  const categorical = new Set(ensemble.categorical);
  const rows: number[][] = [];
  const row = (): number[] =>
    Array.from({ length: COLUMNS }, (_, f) =>
      categorical.has(f) ? Math.floor(uniform() * (f === 4 ? 40 : 4)) : uniform(),
    );
  const put = (feature: number, value: number): void => {
    const made = row();
    made[feature] = value;
    rows.push(made);
  };
  for (const { nodes } of ensemble.trees) {
    for (const { feature, split } of nodes) {
      if (split.kind === 'oneOf') continue;
      const { threshold: t } = split;
      for (const near of [t, neighbour(t, 1), neighbour(t, -1)]) put(feature, near);
      for (const near of [neighbour32(t, 1), neighbour32(t, -1)]) put(feature, near);
    }
  }
  const infinite = library === 'lightgbm' ? [Infinity, -Infinity] : [];
  for (let f = 0; f < COLUMNS; f++) {
    const codes =
      library === 'lightgbm' ? [...CODES, ...STRANGE_CODES] : CODES.filter((c) => c >= 0);
    const known = library === 'xgboost' && f === 5 ? codes.filter((c) => c < 4) : codes;
    for (const value of categorical.has(f) ? known : [...ODD, ...infinite]) put(f, value);
  }
  if (library === 'lightgbm' || categorical.size === 0) rows.push(new Array(COLUMNS).fill(NaN));
  return Float64Array.from(rows.flat());
}

async function graphScores(ensemble: TreeEnsemble, x: Float64Array, batch: number) {
  const g = new Graph('trees-alone');
  const sums = addTreeEnsemble(g, g.input('x', 'float64', ['N', COLUMNS]), ensemble);
  g.output(sums, 'y', 'float64', ['N', ensemble.targets]);
  const bytes = g.toModel();
  checkGraphIsSelfContained(bytes, 'model.onnx');
  const session = await openSession(bytes);
  try {
    const out: number[] = [];
    for (let from = 0; from < x.length; from += batch * COLUMNS) {
      const data = x.slice(from, from + batch * COLUMNS);
      out.push(...(await session.run({ x: { data, dims: [data.length / COLUMNS, COLUMNS] } })));
    }
    return Float64Array.from(out);
  } finally {
    await session.release();
  }
}

/** The graph's scores are the library's, bit for bit, whether rows come alone or together. */
async function sameBits(library: 'lightgbm' | 'xgboost', text: Uint8Array): Promise<void> {
  const { engine } = ENGINES[library];
  const ensemble = engine.read(text);
  const x = probingRows(ensemble, library);
  const booster = engine.load(text);
  try {
    const native = booster.raw(x, COLUMNS);
    const few = x.subarray(0, 200 * COLUMNS);
    for (const graph of [
      await graphScores(ensemble, x, 1000),
      await graphScores(ensemble, few, 1),
    ]) {
      const differs = graph.findIndex((score, at) => !Object.is(score, native[at]));
      assert.equal(differs, -1, `score ${differs}: ${graph[differs]} for ${native[differs]}`);
    }
  } finally {
    booster.dispose();
  }
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('graphs of trees', { skip: withoutTrees }, () => {
  const { cases, categorical } = goldenTrees;
  for (const given of cases.filter(({ weighted, patience }) => !weighted && patience === null)) {
    const { library, task, missing } = given;
    it(`say what ${library} says: ${task}${missing ? ', missing values' : ''}`, async () => {
      const { text } = await boostCase(given);
      await sameBits(library, text);
    });
  }

  it('say what the libraries say of categories', async () => {
    await sameBits('lightgbm', bytesOf(categorical.lightgbm));
    await sameBits('xgboost', bytesOf(categorical.xgboost));
  });
});

const refusal = (error: unknown): boolean =>
  error instanceof RatchetError && error.code === 'onnx.trees';

describe('model texts that are no longer whole', () => {
  const { lightgbm, xgboost } = goldenTrees.categorical;

  it('are refused wherever they are cut', () => {
    const uniform = seededUniform(4);
    for (let i = 0; i < 60; i++) {
      const end = lightgbm.indexOf('end of trees');
      assert.throws(() => readLightGbm(lightgbm.slice(0, Math.floor(uniform() * end))), refusal);
      const cut = Math.floor(uniform() * (xgboost.length - 1));
      assert.throws(() => readXgBoost(xgboost.slice(0, cut)), refusal);
    }
  });

  it('are refused where a tree leads outside itself, or lacks', () => {
    const altered = (from: RegExp, to: string): string => {
      assert.match(lightgbm, from);
      return lightgbm.replace(from, to);
    };
    for (const text of [
      altered(/^left_child=\d+/m, 'left_child=9999'),
      altered(/^left_child=\S+/m, 'left_child=0'),
      altered(/^split_feature=\d+/m, 'split_feature=77'),
      altered(/^leaf_value=\S+ /m, 'leaf_value='),
      altered(/^threshold=\S+/m, 'threshold=many'),
      altered(/^threshold=\S+ /m, 'threshold='),
      altered(/^tree_sizes=\d+ /m, 'tree_sizes='),
      altered(/^is_linear=0/m, 'is_linear=1'),
      altered(/^version=v4/m, 'version=v4\naverage_output'),
    ]) {
      assert.throws(() => readLightGbm(text), refusal);
    }
    for (const [from, to] of [
      ['"left_children":[1', '"left_children":[0'],
      ['"left_children":[1', '"left_children":[9999'],
      ['"split_indices":[', '"split_indices":[77,'],
      ['"tree_info":[0', '"tree_info":[0,0'],
      ['"name":"reg:squarederror"', '"name":"rank:pairwise"'],
      ['"name":"gbtree"', '"name":"dart"'],
    ] as const) {
      assert.ok(xgboost.includes(from), from);
      assert.throws(() => readXgBoost(xgboost.replace(from, to)), refusal);
    }
  });
});
