import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Graph } from '../../../../core/onnx/graph.ts';
import { openRuntimeSession } from '../../../../core/onnx/session.impl.ts';
import { addTreeEnsemble, type TreeEnsemble } from '../../../../core/onnx/trees/ensemble.ts';
import { forestOf, isForest } from '../../../../core/onnx/trees/forest.ts';
import { exponential, softmaxInto } from '../../../../core/onnx/trees/softmax.ts';
import { seededUniform } from '../../../../core/seeded-uniform.ts';
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

function ownSums(ensemble: TreeEnsemble, x: Float64Array): Float64Array {
  const forest = forestOf(ensemble);
  const out: number[] = [];
  for (let from = 0; from < x.length; from += ensemble.features) {
    forest.ask(x, from);
    out.push(...forest.sums);
  }
  return Float64Array.from(out);
}

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

/** Distance in units of the last place of `b`. */
function ulps(a: number, b: number): number {
  const next = Float64Array.of(b);
  new BigInt64Array(next.buffer)[0]! += 1n;
  return Math.abs(a - b) / (next[0]! - b);
}

test('the exponential is right to about the last place, down to where doubles end', () => {
  let worst = 0;
  for (let i = 0; i < 100_000; i++) {
    const x = -700 * uniform() ** 3;
    worst = Math.max(worst, ulps(exponential(x), Math.exp(x)));
  }
  assert.ok(worst < 2, `${worst} ulp`);
  assert.equal(exponential(0), 1);
  assert.equal(exponential(-0), 1);
  assert.equal(exponential(-1000), 0);
  assert.equal(exponential(-Infinity), 0);
  assert.ok(exponential(-744) > 0 && exponential(-710) > 0);
  assert.ok(Number.isNaN(exponential(NaN)));
});

test('the bits of the exponential never change: they are those of served answers', () => {
  const bits = (x: number): string =>
    new BigUint64Array(Float64Array.of(exponential(x)).buffer)[0]!.toString(16);
  assert.deepEqual([-0.1, -1, -2.5, -10, -36.04].map(bits), [
    ...['3fecf46d99d52b3a', '3fd78b56362cef38', '3fb50385c094f425', '3f07cd79b5647c9a'],
    '3cb00efddccb88a9',
  ]);
});

test('softmax adds up to 1; NaN makes all NaN', () => {
  const values = Float64Array.of(3, -1, 700, 0, 0, 0);
  softmaxInto(values, 0, 3, 3);
  assert.deepEqual(
    [...values.subarray(3)],
    [0, 0, 1].map((p, i) => (i < 2 ? values[3 + i] : p)),
  );
  assert.ok(values[3]! > 0 && values[3]! < 1e-290);
  values[1] = NaN;
  softmaxInto(values, 0, 3, 3);
  assert.ok(values.subarray(3).every(Number.isNaN));
});
