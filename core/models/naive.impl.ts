import { createHash } from 'node:crypto';
import { buildLinearGraph } from '../onnx/networks.ts';
import type { ExportContext, FitSummary, FittedModel, ModelImplementation } from './model.ts';
import { assertUsable } from './scaled.ts';
import { decodeSections, encodeSections, sectionOrThrow } from './sections.ts';

const KIND = 'naive-model';
const VERSION = 1;

/** Validation MSE of always answering `neutral`, in label units, mean over horizons. */
function neutralMse(labels: Float64Array, neutral: number): number {
  let sum = 0;
  for (const y of labels) sum += (y - neutral) ** 2;
  return sum / labels.length;
}

function fitted(neutral: Float64Array, summary: FitSummary): FittedModel {
  const horizons = neutral.length;
  return {
    summary,
    predict: async (samples) =>
      new Float64Array(samples.endRow.length * horizons).map((_, at) => neutral[at % horizons]!),
    save: () =>
      encodeSections({ kind: KIND, version: VERSION, meta: { summary }, sections: { neutral } }),
    export: (ctx: ExportContext) => ({
      model: buildLinearGraph(
        {
          coefficients: new Float64Array(ctx.featureNames.length * horizons),
          intercepts: neutral,
        },
        { ...ctx, scalers: { ...ctx.scalers, labels: identity(horizons) } },
      ),
    }),
    dispose: () => {},
  };
}

/** Unscaled labels make the graph's answer exactly the neutral label. */
const identity = (horizons: number) => ({
  kind: 'none' as const,
  offset: Array.from({ length: horizons }, () => 0),
  factor: Array.from({ length: horizons }, () => 1),
});

export const implementation: ModelImplementation<Record<string, never>> = {
  async fit(_params, train, valid, ctx) {
    assertUsable(train, 'train', 'last-row');
    assertUsable(valid, 'valid', 'last-row');
    const neutral = new Float64Array(train.horizons.length).fill(ctx.neutralLabel);
    return fitted(neutral, {
      epochsRun: 0,
      bestEpoch: 0,
      bestValidLoss: neutralMse(valid.labels, ctx.neutralLabel),
      weightsDigest: createHash('sha256').update(new Uint8Array(neutral.buffer)).digest('hex'),
      history: [],
    });
  },
  async refit(_params, twin, train, ctx) {
    assertUsable(train, 'train', 'last-row');
    const neutral = new Float64Array(train.horizons.length).fill(ctx.neutralLabel);
    return fitted(neutral, twin);
  },
  async restore(bytes) {
    const file = decodeSections(bytes, KIND, VERSION);
    const { summary } = file.meta as { summary: FitSummary };
    return fitted(sectionOrThrow(file, 'neutral', Float64Array), summary);
  },
};
