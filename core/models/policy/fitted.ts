import { createHash } from 'node:crypto';
import { buildTanhGraph } from '../../onnx/linear.ts';
import type { FitContext, FitSummary, FittedModel, Samples } from '../model.ts';
import { softmax } from '../network/head.ts';
import { assertWindowsFinite, scaleLastRows } from '../scaled.ts';
import { decodeSections, encodeSections, sectionOrThrow } from '../sections.ts';
import { forward, layersOf, type PolicyShape, type Theta } from './network.ts';

/** A fitted policy: its weights for scaled features, and what brings them there. */
export interface PolicyState {
  readonly shape: PolicyShape;
  readonly theta: Theta;
  readonly scalers: FitContext['scalers'];
  readonly summary: FitSummary;
}

const KIND = 'policy';
const VERSION = 1;

export function thetaDigest(theta: Theta): string {
  const bytes = new Uint8Array(theta.buffer, theta.byteOffset, theta.byteLength);
  return createHash('sha256').update(bytes).digest('hex');
}

export function fittedPolicy({ shape, theta, scalers, summary }: PolicyState): FittedModel {
  return {
    summary,
    predict: async (samples: Samples) => {
      assertWindowsFinite(samples, 'predicted', 1);
      const { logits } = forward(shape, theta, scaleLastRows(samples, scalers.features));
      return softmax(logits, shape.classes);
    },
    save: () =>
      encodeSections({
        kind: KIND,
        version: VERSION,
        meta: { shape, scalers, summary },
        sections: { theta },
      }),
    export: (ctx) => ({ model: buildTanhGraph(layersOf(shape, theta), ctx) }),
    dispose: () => {},
  };
}

/** What `save` gave; throws `bytes.corrupt`. */
export function policyStateOf(bytes: Uint8Array): PolicyState {
  const file = decodeSections(bytes, KIND, VERSION);
  const meta = file.meta as Omit<PolicyState, 'theta'>;
  return { ...meta, theta: sectionOrThrow(file, 'theta', Float64Array) };
}
