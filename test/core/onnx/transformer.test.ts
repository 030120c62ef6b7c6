import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  goldenContext,
  goldenTransformers,
  type GoldenTransformer,
} from '../../support/golden-transformer.ts';
import { RatchetError } from '../../../core/errors.ts';
import type { ExportContext } from '../../../core/models/model.ts';
import { toTransformerWeights } from '../../../core/models/transformer/weights.ts';
import { openSession } from '../../../core/onnx/session.impl.ts';
import type { SessionInputs } from '../../../core/onnx/session.ts';
import {
  buildTransformerGraph,
  buildTransformerMonteCarloGraph,
  type TransformerWeights,
} from '../../../core/onnx/transformer.ts';

const cases = goldenTransformers();
const [first] = cases as [GoldenTransformer];
const weightsOf = ({ layout, theta, dropout }: GoldenTransformer): TransformerWeights =>
  toTransformerWeights(layout, theta, dropout);

async function run(graph: Uint8Array, inputs: SessionInputs): Promise<Float64Array> {
  const session = await openSession(graph);
  try {
    return await session.run(inputs);
  } finally {
    await session.release();
  }
}

/** Several copies of the window, each a little further off. */
function windowsOf({ x, layout }: GoldenTransformer, count: number): SessionInputs[string] {
  const data = Float64Array.from(
    { length: count * x.length },
    (_, at) => x[at % x.length]! + 0.1 * Math.floor(at / x.length),
  );
  return { data, dims: [count, layout.shape.lookback, layout.shape.inputs] };
}

const noiseOf = ({ noise }: GoldenTransformer, samples: number): SessionInputs[string] => ({
  data: Float32Array.from(
    { length: samples * noise.length },
    (_, at) => (noise[at % noise.length]! + 0.37 * Math.floor(at / noise.length)) % 1,
  ),
  dims: [samples, noise.length],
});

/** Label units of goldenContext. */
const inLabels = (outputs: readonly number[]): number[] => outputs.map((y) => y / 2 + 0.5);

function assertClose(got: Float64Array, want: readonly number[], tolerance = 2e-6): void {
  assert.equal(got.length, want.length);
  got.forEach((v, i) => {
    assert.ok(Math.abs(v - want[i]!) <= tolerance, `${i}: ${v} is not ${want[i]}`);
  });
}

for (const golden of cases) {
  describe(`transformer graph: ${golden.name}`, () => {
    const weights = weightsOf(golden);
    const ctx = goldenContext(golden);

    it('gives what numpy computes', async () => {
      const got = await run(buildTransformerGraph(weights, ctx), { x: windowsOf(golden, 1) });
      assertClose(got, inLabels(golden.outputs));
    });

    it('gives what numpy computes with the masks of the noise', async () => {
      const { graph, noiseWidth } = buildTransformerMonteCarloGraph(weights, ctx);
      assert.equal(noiseWidth, golden.noise.length);
      const got = await run(graph, { x: windowsOf(golden, 1), noise: noiseOf(golden, 1) });
      assertClose(got, inLabels(golden.dropped));
    });

    it('gives each window and each sample the same, alone or with others', async () => {
      const x = windowsOf(golden, 3);
      const together = await run(buildTransformerGraph(weights, ctx), { x });
      const size = x.data.length / 3;
      for (let i = 0; i < 3; i++) {
        const data = x.data.slice(i * size, (i + 1) * size);
        const alone = await run(buildTransformerGraph(weights, ctx), {
          x: { data, dims: [1, ...x.dims.slice(1)] },
        });
        assertClose(alone, [...together.subarray(4 * i, 4 * i + 4)], 1e-6);
      }
      const { graph } = buildTransformerMonteCarloGraph(weights, ctx);
      const samples = await run(graph, { x: windowsOf(golden, 1), noise: noiseOf(golden, 5) });
      assertClose(samples.slice(0, 4), inLabels(golden.dropped));
      assert.ok(new Set(samples).size > 12, 'other noise gives other samples');
    });
  });
}

describe('transformer graphs', () => {
  it('give probabilities where labels have classes', async () => {
    const ctx = goldenContext(first, {
      horizons: [1, 2],
      classes: 2,
      scalers: {
        ...goldenContext(first).scalers,
        labels: { kind: 'none', offset: [0, 0], factor: [1, 1] },
      },
    });
    const got = await run(buildTransformerGraph(weightsOf(first), ctx), {
      x: windowsOf(first, 1),
    });
    const share = (a: number, b: number): number => 1 / (1 + Math.exp(b - a));
    const [a, b, c, d] = first.outputs as [number, number, number, number];
    assertClose(got, [share(a, b), share(b, a), share(c, d), share(d, c)]);
  });

  it('give in every sample the forecast where nothing is dropped', async () => {
    const weights = { ...weightsOf(first), dropout: 0 };
    const { graph } = buildTransformerMonteCarloGraph(weights, goldenContext(first));
    const got = await run(graph, { x: windowsOf(first, 1), noise: noiseOf(first, 3) });
    for (let s = 0; s < 3; s++) assertClose(got.slice(4 * s, 4 * s + 4), inLabels(first.outputs));
  });

  it('multiply a price ratio by the close', async () => {
    const ctx = goldenContext(first, { multiplyByClose: true });
    const [weights, x] = [weightsOf(first), windowsOf(first, 1)];
    const close = { data: Float64Array.of(2043.94), dims: [1, 1] };
    const prices = inLabels(first.outputs).map((ratio) => ratio * 2043.94);
    assertClose(await run(buildTransformerGraph(weights, ctx), { x, close }), prices, 5e-3);
    const { graph } = buildTransformerMonteCarloGraph({ ...weights, dropout: 0 }, ctx);
    const noise = noiseOf(first, 1);
    assertClose(await run(graph, { x, close, noise }), prices, 5e-3);
  });

  it('are the same bytes for the same weights, on every machine', () => {
    // Learned positions: no sine of this machine is in the file.
    const learned = cases[1]!;
    const bytes = (): Uint8Array[] => [
      buildTransformerGraph(weightsOf(learned), goldenContext(learned)),
      buildTransformerMonteCarloGraph(weightsOf(learned), goldenContext(learned)).graph,
    ];
    assert.deepEqual(bytes(), bytes());
    // They change only with the writer or the design.
    assert.deepEqual(
      bytes().map((graph) => createHash('sha256').update(graph).digest('hex')),
      [
        '98b0ed46dcd7f519e1d0c5c17918ddaa9a7ad00013611c0ddae1182b6cfa30ed',
        'b1d9e9a391f2e210a464315f54591c4f4bc8109fe3270793fdc3a72d008f192b',
      ],
    );
  });

  it('refuse weights that do not fit, by name', () => {
    const weights = weightsOf(first);
    const ctx = goldenContext(first);
    const [layer] = weights.layers as [TransformerWeights['layers'][number]];
    const cases: [RegExp, Partial<TransformerWeights>, Partial<ExportContext>?][] = [
      [/feature scaler/, {}, { featureNames: ['one'] }],
      [/embedding, 2 x 6/, { embedding: { ...weights.embedding, inputs: 2 } }],
      [/positions/, {}, { lookback: 4 }],
      [/heads/, { heads: 4 }],
      [/no encoder layer/, { layers: [] }],
      [/layer 1, attention, 6 x 6/, { layers: [{ ...layer, attention: layer.joined }] }],
      [/layer 1, after the relu layer/, { layers: [{ ...layer, narrow: layer.joined }] }],
      [/output, 6 x 4/, {}, { classes: 3 }],
      [/dropout rate 1/, { dropout: 1 }],
    ];
    for (const [words, changes, context] of cases) {
      assert.throws(
        () => buildTransformerMonteCarloGraph({ ...weights, ...changes }, { ...ctx, ...context }),
        (error: unknown) =>
          error instanceof RatchetError && error.code === 'onnx.shape' && words.test(error.message),
        String(words),
      );
    }
  });
});
