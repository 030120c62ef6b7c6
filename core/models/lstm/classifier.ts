import type { LstmNetWeights } from '../../onnx/networks.ts';
import type { LstmClassifierParams } from '../lstm-classifier.ts';
import type { DataSizes } from '../network/design.ts';
import { decodeNetwork, type NetworkState, type SavedAs } from '../network/saved.ts';
import { layoutOf, toNetWeights, type NetworkShape } from './layout.ts';

/** What the files of lstm-classifier are. */
export const CLASSIFIER_FILE: SavedAs = { kind: 'lstm-classifier', version: 1 };

export const classifierShape = (
  { units, dense }: LstmClassifierParams,
  { inputs, horizons, classes }: DataSizes,
): NetworkShape => ({ inputs, units, dense, branch: 0, horizons, outputs: classes });

/** A saved classifier as the ONNX builders take it; throws `bytes.corrupt`. */
export function readClassifier(saved: Uint8Array): {
  readonly state: NetworkState<LstmClassifierParams>;
  readonly weights: LstmNetWeights;
} {
  const { state } = decodeNetwork<LstmClassifierParams>(CLASSIFIER_FILE, saved);
  const { dropout, recurrentDropout } = state.params;
  const layout = layoutOf(classifierShape(state.params, state));
  return { state, weights: toNetWeights(layout, state.weights, { dropout, recurrentDropout }) };
}
