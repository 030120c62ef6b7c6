import { z } from 'zod';
import type { CompressionRules } from '../onnx/compress/compress.ts';
import type { ExperimentSpec } from './spec.ts';

/** What is done to the graph on its way into the package. */
export const packageSchema = z.strictObject({
  quantize: z
    .enum(['none', 'dynamic'])
    .default('none')
    .describe(
      'dynamic: LSTM layers with int8 weights, about a third of the size and faster; then only onnxruntime reads the graph.',
    ),
  prune: z
    .strictObject({
      sparsity: z
        .number()
        .gt(0)
        .max(0.95)
        .describe('Share of the weights of each matrix, those of least magnitude, that become 0.'),
    })
    .exactOptional()
    .describe('Magnitude pruning of the weight matrices of networks, without training again.'),
  tolerance: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe(
      'Most by which the loss on the validation part may rise, as a share; beyond it the graph is packaged as trained.',
    ),
});

/** What a spec asks of the packaged graph; undefined: that it stays as trained, however that is written. */
export function compressionRulesOf(
  spec: Pick<ExperimentSpec, 'package'>,
): (CompressionRules & { readonly tolerance: number }) | undefined {
  const asked = spec.package;
  return asked && (asked.quantize !== 'none' || asked.prune) ? asked : undefined;
}
