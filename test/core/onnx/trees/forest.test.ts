import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Graph } from '../../../../core/onnx/graph.ts';
import { openRuntimeSession } from '../../../../core/onnx/session.impl.ts';
import { addTreeEnsemble, type TreeEnsemble } from '../../../../core/onnx/trees/ensemble.ts';
import { type Forest, forestOf, isForest } from '../../../../core/onnx/trees/forest.ts';
import { plainSoftmax } from '../../../../core/onnx/trees/softmax.ts';
import { seededUniform } from '../../../../core/seeded-uniform.ts';
import { columnMemoryIfAny } from '../../../../core/wasm.ts';
import { probingRows, randomTrees, type TreeShape } from '../../../support/random-trees.ts';

const ROWS = 60;

/** Sums by onnxruntime, all rows in one run. */
async function runtimeSums(ensemble: TreeEnsemble, x: Float64Array): Promise<Float64Array> {
  const g = new Graph('trees-alone');
  const sums = addTreeEnsemble(g, g.input('x', 'float64', ['N', ensemble.features]), ensemble);
  g.output(sums, 'y', 'float64', ['N', ensemble.targets]);
  const session = await openRuntimeSession(g.toModel());
  try {
    return await session.run({
      x: { data: x, dims: [x.length / ensemble.features, ensemble.features] },
    });
  } finally {
    await session.release();
  }
}

function sumsBy(forest: Forest, x: Float64Array, features: number): Float64Array {
  const out: number[] = [];
  for (let from = 0; from < x.length; from += features) {
    forest.ask(x, from);
    out.push(...forest.sums);
  }
  return Float64Array.from(out);
}

const ownSums = (ensemble: TreeEnsemble, x: Float64Array): Float64Array =>
  sumsBy(forestOf(ensemble), x, ensemble.features);

const uniform = seededUniform(21);
const below = (most: number): number => 1 + Math.floor(uniform() * most);

for (const precision of ['float64', 'float32'] as const) {
  test(`sums of ${precision} trees have the bits of onnxruntime`, async () => {
    for (let round = 0; round < 120; round++) {
      const shape: TreeShape = {
        features: below(7),
        targets: below(5),
        trees: below(round % 10 === 0 ? 150 : 30),
        leaves: below(round % 7 === 0 ? 200 : 20),
        precision,
      };
      const ensemble = randomTrees(uniform, shape);
      assert.ok(isForest(ensemble));
      const x = probingRows(uniform, ensemble, ROWS);
      const [ours, theirs] = [ownSums(ensemble, x), await runtimeSums(ensemble, x)];
      const at = theirs.findIndex((sum, i) => !Object.is(sum, ours[i]));
      const what = `round ${round}, ${JSON.stringify(shape)}: sum ${at}`;
      assert.equal(at, -1, `${what}: ${ours[at]} for ${theirs[at]}`);
      assert.equal(ours.length, theirs.length);
    }
  });
}

test('other questions than thresholds make no forest', () => {
  const asking = (
    split: TreeEnsemble['trees'][number]['nodes'][number]['split'],
  ): TreeEnsemble => ({
    ...{ features: 1, targets: 1, precision: 'float64', categorical: [] },
    trees: [
      {
        target: 0,
        nodes: [{ feature: 0, split, missingIsYes: true, yes: ~0, no: ~1 }],
        leaves: [1, 2],
      },
    ],
  });
  assert.ok(isForest(asking({ kind: 'atMost', threshold: -Infinity })));
  for (const split of [
    { kind: 'oneOf', members: [1, 2] },
    { kind: 'below', threshold: -Infinity },
    { kind: 'atMost', threshold: NaN },
  ] as const) {
    assert.ok(!isForest(asking(split)));
    assert.throws(() => forestOf(asking(split)), { code: 'onnx.trees' });
  }
});

test('trees whose terms alone have no room make no forest', () => {
  const tree = { target: 0, nodes: [], leaves: [1] };
  const of = (targets: number, trees: number): TreeEnsemble => ({
    ...{ features: 1, targets, precision: 'float64', categorical: [] },
    trees: new Array<typeof tree>(trees).fill(tree),
  });
  // A term of 8 bytes by target and round.
  assert.ok(isForest(of(20_000, 4_000)));
  assert.ok(!isForest(of(40_000, 4_000)));
  assert.throws(() => forestOf(of(40_000, 4_000)), { code: 'onnx.trees' });
});

/** Without any memory for WebAssembly, as a limit of address space has it. */
function withoutMemory<T>(work: () => T): T {
  const wasm: { Memory: unknown } = Reflect.get(globalThis, 'WebAssembly');
  const { Memory } = wasm;
  wasm.Memory = class {
    constructor() {
      throw new RangeError('WebAssembly.Memory(): could not allocate memory');
    }
  };
  try {
    return work();
  } finally {
    wasm.Memory = Memory;
  }
}

test('without memory for WebAssembly, sums have the same bits', () => {
  for (const precision of ['float64', 'float32'] as const) {
    const shape = { features: 5, targets: 3, trees: 50, leaves: 40, precision };
    const ensemble = randomTrees(uniform, shape);
    const x = probingRows(uniform, ensemble, ROWS);
    const forest = withoutMemory(() => {
      assert.equal(columnMemoryIfAny(1), undefined);
      return forestOf(ensemble);
    });
    assert.deepEqual(sumsBy(forest, x, ensemble.features), ownSums(ensemble, x));
  }
});

/** Softmax of rows of logits, by onnxruntime. */
async function shares(rows: readonly (readonly number[])[]): Promise<number[][]> {
  const classes = rows[0]!.length;
  const g = new Graph('softmax');
  const y = plainSoftmax(g, g.input('x', 'float64', ['N', classes]), classes);
  g.output(y, 'y', 'float64', ['N', classes]);
  const session = await openRuntimeSession(g.toModel());
  try {
    const data = Float64Array.from(rows.flat());
    const out = await session.run({ x: { data, dims: [rows.length, classes] } });
    return rows.map((_, i) => [...out.subarray(i * classes, (i + 1) * classes)]);
  } finally {
    await session.release();
  }
}

test('the softmax of plain operations is one, down to where doubles end', async () => {
  const rows = Array.from({ length: 5_000 }, () =>
    Array.from({ length: 4 }, () => 300 * (uniform() - 0.5) ** 3),
  );
  rows.push([0, 0, 0, 0], [-1e300, 1e300, 0, 5], [3, -700, -744, -800], [-Infinity, 1, 2, 3]);
  for (const [i, own] of (await shares(rows)).entries()) {
    const row = rows[i]!;
    const powers = row.map((logit) => Math.exp(logit - Math.max(...row)));
    const sum = powers.reduce((a, b) => a + b, 0);
    own.forEach((share, k) => {
      const off = Math.abs(share - powers[k]! / sum);
      assert.ok(
        off <= 4 * Number.EPSILON * share + 1e-320,
        `${row.join()}: ${share} for ${powers[k]! / sum}`,
      );
    });
  }
});

// What was served is fixed by the graph that was stored, not by what builds the next one.
test('a softmax that is built anew has the bits it had', async () => {
  const [own] = await shares([[0.25, -1.5, 3.75, 0]]);
  const bits = [...new BigUint64Array(Float64Array.from(own!).buffer)].map((b) => b.toString(16));
  assert.deepEqual(bits, [
    ...['3f9d334ca7a5d5fd', '3f744c0c8e234db1', '3fee37df5aa1b499', '3f96bdc4e09ac359'],
  ]);
});
