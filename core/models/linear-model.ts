import { createHash } from 'node:crypto';
import { buildLinearGraph, type LinearWeights } from '../onnx/linear.ts';
import type { FitContext, FitSummary, FittedModel, Samples } from './model.ts';
import { softmax } from './network/head.ts';
import { assertWindowsFinite, scaleLastRows, unscaleLabels } from './scaled.ts';
import { decodeSections, encodeSections, sectionOrThrow } from './sections.ts';

/** What families share whose answer is a linear function of the window's newest row. */

const VERSION = 1;

/** A fitted linear model: weights for scaled features, and what brings them there and back. */
export interface LinearState {
  readonly model: LinearWeights;
  /** 0: outputs are scaled label units; else logits of that many classes a horizon. */
  readonly classes: number;
  readonly scalers: FitContext['scalers'];
  readonly summary: FitSummary;
}

/** Mean of each column of a row-major matrix. */
export function columnMeans(x: Float64Array, columns: number): Float64Array {
  const mean = new Float64Array(columns);
  for (let at = 0; at < x.length; at++) mean[at % columns]! += x[at]!;
  return mean.map((sum) => sum / (x.length / columns));
}

/** x [rows x f] -> [rows x outputs]. */
export function applyLinear(model: LinearWeights, x: Float64Array, f: number): Float64Array {
  const outputs = model.intercepts.length;
  const rows = x.length / f;
  const out = new Float64Array(rows * outputs);
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < outputs; k++) {
      let sum = model.intercepts[k]!;
      for (let i = 0; i < f; i++) sum += x[r * f + i]! * model.coefficients[i * outputs + k]!;
      out[r * outputs + k] = sum;
    }
  }
  return out;
}

export const emptyLinear = (f: number, outputs: number): LinearWeights => ({
  coefficients: new Float64Array(f * outputs),
  intercepts: new Float64Array(outputs),
});

/** Copies the outputs [from, from + count). */
export function takeOutputs(
  source: LinearWeights,
  to: LinearWeights,
  from: number,
  count: number,
): void {
  const outputs = to.intercepts.length;
  for (let k = from; k < from + count; k++) {
    to.intercepts[k] = source.intercepts[k]!;
    for (let at = k; at < to.coefficients.length; at += outputs) {
      to.coefficients[at] = source.coefficients[at]!;
    }
  }
}

/** MSE of each horizon. */
export function mseByHorizon(predicted: Float64Array, y: Float64Array, h: number): Float64Array {
  const sum = new Float64Array(h);
  for (let at = 0; at < y.length; at++) sum[at % h]! += (predicted[at]! - y[at]!) ** 2;
  return sum.map((s) => s / (y.length / h));
}

export function linearDigest(model: LinearWeights): string {
  const hash = createHash('sha256');
  for (const array of [model.coefficients, model.intercepts]) {
    hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  return hash.digest('hex');
}

/** `kind` names the family's saved bytes. */
export function fittedLinear(kind: string, state: LinearState): FittedModel {
  const { model, classes, scalers, summary } = state;
  return {
    summary,
    predict: async (samples: Samples) => {
      assertWindowsFinite(samples, 'predicted', 1);
      const x = scaleLastRows(samples, scalers.features);
      const raw = applyLinear(model, x, samples.featureCount);
      return classes > 0 ? softmax(raw, classes) : unscaleLabels(raw, scalers.labels);
    },
    save: () =>
      encodeSections({
        kind,
        version: VERSION,
        meta: { summary, scalers, classes },
        sections: { coefficients: model.coefficients, intercepts: model.intercepts },
      }),
    export: (ctx) => ({ model: buildLinearGraph(model, ctx) }),
    dispose: () => {},
  };
}

/** What `save` gave; throws `bytes.corrupt`. */
export function restoreLinear(kind: string, bytes: Uint8Array): FittedModel {
  const file = decodeSections(bytes, kind, VERSION);
  const { classes = 0, ...meta } = file.meta as Omit<LinearState, 'model' | 'classes'> & {
    // Absent in what earlier releases saved.
    readonly classes?: number;
  };
  const read = (name: string): Float64Array => sectionOrThrow(file, name, Float64Array);
  const model = { coefficients: read('coefficients'), intercepts: read('intercepts') };
  return fittedLinear(kind, { ...meta, classes, model });
}
