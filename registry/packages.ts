import { RatchetError } from '../core/errors.ts';
import {
  LISTED_PATHS,
  PACKAGE_PATHS,
  PackageError,
  fileOrThrow,
  isPackagePath,
} from '../core/packages/files.ts';
import type { PackageFiles, PackagePath } from '../core/packages/files.ts';
import type { TrustedKeys } from '../core/packages/signature.ts';
import { readSignedManifest, verifyPackage } from '../core/packages/verify.ts';
import type { ExpectedPackage, VerifiedPackage } from '../core/packages/verify.ts';
import type { ArtifactStore } from './artifact-store.ts';
import type { Db } from './in-transaction.ts';
import type { PackageCache } from './package-cache.ts';

type ArtifactRef = Awaited<ReturnType<ArtifactStore['put']>>;

const keyOf = (sha256: string) => ({ uri: `cas/${sha256}`, sha256 });

/**
 * Stores a package: each file under its own digest in the artifact store, the signature in the database,
 * so that neither alone can give a package another content. Gives the reference of `manifest.json`, whose
 * digest names the package. Storing the same package again changes nothing.
 */
export async function storePackage(
  db: Db,
  artifacts: Pick<ArtifactStore, 'put'>,
  files: PackageFiles,
): Promise<ArtifactRef> {
  for (const [path, bytes] of files) {
    if (LISTED_PATHS.includes(path)) await artifacts.put(bytes);
  }
  const manifest = await artifacts.put(fileOrThrow(files, PACKAGE_PATHS.manifest));
  const signature = Buffer.from(fileOrThrow(files, PACKAGE_PATHS.signature)).toString('base64');
  await db
    .insertInto('package_signature')
    .values({ package_digest: manifest.sha256, signature })
    .onConflict((oc) => oc.column('package_digest').doUpdateSet({ signature }))
    .execute();
  return manifest;
}

async function fetchSignature(db: Db, packageDigest: string): Promise<Uint8Array> {
  const row = await db
    .selectFrom('package_signature')
    .select('signature')
    .where('package_digest', '=', packageDigest)
    .executeTakeFirst();
  if (row) return new Uint8Array(Buffer.from(row.signature, 'base64'));
  throw new PackageError('package.signature', 'the package was never signed', { packageDigest });
}

/**
 * All files of a stored package. The manifest's signature is checked before any name in it is followed,
 * and only the fixed names ever are.
 */
async function fetchPackage(
  db: Db,
  artifacts: Pick<ArtifactStore, 'get'>,
  packageDigest: string,
  keys: TrustedKeys,
): Promise<PackageFiles> {
  const signature = await fetchSignature(db, packageDigest);
  const manifestBytes = await artifacts.get(keyOf(packageDigest));
  const manifest = readSignedManifest(manifestBytes, signature, keys);
  const files = new Map<PackagePath, Uint8Array>([
    [PACKAGE_PATHS.manifest, manifestBytes],
    [PACKAGE_PATHS.signature, signature],
  ]);
  for (const { path, sha256 } of manifest.files) {
    if (isPackagePath(path)) files.set(path, await artifacts.get(keyOf(sha256)));
  }
  return files;
}

export interface LoadOptions {
  /** Local disk: asked first, filled afterwards. */
  readonly cache?: PackageCache;
  /** Hears of a cache that held other bytes than it should, or could not be written. */
  readonly onCacheProblem?: (error: unknown) => void;
}

/** Verified from the local disk, or undefined: what cannot be read and verified is fetched anew. */
async function fromCache(
  cache: PackageCache,
  expected: ExpectedPackage,
  keys: TrustedKeys,
  onProblem: (error: unknown) => void,
): Promise<VerifiedPackage | undefined> {
  try {
    const files = await cache.read(expected.packageDigest);
    return files && verifyPackage(files, keys, expected);
  } catch (error) {
    // Whatever is wrong with the disk, the store may still have the package.
    onProblem(error);
    // Encrypted with a key that is not here: it serves again once the key is.
    if (error instanceof RatchetError && error.code === 'artifact.key') return undefined;
    await cache.discard(expected.packageDigest).catch(onProblem);
    return undefined;
  }
}

/**
 * Loads a package for serving: from the local cache, else from the artifact store, verified either way
 * before anything may open it. With a warm cache neither store nor database need be reachable. Throws
 * `PackageError`, `artifact.missing`, `artifact.corrupt`.
 */
export async function loadPackage(
  { db, artifacts }: { readonly db: Db; readonly artifacts: Pick<ArtifactStore, 'get'> },
  expected: ExpectedPackage,
  keys: TrustedKeys,
  options: LoadOptions = {},
): Promise<VerifiedPackage> {
  const { cache, onCacheProblem = () => undefined } = options;
  const cached = cache && (await fromCache(cache, expected, keys, onCacheProblem));
  if (cached) return cached;
  const files = await fetchPackage(db, artifacts, expected.packageDigest, keys);
  const verified = verifyPackage(files, keys, expected);
  // A full disk costs the next start its independence of the store, not this answer.
  await cache?.write(verified.packageDigest, files).catch(onCacheProblem);
  return verified;
}

/** When a version's number was reserved: what its package calls `createdAt`, the same on each repeat. */
export async function reservationTime(db: Db, model: string, version: number): Promise<Date> {
  const row = await db
    .selectFrom('model_version')
    .select('created_at')
    .where('model', '=', model)
    .where('version', '=', version)
    .executeTakeFirstOrThrow();
  return row.created_at;
}
