import type { ArtifactRef } from '../workflows/messages.ts';

/** Immutable bytes by content. Keys are made here, never by a caller: `cas/<sha256>`. */
export interface ArtifactStore {
  readonly kind: 's3' | 'directory';
  /** Stores bytes under their digest; storing the same bytes again is free and safe. */
  put(bytes: Uint8Array, rows?: number): Promise<ArtifactRef>;
  /** Bytes of a reference, digest checked; throws `artifact.missing` or `artifact.corrupt`. */
  get(ref: { readonly uri: string; readonly sha256: string }): Promise<Uint8Array>;
  has(sha256: string): Promise<boolean>;
  /** Is the store reachable? Throws when not. */
  ping(): Promise<void>;
}
