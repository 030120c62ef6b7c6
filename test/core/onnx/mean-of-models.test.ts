import assert from 'node:assert/strict';
import { test } from 'node:test';
import { meanForecast } from '../../../core/evaluation/served.ts';
import type { ExportContext } from '../../../core/models/model.ts';
import { embeddable, readModel } from '../../../core/onnx/embed.ts';
import { meanOfModels, meanOfMonteCarlo } from '../../../core/onnx/mean-of-models.ts';
import { buildMonteCarloGraph } from '../../../core/onnx/monte-carlo.ts';
import { buildForecasterGraph, buildLinearGraph } from '../../../core/onnx/networks.ts';
import { openSession } from '../../../core/onnx/session.impl.ts';
import type { SessionInputs } from '../../../core/onnx/session.ts';
import { checkGraphIsSelfContained } from '../../../core/packages/graph-check.ts';
import { randomNetwork, randomWindows, SMALL, uniformBy } from '../../support/lstm-network.ts';

async function run(graph: Uint8Array, inputs: SessionInputs): Promise<Float64Array> {
  const session = await openSession(graph);
  try {
    return await session.run(inputs);
  } finally {
    await session.release();
  }
}

const SEEDS = ['one', 'two', 'three'];
const WINDOWS = 9;

const windowsOf = (ctx: ExportContext, n: number) => ({
  data: randomWindows(ctx, n, 'windows'),
  dims: [n, ctx.lookback, ctx.featureNames.length],
});

for (const [what, shape, multiplyByClose] of [
  ['log returns', SMALL, false],
  ['prices', SMALL, true],
  ['classes', { ...SMALL, dense: [], classes: 3 }, false],
] as const) {
  test(`${what}: one graph gives the mean of what each gives`, async () => {
    const graphs = SEEDS.map((seed) => {
      const { weights, ctx } = randomNetwork(seed, shape);
      return buildForecasterGraph(weights, { ...ctx, multiplyByClose });
    });
    const { ctx } = randomNetwork('one', shape);
    const close = Float64Array.from({ length: WINDOWS }, (_, i) => 100 + i);
    const inputs = {
      x: windowsOf(ctx, WINDOWS),
      ...(multiplyByClose && { close: { data: close, dims: [WINDOWS, 1] } }),
    };
    const each = [];
    for (const graph of graphs) each.push(await run(graph, inputs));
    const joined = meanOfModels(graphs);
    const got = await run(joined, inputs);
    assert.deepEqual(got, meanForecast(each), 'bit for bit, as the evaluation means them');
    assert.notDeepEqual(each[0], each[1]);
    assert.deepEqual(meanOfModels(graphs), joined, 'the same models give the same bytes');
    assert.doesNotThrow(() => checkGraphIsSelfContained(joined, 'model.onnx'));
    const facts = readModel(joined).metadataProps!.map(({ key, value }) => [key, value]);
    assert.equal(Object.fromEntries(facts)['meanOf'], '3');
    assert.equal(Object.fromEntries(facts)['lookback'], String(shape.lookback));
  });
}

test('Monte Carlo: each model has noise of its own, a Scan inside keeps its outer values', async () => {
  const made = SEEDS.map((seed) => {
    const { weights, ctx } = randomNetwork(seed, SMALL);
    return buildMonteCarloGraph(weights, ctx);
  });
  const { ctx } = randomNetwork('one', SMALL);
  const samples = 5;
  const joined = meanOfMonteCarlo(made);
  assert.equal(joined.noiseWidth, 3 * made[0]!.noiseWidth);
  const uniform = uniformBy('noise');
  const noise = Float32Array.from({ length: samples * joined.noiseWidth }, () => uniform());
  const x = windowsOf(ctx, 1);
  const each = [];
  for (const [k, { graph, noiseWidth }] of made.entries()) {
    const own = new Float32Array(samples * noiseWidth);
    for (let s = 0; s < samples; s++) {
      const from = s * joined.noiseWidth + k * noiseWidth;
      own.set(noise.subarray(from, from + noiseWidth), s * noiseWidth);
    }
    each.push(await run(graph, { x, noise: { data: own, dims: [samples, noiseWidth] } }));
  }
  const dims = [samples, joined.noiseWidth];
  assert.deepEqual(
    await run(joined.graph, { x, noise: { data: noise, dims } }),
    meanForecast(each),
  );
});

test('models of other shapes have no mean, and an input that is not given is named', () => {
  const { weights, ctx } = randomNetwork('one', SMALL);
  const graph = buildForecasterGraph(weights, ctx);
  const wider = randomNetwork('one', { ...SMALL, features: 8 });
  assert.throws(() => meanOfModels([graph, buildForecasterGraph(wider.weights, wider.ctx)]), {
    code: 'onnx.shape',
  });
  assert.throws(() => meanOfModels([]), { code: 'onnx.shape' });
  assert.throws(() => embeddable(graph, 'a/', {}), { code: 'onnx.input', message: /input x/ });
  const cut = graph.subarray(0, 200);
  assert.throws(() => meanOfModels([cut, cut]), { code: 'onnx.malformed' });
});

test('a mean of linear models, which read the last row, is linear too', async () => {
  const { ctx } = randomNetwork('one', SMALL);
  const [f, h] = [ctx.featureNames.length, ctx.horizons.length];
  const linear = (sign: number): Uint8Array =>
    buildLinearGraph(
      {
        coefficients: Float64Array.from({ length: f * h }, (_, i) => sign * (i + 1)),
        intercepts: Float64Array.from({ length: h }, (_, k) => k),
      },
      ctx,
    );
  // What points the other way cancels out: the intercepts are left, in label units.
  const got = await run(meanOfModels([linear(1), linear(-1)]), { x: windowsOf(ctx, 3) });
  const { offset, factor } = ctx.scalers.labels;
  got.forEach((value, i) => {
    const k = i % h;
    assert.ok(Math.abs(value - (k / factor[k]! + offset[k]!)) < 1e-9);
  });
});
