import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scaleByInstrument } from '../../../core/onnx/instrument-scaling.ts';
import { readModel } from '../../../core/onnx/embed.ts';
import { buildMonteCarloGraph } from '../../../core/onnx/monte-carlo.ts';
import { buildForecasterGraph } from '../../../core/onnx/networks.ts';
import { openSession } from '../../../core/onnx/session.impl.ts';
import type { SessionInputs } from '../../../core/onnx/session.ts';
import { windowInputs } from '../../../core/packages/golden.ts';
import { checkGraphIsSelfContained } from '../../../core/packages/graph-check.ts';
import { applyScaler, type ScalerState } from '../../../core/scaling/index.ts';
import { randomNetwork, SMALL, uniformBy } from '../../support/lstm-network.ts';

const { lookback, features, horizons } = SMALL;
const size = lookback * features;
const IDS = ['CALM', 'WILD', 'NEW'];
const WINDOWS = 12;

const identity = (columns: number): ScalerState => ({
  kind: 'none',
  offset: new Array<number>(columns).fill(0),
  factor: new Array<number>(columns).fill(1),
});

/** Scalers of three levels that lie far apart; the second has bounds. */
const scalers = IDS.map((id, i) => {
  const uniform = uniformBy(id);
  const many = (n: number, level: number) =>
    Array.from({ length: n }, () => level * (1 + uniform()));
  const offset = many(features, 10 ** i);
  return {
    features: {
      kind: 'minmax',
      offset,
      factor: many(features, 1 / 10 ** i),
      clip: [-0.5, 1.5],
      ...(i === 1 && {
        bounds: { low: offset.map((x) => 0.9 * x), high: offset.map((x) => 1.3 * x) },
      }),
    } satisfies ScalerState,
    labels: {
      kind: 'minmax',
      offset: many(horizons.length, -0.01 * 10 ** i),
      factor: many(horizons.length, 20 / 10 ** i),
    } satisfies ScalerState,
  };
});

const instrumentOf = (window: number): number => window % IDS.length;

/** Raw windows, each about the level of its instrument, some values far beyond. */
const windows = Float64Array.from({ length: WINDOWS * size }, (_, at) => {
  const { offset, factor } = scalers[instrumentOf(Math.floor(at / size))]!.features;
  const c = at % features;
  return offset[c]! + Math.sin(at) * (at % 37 === 0 ? 3 : 0.8) * (1 / factor[c]!);
});

async function run(graph: Uint8Array, inputs: SessionInputs): Promise<Float64Array> {
  const session = await openSession(graph);
  try {
    return await session.run(inputs);
  } finally {
    await session.release();
  }
}

const scaledWindow = (window: number): Float64Array =>
  applyScaler(
    scalers[instrumentOf(window)]!.features,
    windows.subarray(window * size, (window + 1) * size),
  ).values;

const dims = (n: number) => [n, lookback, features];

for (const [what, classes, multiplyByClose] of [
  ['log returns', 0, false],
  ['prices', 0, true],
  ['classes', 3, false],
] as const) {
  test(`${what}: each window is scaled, and its answer unscaled, by its own instrument`, async () => {
    const shape = classes > 0 ? { ...SMALL, dense: [], classes } : SMALL;
    const { weights, ctx } = randomNetwork('one', shape);
    const plain = { features: identity(features), labels: identity(horizons.length) };
    const inner = buildForecasterGraph(weights, { ...ctx, scalers: plain });
    const by = { scalers, instruments: IDS, scaledLabels: classes === 0, multiplyByClose };
    const { model } = scaleByInstrument({ model: inner }, by);
    const session = await openSession(model);
    const close = (i: number): number => 100 + i;
    const inputs = windowInputs(session, { lookback, features }, windows, close, instrumentOf);
    const got = await session.run(inputs);
    await session.release();
    const width = got.length / WINDOWS;
    for (let i = 0; i < WINDOWS; i++) {
      const said = await run(inner, { x: { data: scaledWindow(i), dims: dims(1) } });
      const { offset, factor } = scalers[instrumentOf(i)]!.labels;
      said.forEach((value, k) => {
        const label = classes > 0 ? value : value / factor[k]! + offset[k]!;
        const want = label * (multiplyByClose ? close(i) : 1);
        // The network works in float32, and a batch adds in another order than one window.
        const scale = classes > 0 ? 1 : Math.max(Math.abs(want), 1 / factor[k]!);
        assert.ok(Math.abs(got[i * width + k]! - want) <= 1e-6 * scale, `${what} ${i} ${k}`);
      });
    }
    assert.doesNotThrow(() => checkGraphIsSelfContained(model, 'model.onnx'));
    const facts = readModel(model).metadataProps!.map(({ key, value }) => [key, value]);
    assert.equal(Object.fromEntries(facts)['instruments'], IDS.join(','));
  });
}

test('Monte-Carlo samples of a window are those of its instrument', async () => {
  const { weights, ctx } = randomNetwork('one', SMALL);
  const plain = { features: identity(features), labels: identity(horizons.length) };
  const inner = buildMonteCarloGraph(weights, { ...ctx, scalers: plain });
  const by = { scalers, instruments: IDS, scaledLabels: true, multiplyByClose: false };
  const model = buildForecasterGraph(weights, { ...ctx, scalers: plain });
  const { monteCarlo } = scaleByInstrument({ model, monteCarlo: inner }, by);
  assert.equal(monteCarlo!.noiseWidth, inner.noiseWidth);
  const uniform = uniformBy('noise');
  const noise = {
    data: Float32Array.from({ length: 4 * inner.noiseWidth }, () => uniform()),
    dims: [4, inner.noiseWidth],
  };
  const x = { data: windows.slice(size, 2 * size), dims: dims(1) };
  const instrument = { data: BigInt64Array.of(1n), dims: [1] };
  const got = await run(monteCarlo!.graph, { x, noise, instrument });
  const said = await run(inner.graph, { x: { data: scaledWindow(1), dims: dims(1) }, noise });
  const { offset, factor } = scalers[1]!.labels;
  said.forEach((value, at) => {
    const k = at % horizons.length;
    assert.ok(Math.abs(got[at]! - (value / factor[k]! + offset[k]!)) <= 1e-6 / factor[k]!);
  });
});

test('a window of an instrument that is not named, or not known, has no answer', () => {
  const session = { inputNames: ['x', 'instrument'] };
  const shape = { lookback, features };
  for (const instrument of [undefined, () => -1, () => undefined]) {
    assert.throws(() => windowInputs(session, shape, windows, () => 1, instrument), {
      code: 'onnx.input',
    });
  }
  assert.deepEqual(Object.keys(windowInputs({ inputNames: ['x'] }, shape, windows, () => 1)), [
    'x',
  ]);
});
