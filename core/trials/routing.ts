import { createHash } from 'node:crypto';

export type Arm = 'champion' | 'challenger';

/** Bits of the digest that make the point: a double holds them exactly. */
const POINT_BITS = 48;

/**
 * Where a key stands in a trial: a number in [0, 1), uniform over keys (the first 48 bits of SHA-256 over
 * trial and key). The same trial and key give the same point on every replica; another trial deals
 * the keys anew, so that nobody is always the one it is tried on.
 */
export function routingPoint(trialId: string, key: string): number {
  const digest = createHash('sha256')
    .update(JSON.stringify([trialId, key]))
    .digest();
  return digest.readUIntBE(0, POINT_BITS / 8) / 2 ** POINT_BITS;
}

/**
 * Which arm answers a key when the challenger gets `share` of the traffic, in [0, 1]. A key stays where it
 * is while the share stays; a higher share moves keys from the champion to the challenger only.
 */
export const armOf = (trialId: string, key: string, share: number): Arm =>
  routingPoint(trialId, key) < share ? 'challenger' : 'champion';
