import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { ExportContext } from '../../core/models/model.ts';
import { layoutOf, type TransformerLayout } from '../../core/models/transformer/layout.ts';

const dense = z.strictObject({ kernel: z.array(z.number()), bias: z.array(z.number()) });
const file = z.object({
  shape: z.object({
    lookback: z.int(),
    inputs: z.int(),
    dModel: z.int(),
    heads: z.int(),
    feedForward: z.int(),
    outputs: z.int(),
    layers: z.int(),
    dropout: z.number(),
  }),
  cases: z.array(
    z.object({
      attention: z.enum(['causal', 'full']),
      positions: z.enum(['learned', 'sinusoidal']),
      pooling: z.enum(['last', 'mean']),
      weights: z.object({ positions: z.array(z.number()) }).catchall(dense),
      x: z.array(z.number()),
      noise: z.array(z.number()),
      outputs: z.array(z.number()),
      dropped: z.array(z.number()),
    }),
  ),
});

/** One network of test/golden/transformer.py, with what numpy says it gives for one window. */
export interface GoldenTransformer {
  readonly name: string;
  readonly layout: TransformerLayout;
  readonly theta: Float32Array;
  readonly dropout: number;
  /** One window [lookback x inputs], scaled. */
  readonly x: Float64Array;
  readonly noise: Float32Array;
  readonly outputs: readonly number[];
  /** The same with the masks that the noise makes. */
  readonly dropped: readonly number[];
}

export function goldenTransformers(): GoldenTransformer[] {
  const path = new URL('../golden/transformer.json', import.meta.url);
  const { shape, cases } = file.parse(JSON.parse(readFileSync(path, 'utf8')));
  return cases.map(({ attention, positions, pooling, weights, ...golden }) => {
    const causal = attention === 'causal';
    const learnedPositions = positions === 'learned';
    const layout = layoutOf({ ...shape, causal, learnedPositions, pooling });
    const theta = new Float32Array(layout.parameterCount);
    for (const { name, offset } of layout.parameters) {
      const [layer, part] = name.split('.') as [string, 'kernel' | 'bias' | undefined];
      theta.set(part ? weights[layer]![part] : weights.positions, offset);
    }
    return {
      name: `${attention}, ${positions}, ${pooling}`,
      layout,
      theta,
      dropout: shape.dropout,
      ...golden,
      x: Float64Array.from(golden.x),
      noise: Float32Array.from(golden.noise),
    };
  });
}

/** What a package says of these networks: raw features are scaled ones, labels are half the outputs plus .5. */
export function goldenContext(
  { layout }: GoldenTransformer,
  changes: Partial<ExportContext> = {},
): ExportContext {
  const { lookback, inputs, outputs } = layout.shape;
  const same = <T>(count: number, value: T): T[] => new Array<T>(count).fill(value);
  return {
    featureNames: Array.from({ length: inputs }, (_, i) => `feature_${i}`),
    lookback,
    horizons: Array.from({ length: outputs }, (_, i) => i + 1),
    classes: 0,
    scalers: {
      features: { kind: 'standard', offset: same(inputs, 0), factor: same(inputs, 1) },
      labels: { kind: 'standard', offset: same(outputs, 0.5), factor: same(outputs, 2) },
    },
    multiplyByClose: false,
    ...changes,
  };
}
