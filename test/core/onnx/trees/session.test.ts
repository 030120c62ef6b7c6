import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ExportContext } from '../../../../core/models/model.ts';
import { readModel } from '../../../../core/onnx/embed.ts';
import { EVALUATOR_KEY, evaluatorOf, TREE_EVALUATOR } from '../../../../core/onnx/evaluator.ts';
import { Graph } from '../../../../core/onnx/graph.ts';
import { scaleByInstrument } from '../../../../core/onnx/instrument-scaling.ts';
import { buildLinearGraph } from '../../../../core/onnx/linear.ts';
import { meanOfModels } from '../../../../core/onnx/mean-of-models.ts';
import { newestOfWindow } from '../../../../core/onnx/newest-of-window.ts';
import { encodeMessage } from '../../../../core/onnx/protobuf.ts';
import { openRuntimeSession, openSession } from '../../../../core/onnx/session.impl.ts';
import type { OnnxSession, SessionInputs } from '../../../../core/onnx/session.ts';
import { buildTreeGraph } from '../../../../core/onnx/trees/graph.ts';
import { openTreeSession } from '../../../../core/onnx/trees/session.ts';
import { checkEvaluators } from '../../../../core/packages/evaluator-check.ts';
import { checkGraphIsSelfContained } from '../../../../core/packages/graph-check.ts';
import { seededUniform } from '../../../../core/seeded-uniform.ts';
import { probingRows, randomTrees, treeContext } from '../../../support/random-trees.ts';

const FEATURES = 5;
const WINDOWS = 40;
const uniform = seededUniform(8);

const TASKS = {
  values: { horizons: [3, 9], classes: 0, multiplyByClose: false },
  prices: { horizons: [5], classes: 0, multiplyByClose: true },
  'two classes': { horizons: [1, 2, 4], classes: 2, multiplyByClose: false },
  'three classes': { horizons: [7, 8], classes: 3, multiplyByClose: false },
} as const;

interface Scene {
  readonly ctx: ExportContext;
  readonly graph: Uint8Array;
  readonly inputs: SessionInputs;
}

function scene(task: keyof typeof TASKS, precision: 'float32' | 'float64', fits = 1): Scene {
  const ctx = treeContext(uniform, { features: FEATURES, ...TASKS[task] });
  const targets = ctx.classes > 2 ? ctx.classes : 1;
  const shape = { features: FEATURES, targets, trees: 20, leaves: 12, precision };
  const ensembles = Array.from({ length: fits }, () =>
    ctx.horizons.map(() => randomTrees(uniform, shape)),
  );
  const graphs = ensembles.map((own) => buildTreeGraph(own, ctx));
  const x = probingRows(uniform, ensembles[0]![0]!, WINDOWS * ctx.lookback);
  const close = Float64Array.from({ length: WINDOWS }, () => 90 + 20 * uniform());
  return {
    ctx,
    graph: fits === 1 ? graphs[0]! : meanOfModels(graphs),
    inputs: {
      x: { data: x, dims: [WINDOWS, ctx.lookback, FEATURES] },
      ...(ctx.multiplyByClose && { close: { data: close, dims: [WINDOWS, 1] } }),
    },
  };
}

/** One window of the inputs. */
function only({ x, close }: SessionInputs, window: number, size: number): SessionInputs {
  const cut = (data: Float64Array, width: number): Float64Array =>
    data.slice(window * width, (window + 1) * width);
  return {
    x: { data: cut(x!.data as Float64Array, size), dims: [1, ...x!.dims.slice(1)] },
    ...(close && { close: { data: cut(close.data as Float64Array, 1), dims: [1, 1] } }),
  };
}

async function using<T>(
  session: OnnxSession,
  use: (session: OnnxSession) => Promise<T>,
): Promise<T> {
  try {
    return await use(session);
  } finally {
    await session.release();
  }
}

describe('graphs of trees, answered here', () => {
  for (const task of Object.keys(TASKS) as (keyof typeof TASKS)[]) {
    for (const precision of ['float32', 'float64'] as const) {
      for (const fits of [1, 3]) {
        const what = fits === 1 ? 'a model' : `the mean of ${fits}`;
        it(`${task}, ${precision}, ${what}: says what onnxruntime says, alone and together`, async () => {
          const { ctx, graph, inputs } = scene(task, precision, fits);
          assert.equal(evaluatorOf(graph), TREE_EVALUATOR);
          checkGraphIsSelfContained(graph, 'model.onnx');
          const runtime = await using(await openRuntimeSession(graph), (own) => own.run(inputs));
          await using(await openSession(graph), async (session) => {
            assert.deepEqual([...session.inputNames].sort(), Object.keys(inputs).sort());
            const answers = await session.run(inputs);
            checkEvaluators(answers, runtime);
            const width = answers.length / WINDOWS;
            for (let window = 0; window < WINDOWS; window++) {
              const alone = await session.run(only(inputs, window, ctx.lookback * FEATURES));
              assert.deepEqual(alone, answers.slice(window * width, (window + 1) * width));
            }
          });
        });
      }
    }
  }
});

const marked = (graph: Uint8Array, evaluator?: string): Uint8Array => {
  const model = readModel(graph);
  const others = (model.metadataProps ?? []).filter(({ key }) => key !== EVALUATOR_KEY);
  const own = evaluator === undefined ? [] : [{ key: EVALUATOR_KEY, value: evaluator }];
  return encodeMessage('Model', { ...model, metadataProps: [...others, ...own] });
};

test('without a word about it, onnxruntime answers', async () => {
  const { graph, inputs } = scene('three classes', 'float64');
  const bare = marked(graph);
  assert.equal(evaluatorOf(bare), undefined);
  const ours = await using(await openSession(graph), (own) => own.run(inputs));
  const runtime = await openSession(bare);
  await using(runtime, async (own) => checkEvaluators(ours, await own.run(inputs)));
  // Which of the two it is shows in what they refuse.
  const floats = { x: { ...inputs['x']!, data: new Float32Array(inputs['x']!.data.length) } };
  await assert.rejects(
    using(await openSession(bare), (own) => own.run(floats)),
    {
      code: 'onnx.run',
    },
  );
  await assert.rejects(
    using(await openSession(graph), (own) => own.run(floats)),
    {
      code: 'onnx.input',
    },
  );
});

test('an evaluator that is not known, or not for this graph, is refused', async () => {
  const { ctx, graph } = scene('values', 'float64');
  await assert.rejects(openSession(marked(graph, 'ratchet.trees.999')), { code: 'onnx.open' });
  const weights = {
    coefficients: new Float64Array(2 * FEATURES),
    intercepts: new Float64Array(2),
  };
  const linear = marked(buildLinearGraph(weights, ctx), TREE_EVALUATOR);
  await assert.rejects(openSession(linear), { code: 'onnx.open' });
});

test('graphs made of them that are more than trees do not name it', () => {
  const { ctx, graph } = scene('values', 'float64');
  const by = { scalers: [ctx.scalers], instruments: ['A'], scaledLabels: true };
  const scaled = scaleByInstrument({ model: graph }, { ...by, multiplyByClose: false }).model;
  assert.equal(evaluatorOf(scaled), undefined);
  assert.equal(evaluatorOf(newestOfWindow(graph, 3, { ...ctx, lookback: 6 })), undefined);
  assert.equal(evaluatorOf(meanOfModels([graph, marked(graph)])), undefined);
  assert.equal(evaluatorOf(meanOfModels([marked(graph), graph])), undefined);
  const categories = {
    ...{ features: FEATURES, targets: 1, precision: 'float64' as const, categorical: [0] },
    trees: [
      {
        target: 0,
        nodes: [
          {
            ...{ feature: 0, missingIsYes: false, yes: ~0, no: ~1 },
            split: { kind: 'oneOf' as const, members: [1, 3] },
          },
        ],
        leaves: [1, 2],
      },
    ],
  };
  const one = treeContext(uniform, { features: FEATURES, ...TASKS.prices });
  assert.equal(evaluatorOf(buildTreeGraph([categories], one)), undefined);
});

test('inputs of another shape or kind, and a released session, are refused', async () => {
  const { ctx, graph, inputs } = scene('prices', 'float64');
  const session = openTreeSession(graph);
  const { data } = inputs['x']!;
  const { close } = inputs as { close: SessionInputs[string] };
  const rows = ctx.lookback * WINDOWS;
  for (const wrong of [
    {},
    { close },
    { x: inputs['x']! },
    { close, x: { data, dims: [rows, 1, FEATURES] } },
    { close, x: { data, dims: [WINDOWS + 1, ctx.lookback, FEATURES] } },
    { close, x: { data: new Float64Array(0), dims: [0, ctx.lookback, FEATURES] } },
    { close, x: { data: new Float32Array(data.length), dims: inputs['x']!.dims } },
    { x: inputs['x']!, close: { data: close.data, dims: [WINDOWS] } },
  ]) {
    await assert.rejects(session.run(wrong), { code: 'onnx.input' });
  }
  await session.release();
  await assert.rejects(session.run(inputs), { code: 'onnx.run' });
});

test('a graph of trees that was altered is refused, not answered', () => {
  const { graph } = scene('values', 'float64');
  const model = readModel(graph);
  const altered = (change: (node: { opType?: string }) => object): Uint8Array =>
    encodeMessage('Model', {
      ...model,
      graph: {
        ...model.graph,
        node: model.graph.node!.map((node) => ({ ...node, ...change(node) })),
      },
    });
  const of = (opType: string, to: object) => altered((node) => (node.opType === opType ? to : {}));
  for (const bytes of [
    of('Gather', { attribute: [] }),
    of('Div', { opType: 'Pow' }),
    of('Div', { opType: 'Mod' }),
    of('TreeEnsemble', { attribute: [] }),
    of('Identity', { output: ['z'] }),
  ]) {
    assert.throws(() => openTreeSession(bytes), { code: 'onnx.open' });
  }
  const empty = new Graph('empty').toModel();
  assert.throws(() => openTreeSession(empty), { code: 'onnx.open' });
});

const collect = (): number => {
  setFlagsFromString('--expose-gc');
  const gc: () => void = runInNewContext('gc');
  gc();
  gc();
  return process.memoryUsage().heapUsed;
};

test('forests of 150,000 nodes are built, read and answered, and no node of them stays an object', async () => {
  const [trees, depth] = [150, 1_000];
  const ctx = treeContext(uniform, { features: FEATURES, ...TASKS.prices });
  const chain = Array.from({ length: depth }, (_, i) => ({
    ...{ feature: i % FEATURES, missingIsYes: false, no: ~(i + 1) },
    split: { kind: 'atMost' as const, threshold: 1 - i / depth },
    yes: i + 1 < depth ? i + 1 : ~0,
  }));
  const leaves = Array.from({ length: depth + 1 }, (_, i) => i / 8);
  const tree = { target: 0, nodes: chain, leaves };
  const graph = buildTreeGraph(
    [
      {
        ...{ features: FEATURES, targets: 1, precision: 'float64', categorical: [] },
        trees: new Array<typeof tree>(trees).fill(tree),
      },
    ],
    ctx,
  );
  assert.equal(evaluatorOf(graph), TREE_EVALUATOR);
  const before = collect();
  const session = openTreeSession(graph);
  // Its nodes lie outside of the heap.
  const room = collect() - before;
  assert.ok(room < 2e6, `${room} bytes of heap`);
  const x = new Float64Array(ctx.lookback * FEATURES).fill(0.55);
  const inputs = {
    x: { data: x, dims: [1, ctx.lookback, FEATURES] },
    close: { data: Float64Array.of(100), dims: [1, 1] },
  };
  const runtime = await using(await openRuntimeSession(graph), (own) => own.run(inputs));
  checkEvaluators(await using(session, (own) => own.run(inputs)), runtime);
});

test('packaging refuses where the two do not agree to the last bit', () => {
  const values = Float64Array.of(0.25, 0.5, 0.25);
  checkEvaluators(values.slice(), values);
  const refused = { code: 'package.evaluator' };
  for (const [own, runtime] of [
    [values.map((p) => p * (1 + Number.EPSILON)), values],
    [Float64Array.of(-0), Float64Array.of(0)],
    [values.subarray(1), values],
    [values, values.subarray(1)],
    [values, values.subarray(3)],
    [values.map(() => NaN), values],
  ] as const) {
    assert.throws(() => checkEvaluators(own, runtime), refused);
  }
});
