import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { RatchetError } from '../../../core/errors.ts';
import type { ExportContext } from '../../../core/models/model.ts';
import { softmax } from '../../../core/models/network/head.ts';
import { buildMonteCarloGraph } from '../../../core/onnx/monte-carlo.ts';
import {
  buildFeatureGraph,
  buildForecasterGraph,
  buildLinearGraph,
  sharedWidth,
} from '../../../core/onnx/networks.ts';
import { openSession } from '../../../core/onnx/session.impl.ts';
import {
  SMALL,
  randomNetwork,
  randomWindows,
  referenceForecast,
  uniformBy,
} from '../../support/lstm-network.ts';

const windowSize = (ctx: ExportContext): number => ctx.lookback * ctx.featureNames.length;
const windowsInput = (ctx: ExportContext, data: Float64Array) => ({
  data,
  dims: [data.length / windowSize(ctx), ctx.lookback, ctx.featureNames.length],
});
const labelRange = (ctx: ExportContext, i: number): number => {
  if (ctx.classes > 0) return 1;
  const { factor } = ctx.scalers.labels;
  return 1 / factor[i % factor.length]!;
};

/** Relative to the label's range: forecasts near 0 have no meaningful relative error of their own. */
function assertClose(got: Float64Array, want: Float64Array, ctx: ExportContext, tolerance: number) {
  assert.equal(got.length, want.length);
  got.forEach((v, i) => {
    const scale = Math.max(Math.abs(want[i]!), labelRange(ctx, i));
    assert.ok(Math.abs(v - want[i]!) <= tolerance * scale, `${i}: ${v} is not ${want[i]}`);
  });
}

async function withSession<T>(
  graph: Uint8Array,
  use: (session: Awaited<ReturnType<typeof openSession>>) => Promise<T>,
): Promise<T> {
  const session = await openSession(graph);
  try {
    return await use(session);
  } finally {
    await session.release();
  }
}

for (const shape of [
  SMALL,
  { ...SMALL, units: [5], dense: [], horizons: [1] },
  { ...SMALL, units: [9, 4, 6], dense: [8, 6] },
  { ...SMALL, lookback: 60, features: 152, units: [50, 50], dense: [25], branch: 16 },
  { ...SMALL, dense: [], classes: 3 },
  { ...SMALL, units: [7], horizons: [4], classes: 2 },
]) {
  const classes = 'classes' in shape ? shape.classes : 0;
  const outputs = shape.horizons.length * Math.max(classes, 1);
  const name = `${shape.units.join('-')}${classes > 0 ? `, ${classes} classes` : ''}`;
  test(`forecaster graph equals plain float64 arithmetic: ${name}`, async () => {
    const { weights, ctx } = randomNetwork('forecaster', shape);
    const windows = randomWindows(ctx, 9, 'windows');
    const want = Array.from({ length: 9 }, (_, i) =>
      referenceForecast(
        weights,
        ctx,
        windows.subarray(i * windowSize(ctx), (i + 1) * windowSize(ctx)),
      ),
    );
    await withSession(buildForecasterGraph(weights, ctx), async (session) => {
      const got = await session.run({ x: windowsInput(ctx, windows) });
      assertClose(got, Float64Array.from(want.flatMap((row) => [...row])), ctx, 1e-6);
    });
  });

  test(`Monte-Carlo graph equals plain arithmetic with the same masks: ${name}`, async () => {
    const { weights, ctx } = randomNetwork('mc', shape);
    const window = randomWindows(ctx, 1, 'window');
    const { graph, noiseWidth } = buildMonteCarloGraph(weights, ctx);
    const noise = Float32Array.from({ length: 6 * noiseWidth }, uniformBy('noise'));
    const want = Array.from({ length: 6 }, (_, s) =>
      referenceForecast(weights, ctx, window, noise.subarray(s * noiseWidth, (s + 1) * noiseWidth)),
    );
    await withSession(graph, async (session) => {
      const x = windowsInput(ctx, window);
      const run = (samples: number) =>
        session.run({
          x,
          noise: { data: noise.subarray(0, samples * noiseWidth), dims: [samples, noiseWidth] },
        });
      const got = await run(6);
      assertClose(got, Float64Array.from(want.flatMap((row) => [...row])), ctx, 2e-6);
      assert.deepEqual(await run(6), got, 'same noise, same bits');
      assertClose(await run(2), got.subarray(0, 2 * outputs), ctx, 1e-7);
      const spread = new Set(got);
      assert.ok(spread.size > 3 * outputs, 'dropout gives samples that differ');
    });
  });
}

test('the feature graph gives what the output layer reads', async () => {
  for (const dense of [[], [8]]) {
    const { weights, ctx } = randomNetwork('features', { ...SMALL, dense, classes: 3 });
    const x = windowsInput(ctx, randomWindows(ctx, 4, 'features'));
    const features = await withSession(buildFeatureGraph(weights, ctx), (s) => s.run({ x }));
    const { inputs, units, kernel, bias } = weights.output!;
    assert.equal(inputs, sharedWidth(weights));
    assert.equal(features.length, 4 * inputs);
    const logits = Float64Array.from({ length: 4 * units }, (_, at) => {
      const [row, u] = [Math.floor(at / units), at % units];
      let sum = bias[u]!;
      for (let i = 0; i < inputs; i++) sum += features[row * inputs + i]! * kernel[i * units + u]!;
      return sum;
    });
    const want = softmax(logits, 3);
    const got = await withSession(buildForecasterGraph(weights, ctx), (s) => s.run({ x }));
    got.forEach((p, at) => assert.ok(Math.abs(p - want[at]!) < 1e-6, `${at}: ${p}`));
  }
});

test('with zero rates every Monte-Carlo sample is the forecast', async () => {
  const shape = { ...SMALL, rates: { dropout: 0, recurrentDropout: 0 } };
  const { weights, ctx } = randomNetwork('zero', shape);
  const window = randomWindows(ctx, 1, 'zero');
  const x = windowsInput(ctx, window);
  const forecast = await withSession(buildForecasterGraph(weights, ctx), (s) => s.run({ x }));
  const { graph, noiseWidth } = buildMonteCarloGraph(weights, ctx);
  const noise = {
    data: Float32Array.from({ length: 4 * noiseWidth }, uniformBy('z')),
    dims: [4, noiseWidth],
  };
  const samples = await withSession(graph, (s) => s.run({ x, noise }));
  for (let s = 0; s < 4; s++) assertClose(samples.subarray(3 * s, 3 * s + 3), forecast, ctx, 1e-6);
});

test('batch and single answers are the same bits', async () => {
  const { weights, ctx } = randomNetwork('batch');
  const windows = randomWindows(ctx, 5, 'batch');
  await withSession(buildForecasterGraph(weights, ctx), async (session) => {
    const together = await session.run({ x: windowsInput(ctx, windows) });
    for (let i = 0; i < 5; i++) {
      const one = windows.subarray(i * windowSize(ctx), (i + 1) * windowSize(ctx));
      const alone = await session.run({ x: windowsInput(ctx, one) });
      assert.deepEqual(alone, together.slice(3 * i, 3 * i + 3));
    }
  });
});

test('a price label multiplies by the close, in both graphs', async () => {
  const { weights, ctx: plain } = randomNetwork('close');
  const ctx = { ...plain, multiplyByClose: true };
  const x = windowsInput(ctx, randomWindows(ctx, 1, 'close'));
  const ratio = await withSession(buildForecasterGraph(weights, plain), (s) => s.run({ x }));
  const close = { data: Float64Array.of(2043.94), dims: [1, 1] };
  const price = await withSession(buildForecasterGraph(weights, ctx), (s) => s.run({ x, close }));
  assert.deepEqual(
    price,
    ratio.map((v) => v * 2043.94),
  );
  const mc = buildMonteCarloGraph(weights, ctx);
  const noise = {
    data: new Float32Array(2 * mc.noiseWidth).fill(0.5),
    dims: [2, mc.noiseWidth],
  };
  const samples = await withSession(mc.graph, (s) => s.run({ x, close, noise }));
  assert.equal(samples.length, 6);
  assert.ok(
    samples.every((v) => Math.abs(v) > 1),
    'samples are prices as well',
  );
});

test('linear graph: the scaled last row times the coefficients, in float64', async () => {
  const { ctx } = randomNetwork('linear');
  const uniform = uniformBy('linear');
  const [f, h] = [ctx.featureNames.length, ctx.horizons.length];
  const coefficients = Float64Array.from({ length: f * h }, () => uniform() - 0.5);
  const intercepts = Float64Array.from({ length: h }, uniform);
  const windows = randomWindows(ctx, 3, 'linear');
  const graph = buildLinearGraph({ coefficients, intercepts }, ctx);
  const got = await withSession(graph, (s) => s.run({ x: windowsInput(ctx, windows) }));
  const { features, labels } = ctx.scalers;
  const want = Float64Array.from({ length: 3 * h }, (_, i) => {
    const row = windows.subarray(
      (Math.floor(i / h) + 1) * windowSize(ctx) - f,
      (Math.floor(i / h) + 1) * windowSize(ctx),
    );
    const k = i % h;
    const y = row.reduce((sum, v, c) => {
      const scaled = Math.min(1.5, Math.max(-0.5, (v - features.offset[c]!) * features.factor[c]!));
      return sum + scaled * coefficients[c * h + k]!;
    }, intercepts[k]!);
    return y / labels.factor[k]! + labels.offset[k]!;
  });
  assertClose(got, want, ctx, 1e-13);
});

/** sha256 of the graphs of randomNetwork('golden'); they change only with the writer or the design. */
const GOLDEN = {
  forecaster: '47f429bd85361f86842a87070bbfe2391c318f7b44cb2d7e94af0872bb4f0c61',
  monteCarlo: '4e1012c976a8de0856f51293b1953c36e98dfb733ae42acd2ab832e9c6ebf477',
};

test('the same weights give the same bytes, on every machine', () => {
  const { weights, ctx } = randomNetwork('golden');
  const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
  const graphs = () => ({
    forecaster: digest(buildForecasterGraph(weights, ctx)),
    monteCarlo: digest(buildMonteCarloGraph(weights, ctx).graph),
  });
  assert.deepEqual(graphs(), GOLDEN);
  assert.deepEqual(graphs(), GOLDEN);
});

test('weights that do not fit are refused by name', () => {
  const { weights, ctx } = randomNetwork('shape');
  const cases: [string, () => unknown][] = [
    ['feature scaler', () => buildForecasterGraph(weights, { ...ctx, featureNames: ['one'] })],
    [
      'one output per horizon and class',
      () =>
        buildForecasterGraph(
          { ...weights, output: { ...weights.dense[0]!, inputs: 8, kernel: new Float32Array(64) } },
          ctx,
        ),
    ],
    ['one branch per horizon', () => buildForecasterGraph({ ...weights, branches: [] }, ctx)],
    ['no LSTM layer', () => buildForecasterGraph({ ...weights, lstm: [] }, ctx)],
    ['layer 1 takes', () => buildForecasterGraph({ ...weights, lstm: weights.lstm.slice(1) }, ctx)],
    [
      'dropout rate 1',
      () => buildMonteCarloGraph({ ...weights, rates: { dropout: 1, recurrentDropout: 0 } }, ctx),
    ],
    [
      'coefficients',
      () =>
        buildLinearGraph(
          { coefficients: new Float64Array(1), intercepts: new Float64Array(3) },
          ctx,
        ),
    ],
  ];
  for (const [words, build] of cases) {
    assert.throws(build, (error: unknown) => {
      assert.ok(error instanceof RatchetError);
      assert.equal(error.code, 'onnx.shape');
      assert.match(error.message, new RegExp(words));
      return true;
    });
  }
});

test('a session refuses what is not a model, and inputs of a wrong size', async () => {
  const code = (wanted: string) => (error: unknown) =>
    error instanceof RatchetError && error.code === wanted;
  await assert.rejects(openSession(Uint8Array.of(1, 2, 3)), code('onnx.open'));
  const { weights, ctx } = randomNetwork('inputs');
  await withSession(buildForecasterGraph(weights, ctx), async (session) => {
    const data = new Float64Array(3);
    await assert.rejects(session.run({ x: { data, dims: [1, 12, 7] } }), code('onnx.input'));
    await assert.rejects(session.run({ x: { data, dims: [1, 1, 3] } }), code('onnx.run'));
    const empty = { data: new Float64Array(0), dims: [0, 12, 7] };
    await assert.rejects(session.run({ x: empty }), code('onnx.input'));
  });
});
