/** Digests of ensembles: of what was asked, and of what came of it. */
import { createHash } from 'node:crypto';
import type { Combiner } from '../../onnx/combined.ts';
import type { Samples } from '../model.ts';
import type { FittedMember } from './fitted.ts';

/** Everything that decides the weights, short: a checkpoint that says otherwise is of another fit. */
export function fingerprintOf(asked: unknown, parts: readonly Samples[]): string {
  const hash = createHash('sha256').update(JSON.stringify(asked));
  for (const { endRow, featureCount, lookback, horizons } of parts) {
    hash.update(JSON.stringify({ featureCount, lookback, horizons }));
    hash.update(new Uint8Array(endRow.buffer, endRow.byteOffset, endRow.byteLength));
  }
  return hash.digest('hex');
}

/** What the ensemble's weights are known by: those of its members, and how they are combined. */
export function digestOf(members: readonly FittedMember[], combiner: Combiner): string {
  const digests = members.map(({ model }) => model.summary.weightsDigest);
  return createHash('sha256')
    .update(JSON.stringify([digests, combiner]))
    .digest('hex');
}
