import { z } from 'zod';
import {
  LISTED_PATHS,
  PACKAGE_FILE_BYTES_MAX,
  PACKAGE_PATHS,
  fileOrThrow,
  isPackageError,
  PackageError,
} from '../core/packages/files.ts';
import type { PackageFiles, PackagePath } from '../core/packages/files.ts';
import { jsonFile } from '../core/packages/json-file.ts';
import type { Manifest } from '../core/packages/manifest.ts';
import { manifestSchema } from '../core/packages/schemas.ts';
import type { TrustedKeys } from '../core/packages/signature.ts';
import { verifyPackage } from '../core/packages/verify.ts';
import type { ExpectedPackage, VerifiedPackage } from '../core/packages/verify.ts';
import type { ArtifactStore } from './artifact-store.ts';
import type { PackageCache } from './package-cache.ts';

type ArtifactRef = Awaited<ReturnType<ArtifactStore['put']>>;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const stored = z.strictObject({ sha256, bytes: z.int().min(0).max(PACKAGE_FILE_BYTES_MAX) });
const paths = [PACKAGE_PATHS.manifest, PACKAGE_PATHS.signature, ...LISTED_PATHS] as const;

/** Where the files of one package lie in the artifact store; trusted in nothing but that. */
const indexSchema = z.strictObject({
  format: z.literal(1),
  files: z.partialRecord(z.enum(paths), stored),
});

const keyOf = (digest: string): string => `cas/${digest}`;

/** The digest in an artifact's uri; throws `package.manifest` for anything the server did not make. */
function digestOfUri(uri: string): string {
  const digest = /^cas\/([0-9a-f]{64})$/.exec(uri)?.[1];
  if (digest) return digest;
  throw new PackageError('package.manifest', `${JSON.stringify(uri)} is not an artifact's key`);
}

/**
 * Stores every file of a package and an index of them; gives the index's reference, which a version's
 * row keeps as `manifest_uri`. Storing the same package again changes nothing.
 */
export async function storePackage(
  artifacts: Pick<ArtifactStore, 'put'>,
  files: PackageFiles,
): Promise<ArtifactRef> {
  const entries: [string, { sha256: string; bytes: number }][] = [];
  for (const [path, bytes] of files) {
    const ref = await artifacts.put(bytes);
    entries.push([path, { sha256: ref.sha256, bytes: ref.bytes }]);
  }
  return artifacts.put(jsonFile({ format: 1, files: Object.fromEntries(entries) }));
}

/** The files that an index names, each against its own digest only: `verifyPackage` must follow. */
export async function fetchPackageFiles(
  artifacts: Pick<ArtifactStore, 'get'>,
  uri: string,
): Promise<PackageFiles> {
  const digest = digestOfUri(uri);
  const bytes = await artifacts.get({ uri: keyOf(digest), sha256: digest });
  const index = indexSchema.safeParse(JSON.parse(new TextDecoder().decode(bytes)));
  if (!index.success) {
    throw new PackageError('package.manifest', `${uri} is not a package's index`, { uri });
  }
  const entries = Object.entries(index.data.files) as [PackagePath, z.infer<typeof stored>][];
  return new Map(
    await Promise.all(
      entries.map(async ([path, file]): Promise<[PackagePath, Uint8Array]> => {
        return [path, await artifacts.get({ uri: keyOf(file.sha256), sha256: file.sha256 })];
      }),
    ),
  );
}

/** The manifest of a stored package, unverified: for records about it, never for serving. */
export async function readManifest(
  artifacts: Pick<ArtifactStore, 'get'>,
  uri: string,
): Promise<Manifest> {
  const files = await fetchPackageFiles(artifacts, uri);
  const bytes = fileOrThrow(files, PACKAGE_PATHS.manifest);
  return manifestSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
}

export interface LoadOptions {
  /** Local disk: asked first, filled afterwards. */
  readonly cache?: PackageCache;
  /** Hears of a cache that held other bytes than it should, or could not be written. */
  readonly onCacheProblem?: (error: unknown) => void;
}

/** Verified from the local disk, or undefined: what does not verify is thrown away and fetched anew. */
async function fromCache(
  cache: PackageCache,
  expected: ExpectedPackage,
  keys: TrustedKeys,
  onProblem: (error: unknown) => void,
): Promise<VerifiedPackage | undefined> {
  const files = await cache.read(expected.packageDigest);
  if (!files) return undefined;
  try {
    return verifyPackage(files, keys, expected);
  } catch (error) {
    if (!isPackageError(error)) throw error;
    onProblem(error);
    await cache.discard(expected.packageDigest);
    return undefined;
  }
}

/**
 * Loads a package for serving: from the local cache, else from the artifact store, verified either way
 * before anything may open it. With a warm cache the store need not be reachable. Throws
 * `PackageError`, `artifact.missing`, `artifact.corrupt`.
 */
export async function loadPackage(
  artifacts: Pick<ArtifactStore, 'get'>,
  expected: ExpectedPackage & { readonly manifestUri: string },
  keys: TrustedKeys,
  options: LoadOptions = {},
): Promise<VerifiedPackage> {
  const { cache, onCacheProblem = () => undefined } = options;
  const cached = cache && (await fromCache(cache, expected, keys, onCacheProblem));
  if (cached) return cached;
  const files = await fetchPackageFiles(artifacts, expected.manifestUri);
  const verified = verifyPackage(files, keys, expected);
  // A full disk costs the next start its independence of the store, not this answer.
  await cache?.write(verified.packageDigest, files).catch(onCacheProblem);
  return verified;
}
