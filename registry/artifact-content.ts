import { createHash } from 'node:crypto';
import { RatchetError } from '../core/errors.ts';
import type { ArtifactStore } from './artifact-store.ts';

type ArtifactRef = Awaited<ReturnType<ArtifactStore['put']>>;

/** Largest artifact: one is held in memory as a whole. */
export const ARTIFACT_BYTES_MAX = 1024 ** 3;

export class ArtifactError extends RatchetError {}

const SHA256_PATTERN = /^[0-9a-f]{64}$/;

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Makes the reference of bytes; refuses what is too large. */
export function referenceTo(bytes: Uint8Array, rows: number | undefined): ArtifactRef {
  if (bytes.byteLength > ARTIFACT_BYTES_MAX) {
    throw new ArtifactError(
      'artifact.too-large',
      `an artifact has at most ${ARTIFACT_BYTES_MAX} bytes, this one has ${bytes.byteLength}`,
    );
  }
  const sha256 = digestOf(bytes);
  const ref = { uri: `cas/${sha256}`, sha256, bytes: bytes.byteLength };
  return rows === undefined ? ref : { ...ref, rows };
}

/** Keys are made by the server: anything but `cas/<its digest>` is refused before the store is asked. */
export function checkedDigest(ref: { readonly uri: string; readonly sha256: string }): string {
  if (!SHA256_PATTERN.test(ref.sha256) || ref.uri !== `cas/${ref.sha256}`) {
    throw new ArtifactError(
      'artifact.reference',
      `${JSON.stringify(ref.uri)} is not the key of the artifact ${JSON.stringify(ref.sha256)}`,
    );
  }
  return ref.sha256;
}

/** A digest from a caller, checked before it becomes part of a key. */
export function isDigest(sha256: string): boolean {
  return SHA256_PATTERN.test(sha256);
}

/** Is this what the digest says, unencrypted? */
export const isPlainOf =
  (sha256: string) =>
  (stored: Uint8Array): boolean =>
    digestOf(stored) === sha256;

/** Throws `artifact.corrupt` unless the bytes are what their digest says. */
export function verified(bytes: Uint8Array, sha256: string): Uint8Array {
  const actual = digestOf(bytes);
  if (actual === sha256) return bytes;
  throw new ArtifactError(
    'artifact.corrupt',
    `the artifact ${sha256} is corrupt: its bytes have the digest ${actual}`,
    { details: { sha256, actual, bytes: bytes.byteLength } },
  );
}

export function missing(sha256: string, cause?: unknown): ArtifactError {
  return new ArtifactError('artifact.missing', `there is no artifact ${sha256} in the store`, {
    details: { sha256 },
    cause,
  });
}
