import type { z } from 'zod';
import {
  LISTED_PATHS,
  OPTIONAL_PATHS,
  PACKAGE_FILE_BYTES_MAX,
  PACKAGE_PATHS,
  PackageError,
  fileOrThrow,
  isPackagePath,
  sha256Hex,
} from './files.ts';
import type { PackageFiles, PackagePath } from './files.ts';
import { checkGraphIsSelfContained } from './graph-check.ts';
import type { GoldenProbes, Manifest, Preprocessing } from './manifest.ts';
import { readOutliers } from './outliers.ts';
import type { OutlierReference } from './outliers.ts';
import { goldenSchema, manifestSchema, outliersSchema, preprocessingSchema } from './schemas.ts';
import { SIGNATURE_BYTES, isSignedBy } from './signature.ts';
import type { TrustedKeys } from './signature.ts';

/** Which package is meant. */
export interface ExpectedPackage {
  readonly model: string;
  readonly version: number;
  /** sha256 of manifest.json, from the registry: an old manifest is signed too. */
  readonly packageDigest: string;
}

/** A package whose every byte is what its signer signed. Only `verifyPackage` makes one. */
export interface VerifiedPackage {
  readonly packageDigest: string;
  readonly manifest: Manifest;
  readonly preprocessing: Preprocessing;
  readonly golden: GoldenProbes;
  /** Undefined in packages of earlier releases: how unlike a window is cannot be said then. */
  readonly outliers: OutlierReference | undefined;
  readonly evaluation: unknown;
  /** ONNX bytes, checked to refer to nothing outside themselves. */
  readonly model: Uint8Array;
  readonly monteCarlo: Uint8Array | undefined;
  /** What `contributions` of its family reads; absent where the family has none. */
  readonly trees: Uint8Array | undefined;
  readonly files: PackageFiles;
}

function parseJson<T>(schema: z.ZodType<T>, bytes: Uint8Array, path: PackagePath): T {
  const code = path === PACKAGE_PATHS.manifest ? 'package.manifest' : 'package.content';
  try {
    return schema.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw new PackageError(code, `${path} is not what this release reads`, { path }, cause);
  }
}

/**
 * The manifest in `bytes` once its signature has been checked: nothing of an unsigned one is read.
 * Throws `package.signature`, `package.manifest`.
 */
export function readSignedManifest(
  bytes: Uint8Array,
  signature: Uint8Array,
  keys: TrustedKeys,
): Manifest {
  if (signature.length !== SIGNATURE_BYTES || !isSignedBy(keys, bytes, signature)) {
    throw new PackageError('package.signature', 'the manifest is not signed by a trusted key');
  }
  return parseJson(manifestSchema, bytes, PACKAGE_PATHS.manifest);
}

function checkIdentity(manifest: Manifest, digest: string, expected: ExpectedPackage): void {
  const found = { model: manifest.model, version: manifest.version, packageDigest: digest };
  for (const key of ['model', 'version', 'packageDigest'] as const) {
    if (found[key] === expected[key]) continue;
    throw new PackageError(
      'package.mismatch',
      `expected package ${expected.model} ${expected.version}, got one of another ${key}: ` +
        `${found.model} ${found.version}`,
      { expected: { ...expected }, found },
    );
  }
}

/** The manifest's list names exactly the files that are there, each a known one, each once. */
function checkList(manifest: Manifest, files: PackageFiles): void {
  const listed = new Set<string>();
  for (const { path } of manifest.files) {
    if (!isPackagePath(path) || !LISTED_PATHS.includes(path) || listed.has(path)) {
      throw new PackageError('package.manifest', `the manifest lists ${JSON.stringify(path)}`);
    }
    listed.add(path);
  }
  for (const path of LISTED_PATHS) {
    if (listed.has(path) || (OPTIONAL_PATHS.has(path) && !files.has(path))) continue;
    throw new PackageError('package.manifest', `the manifest does not list ${path}`, { path });
  }
  for (const path of files.keys()) {
    if (listed.has(path) || path === PACKAGE_PATHS.manifest || path === PACKAGE_PATHS.signature) {
      continue;
    }
    throw new PackageError('package.extra-file', `the package has a file ${path} too many`, {
      path,
    });
  }
}

function checkFiles(manifest: Manifest, files: PackageFiles): void {
  for (const { path, bytes, sha256 } of manifest.files) {
    const file = fileOrThrow(files, path as PackagePath);
    const sizes = { path, expected: bytes, found: file.length };
    if (file.length !== bytes || bytes > PACKAGE_FILE_BYTES_MAX) {
      throw new PackageError(
        'package.size',
        `${path} has ${file.length} bytes, its manifest says ${bytes}`,
        sizes,
      );
    }
    if (sha256Hex(file) !== sha256) {
      throw new PackageError('package.digest', `${path} is not the file that was signed`, { path });
    }
  }
}

/**
 * Checks a package from its signature inwards: the manifest's Ed25519 signature, which model, version and
 * digest it is, that it lists exactly the files that are there (fixed names only), each file's size and
 * sha256, that no ONNX graph refers to anything outside itself, and the JSON files' schemas. Nothing here
 * is native code; a session may be opened only from what this gives back. Throws `PackageError`.
 */
export function verifyPackage(
  files: PackageFiles,
  keys: TrustedKeys,
  expected: ExpectedPackage,
): VerifiedPackage {
  const manifestBytes = fileOrThrow(files, PACKAGE_PATHS.manifest);
  const signature = fileOrThrow(files, PACKAGE_PATHS.signature);
  const manifest = readSignedManifest(manifestBytes, signature, keys);
  const packageDigest = sha256Hex(manifestBytes);
  checkIdentity(manifest, packageDigest, expected);
  checkList(manifest, files);
  checkFiles(manifest, files);
  const model = fileOrThrow(files, PACKAGE_PATHS.model);
  const monteCarlo = files.get(PACKAGE_PATHS.monteCarlo);
  checkGraphIsSelfContained(model, PACKAGE_PATHS.model);
  if (monteCarlo) checkGraphIsSelfContained(monteCarlo, PACKAGE_PATHS.monteCarlo);
  const json = <T>(schema: z.ZodType<T>, path: PackagePath): T =>
    parseJson(schema, fileOrThrow(files, path), path);
  const preprocessing = json(preprocessingSchema, PACKAGE_PATHS.preprocessing);
  return {
    packageDigest,
    manifest,
    preprocessing,
    golden: json(goldenSchema, PACKAGE_PATHS.golden),
    outliers: files.has(PACKAGE_PATHS.outliers)
      ? readOutliers(
          json(outliersSchema, PACKAGE_PATHS.outliers),
          preprocessing.featureNames.length,
        )
      : undefined,
    evaluation: JSON.parse(new TextDecoder().decode(fileOrThrow(files, PACKAGE_PATHS.evaluation))),
    model,
    monteCarlo,
    trees: files.get(PACKAGE_PATHS.trees),
    files,
  };
}
