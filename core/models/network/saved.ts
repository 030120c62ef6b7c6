import type { FitContext, FitSummary } from '../model.ts';
import { decodeSections, encodeSections, sectionOrThrow } from '../sections.ts';
import type { DataSizes } from './design.ts';
import type { FlatWeights } from './layout.ts';

/** All that a fitted network is, apart from its summary. */
export interface NetworkState<P> extends DataSizes {
  readonly params: P;
  readonly scalers: FitContext['scalers'];
  readonly weights: FlatWeights;
}

/** What the files of a family's networks are called, and the version of their format. */
export interface SavedAs {
  readonly kind: string;
  readonly version: number;
}

/** A network as bytes; reading them needs no TensorFlow. */
export function encodeNetwork<P>(
  { kind, version }: SavedAs,
  { weights, ...meta }: NetworkState<P>,
  summary: FitSummary,
): Uint8Array {
  return encodeSections({ kind, version, meta: { ...meta, summary }, sections: { ...weights } });
}

/** Throws `bytes.corrupt` for damaged bytes and those of another family. */
export function decodeNetwork<P>(
  { kind, version }: SavedAs,
  bytes: Uint8Array,
): { readonly state: NetworkState<P>; readonly summary: FitSummary } {
  const file = decodeSections(bytes, kind, version);
  const { summary, ...meta } = file.meta as Omit<NetworkState<P>, 'weights'> & {
    summary: FitSummary;
  };
  const weights: FlatWeights = {
    theta: sectionOrThrow(file, 'theta', Float32Array),
    movingMean: sectionOrThrow(file, 'movingMean', Float32Array),
    movingVariance: sectionOrThrow(file, 'movingVariance', Float32Array),
  };
  return { state: { ...meta, weights }, summary };
}
