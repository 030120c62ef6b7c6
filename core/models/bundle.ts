import type { Knowledge } from './knowledge.ts';
import type { ExportContext, ExportedGraphs, FitSummary } from './model.ts';
import { decodeSections, encodeSections, sectionOrThrow } from './sections.ts';

/**
 * What a fit leaves behind: the `fitted` artifact of a FitResult. Everything after training reads
 * this and the ONNX graphs in it, so that only the training child ever loads TensorFlow.
 */
export interface FitBundle {
  readonly family: string;
  readonly params: unknown;
  readonly seed: number;
  readonly summary: FitSummary;
  /** `save()` of the fitted model. */
  readonly weights: Uint8Array;
  readonly graphs: ExportedGraphs;
  /** `nativeFile()` of the fitted model, of families that have one. */
  readonly native?: Uint8Array | undefined;
  readonly context: ExportContext;
  /** Windows with the answers of the *trained model* (not of the graph), in label units. */
  readonly probes: {
    /** Rows of the prepared data at which the windows end. */
    readonly rows: Int32Array;
    /** Row-major [rows x outputs]. */
    readonly predictions: Float64Array;
  };
  /** Largest |graph - trained| / max(|y|, label SD) seen over `rows` windows right after the fit. */
  readonly equality: { readonly maxRelative: number; readonly rows: number };
  /** Absent in bundles of earlier releases. */
  readonly knowledge?: Knowledge;
  /** Native libraries and machine class the weights were made with. */
  readonly libraries: Readonly<Record<string, string>>;
}

const KIND = 'fit-bundle';
const VERSION = 1;

type Meta = Pick<
  FitBundle,
  'family' | 'params' | 'seed' | 'summary' | 'context' | 'equality' | 'knowledge' | 'libraries'
> & { readonly noiseWidth: number | null };

/** One digest-guarded file; see sections.ts for the layout. */
export function encodeBundle(bundle: FitBundle): Uint8Array {
  const { weights, graphs, native, probes, ...rest } = bundle;
  const meta: Meta = { ...rest, noiseWidth: graphs.monteCarlo?.noiseWidth ?? null };
  return encodeSections({
    kind: KIND,
    version: VERSION,
    meta,
    sections: {
      weights,
      model: graphs.model,
      ...(graphs.monteCarlo ? { monteCarlo: graphs.monteCarlo.graph } : {}),
      ...(native ? { native } : {}),
      probeRows: probes.rows,
      probePredictions: probes.predictions,
    },
  });
}

/** Throws `bytes.corrupt` when the bytes are damaged or not a fit bundle. */
export function decodeBundle(bytes: Uint8Array): FitBundle {
  const file = decodeSections(bytes, KIND, VERSION);
  const { noiseWidth, ...meta } = file.meta as Meta;
  const model = sectionOrThrow(file, 'model', Uint8Array);
  return {
    ...meta,
    weights: sectionOrThrow(file, 'weights', Uint8Array),
    graphs:
      noiseWidth === null
        ? { model }
        : {
            model,
            monteCarlo: { graph: sectionOrThrow(file, 'monteCarlo', Uint8Array), noiseWidth },
          },
    ...('native' in file.sections ? { native: sectionOrThrow(file, 'native', Uint8Array) } : {}),
    probes: {
      rows: sectionOrThrow(file, 'probeRows', Int32Array),
      predictions: sectionOrThrow(file, 'probePredictions', Float64Array),
    },
  };
}
