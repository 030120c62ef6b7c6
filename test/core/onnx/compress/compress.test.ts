import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExportContext } from '../../../../core/models/model.ts';
import { compressGraph, type CompressionRules } from '../../../../core/onnx/compress/compress.ts';
import { float32Of } from '../../../../core/onnx/compress/weights.ts';
import { readModel } from '../../../../core/onnx/embed.ts';
import { buildLinearGraph } from '../../../../core/onnx/linear.ts';
import { buildMonteCarloGraph } from '../../../../core/onnx/monte-carlo.ts';
import { buildForecasterGraph } from '../../../../core/onnx/networks.ts';
import { encodeMessage } from '../../../../core/onnx/protobuf.ts';
import { openSession } from '../../../../core/onnx/session.impl.ts';
import type { SessionInputs } from '../../../../core/onnx/session.ts';
import { buildHybridGraph } from '../../../../core/onnx/trees/hybrid.ts';
import type { TreeEnsemble } from '../../../../core/onnx/trees/ensemble.ts';
import { checkGraphIsSelfContained } from '../../../../core/packages/graph-check.ts';
import { randomNetwork, randomWindows, SMALL, uniformBy } from '../../../support/lstm-network.ts';

const LARGE = { ...SMALL, lookback: 24, features: 46, units: [64, 64] };
const QUANTIZE: CompressionRules = { quantize: 'dynamic' };
const prune = (sparsity: number): CompressionRules => ({ quantize: 'none', prune: { sparsity } });

async function run(graph: Uint8Array, inputs: SessionInputs): Promise<Float64Array> {
  const session = await openSession(graph);
  try {
    return await session.run(inputs);
  } finally {
    await session.release();
  }
}

const windowsInput = (ctx: ExportContext, n: number): SessionInputs => ({
  x: { data: randomWindows(ctx, n, 'windows'), dims: [n, ctx.lookback, ctx.featureNames.length] },
});

const deviation = (values: Float64Array): number => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
};

/** Weight matrices by name. */
const matrices = (bytes: Uint8Array): Map<string, Float32Array> =>
  new Map(
    (readModel(bytes).graph.initializer ?? [])
      .filter(({ dims = [], dataType }) => dims.length > 1 && dataType === 1)
      .map((tensor) => [tensor.name!, float32Of(tensor)]),
  );

const zeros = (values: Float32Array): number => values.filter((value) => value === 0).length;

describe('reading and writing a graph', () => {
  test('gives the same bytes back', () => {
    const { weights, ctx } = randomNetwork('again');
    for (const bytes of [
      buildForecasterGraph(weights, ctx),
      buildMonteCarloGraph(weights, ctx).graph,
    ]) {
      assert.deepEqual(encodeMessage('Model', readModel(bytes)), bytes);
    }
  });
});

describe('dynamic quantization', () => {
  for (const shape of [LARGE, { ...LARGE, dense: [], classes: 3 }]) {
    test(`answers almost the same with a third of the bytes: ${shape === LARGE ? 'values' : 'classes'}`, async () => {
      const { weights, ctx } = randomNetwork('quantize', shape);
      const bytes = buildForecasterGraph(weights, ctx);
      const { graph, steps } = compressGraph(bytes, QUANTIZE);
      assert.deepEqual(steps, [
        { what: 'quantize', status: 'applied', words: '2 LSTM layers with int8 weights' },
      ]);
      assert.ok(graph.length < 0.4 * bytes.length, `${graph.length} of ${bytes.length}`);
      const inputs = windowsInput(ctx, 100);
      const [float, int8] = [await run(bytes, inputs), await run(graph, inputs)];
      const outputs = float.length / 100;
      for (let k = 0; k < outputs; k++) {
        const column = (y: Float64Array) => y.filter((_, at) => at % outputs === k);
        const [want, got] = [column(float), column(int8)];
        const mean = got.reduce((sum, v, i) => sum + Math.abs(v - want[i]!), 0) / got.length;
        assert.ok(mean > 0, 'it is another computation');
        // Random weights drive the gates harder than trained ones do.
        assert.ok(mean < 0.1 * deviation(want), `output ${k}: ${mean / deviation(want)} SD`);
      }
    });
  }

  test('gives the same bytes and the same bits again, one by one or together', async () => {
    const { weights, ctx } = randomNetwork('same');
    const bytes = buildForecasterGraph(weights, ctx);
    const { graph } = compressGraph(bytes, QUANTIZE);
    assert.deepEqual(compressGraph(bytes, QUANTIZE).graph, graph);
    const inputs = windowsInput(ctx, 3);
    assert.deepEqual(await run(graph, inputs), await run(graph, inputs));
  });

  test('keeps the seven bits that no sum of two products can overflow', () => {
    const { weights, ctx } = randomNetwork('bits');
    const { graph } = compressGraph(buildForecasterGraph(weights, ctx), QUANTIZE);
    const int8 = (readModel(graph).graph.initializer ?? []).filter(
      ({ dataType }) => dataType === 3,
    );
    assert.equal(int8.length, 8, 'weights and zero points of two layers');
    const steps = int8.flatMap(({ rawData }) => [...new Int8Array(rawData!)]);
    assert.equal(Math.max(...steps.map(Math.abs)), 64);
    assert.ok(2 * 255 * 64 < 2 ** 15);
  });

  test('is a graph that packages may hold, as no other operator of that domain is', () => {
    const { weights, ctx } = randomNetwork('domain');
    const { graph } = compressGraph(buildForecasterGraph(weights, ctx), QUANTIZE);
    checkGraphIsSelfContained(graph, 'model.onnx');
    const model = readModel(graph);
    const node = model.graph.node!.map((each) =>
      each.domain === 'com.microsoft' ? { ...each, opType: 'Tokenizer' } : each,
    );
    const other = encodeMessage('Model', { ...model, graph: { ...model.graph, node } });
    assert.throws(() => checkGraphIsSelfContained(other, 'model.onnx'), {
      code: 'package.unsafe-graph',
    });
  });
});

describe('magnitude pruning', () => {
  test('takes the smallest weights of every matrix and leaves the others', () => {
    const { weights, ctx } = randomNetwork('prune');
    const bytes = buildForecasterGraph(weights, ctx);
    const { graph } = compressGraph(bytes, prune(0.6));
    assert.equal(graph.length, bytes.length);
    const [before, after] = [matrices(bytes), matrices(graph)];
    let pruned = 0;
    for (const [name, values] of before) {
      const left = after.get(name)!;
      // Scales and biases of one row are no weights; the block-diagonal output layer has zeros of its own.
      if (zeros(left) === zeros(values)) continue;
      pruned += 1;
      assert.ok(zeros(left) >= Math.floor(0.6 * values.length));
      const dropped = values.filter((_, i) => left[i] === 0).map(Math.abs);
      const kept = left.filter((value) => value !== 0);
      assert.ok(Math.max(...dropped) < Math.min(...kept.map(Math.abs)));
      left.forEach((value, i) => assert.ok(value === 0 || value === values[i]));
    }
    assert.ok(pruned >= 6, `${pruned} matrices`);
  });

  test('leaves forecast and Monte-Carlo graph one model', async () => {
    const shape = { ...SMALL, rates: { dropout: 0, recurrentDropout: 0 } };
    const { weights, ctx } = randomNetwork('one', shape);
    const mc = buildMonteCarloGraph(weights, ctx);
    const inputs = windowsInput(ctx, 1);
    const forecast = await run(
      compressGraph(buildForecasterGraph(weights, ctx), prune(0.5)).graph,
      inputs,
    );
    const noise = Float32Array.from({ length: 2 * mc.noiseWidth }, uniformBy('noise'));
    const samples = await run(compressGraph(mc.graph, prune(0.5)).graph, {
      ...inputs,
      noise: { data: noise, dims: [2, mc.noiseWidth] },
    });
    const float = await run(buildForecasterGraph(weights, ctx), inputs);
    forecast.forEach((y, k) => {
      const scale = 1 / ctx.scalers.labels.factor[k]!;
      assert.ok(Math.abs(y - samples[k]!) < 1e-6 * scale);
      assert.ok(Math.abs(y - float[k]!) > 1e-3 * scale, 'half of the weights matter');
    });
  });
});

describe('what has nothing to compress', () => {
  test('is left as it is, and says why', () => {
    const both: CompressionRules = { quantize: 'dynamic', prune: { sparsity: 0.5 } };
    const { weights, ctx } = randomNetwork('none', { ...SMALL, dense: [], classes: 3 });
    const outputs = 3 * ctx.horizons.length;
    const linear = buildLinearGraph(
      {
        coefficients: new Float64Array(ctx.featureNames.length * outputs),
        intercepts: new Float64Array(outputs),
      },
      ctx,
    );
    const trees: TreeEnsemble = {
      features: ctx.featureNames.length,
      targets: 3,
      trees: [{ target: 0, nodes: [], leaves: [1] }],
      precision: 'float64',
      categorical: [],
    };
    const hybrid = buildHybridGraph(
      weights,
      ctx.horizons.map(() => trees),
      ctx,
    );
    for (const [bytes, reasons] of [
      [linear, [/no weight matrices of a network/, /no LSTM layers/]],
      [hybrid, [/trees decide on exact values/, /trees decide on exact values/]],
    ] as const) {
      const { graph, steps } = compressGraph(bytes, both);
      assert.equal(graph, bytes);
      assert.deepEqual(
        steps.map(({ what, status }) => [what, status]),
        [
          ['prune', 'notApplicable'],
          ['quantize', 'notApplicable'],
        ],
      );
      steps.forEach(({ words }, i) => assert.match(words, reasons[i]!));
    }
  });
});
