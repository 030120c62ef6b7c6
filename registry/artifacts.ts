import { join } from 'node:path';
import { RatchetError } from '../core/errors.ts';
import { openDirectoryStore } from './artifacts-directory.ts';
import { sealingWith, type PackageKeys } from './artifacts-encrypted.ts';
import { openS3Store, type S3Settings } from './artifacts-s3.ts';
import type { ArtifactStore } from './artifact-store.ts';

export interface ArtifactSettings {
  /** Absent: artifacts lie in `artifacts/` of the state folder. */
  readonly s3: S3Settings | undefined;
  readonly stateDir: string;
  /** Encrypt what is stored; absent: it lies there as it is. What lies there unencrypted stays readable. */
  readonly packageKeys?: PackageKeys | undefined;
}

/**
 * Opens the artifact store. Nothing is reached before the first call, so a store that is away does
 * not keep a process from starting. Nothing is retried here: the activity that asked is.
 */
export function openArtifactStore(settings: ArtifactSettings): ArtifactStore {
  const sealing = sealingWith(settings.packageKeys);
  if (settings.s3) return openS3Store(settings.s3, sealing);
  return openDirectoryStore(join(settings.stateDir, 'artifacts'), sealing);
}

/** Stores a value as JSON. */
export function putJson(store: ArtifactStore, value: unknown) {
  return store.put(Buffer.from(JSON.stringify(value), 'utf8'));
}

/** Reads what `putJson` stored; the caller parses it where it comes from elsewhere. */
export async function getJson(
  store: ArtifactStore,
  ref: { readonly uri: string; readonly sha256: string },
): Promise<unknown> {
  return JSON.parse(Buffer.from(await store.get(ref)).toString('utf8')) as unknown;
}

/** The reference of content whose digest is known. */
export function refOf(sha256: string): { readonly uri: string; readonly sha256: string } {
  return { uri: `cas/${sha256}`, sha256 };
}

/** The digest that a `cas/<sha256>` key names. */
export function sha256OfUri(uri: string): string {
  const sha256 = /^cas\/([0-9a-f]{64})$/.exec(uri)?.[1];
  if (sha256 === undefined) {
    throw new RatchetError('artifact.reference', `${JSON.stringify(uri)} is no artifact key`);
  }
  return sha256;
}

export { ArtifactError, digestOf } from './artifact-content.ts';
