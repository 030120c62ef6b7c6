import { createHash } from 'node:crypto';
import { RatchetError } from '../errors.ts';

/** Every path a package may have; nothing else is ever read or written. */
export const PACKAGE_PATHS = {
  manifest: 'manifest.json',
  signature: 'manifest.sig',
  model: 'model.onnx',
  monteCarlo: 'model-mc.onnx',
  trees: 'trees.bin',
  preprocessing: 'preprocessing.json',
  golden: 'golden.json',
  outliers: 'outliers.json',
  evaluation: 'evaluation.json',
  card: 'card.md',
} as const;
export type PackagePath = (typeof PACKAGE_PATHS)[keyof typeof PACKAGE_PATHS];

/** The files that a manifest lists: all but itself and its signature. */
export const LISTED_PATHS: readonly PackagePath[] = Object.values(PACKAGE_PATHS).filter(
  (path) => path !== PACKAGE_PATHS.manifest && path !== PACKAGE_PATHS.signature,
);
/**
 * Listed files a package may lack: only networks with dropout have a Monte-Carlo graph, only boosted trees a file of
 * their own library; packages of earlier releases, and those whose training rows are all the same, have no reference
 * for outliers.
 */
export const OPTIONAL_PATHS: ReadonlySet<string> = new Set([
  PACKAGE_PATHS.monteCarlo,
  PACKAGE_PATHS.trees,
  PACKAGE_PATHS.outliers,
]);

/** Far above any model of ours (the full index LSTM has 0.3 MB); stops a bad length early. */
export const PACKAGE_FILE_BYTES_MAX = 256 * 1024 * 1024;

/** A package's files in memory, by path. */
export type PackageFiles = ReadonlyMap<PackagePath, Uint8Array>;

const PATHS: ReadonlySet<string> = new Set(Object.values(PACKAGE_PATHS));
export const isPackagePath = (path: string): path is PackagePath => PATHS.has(path);

export const sha256Hex = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex');

/** The bytes of one file; throws `package.missing-file`. */
export function fileOrThrow(files: PackageFiles, path: PackagePath): Uint8Array {
  const bytes = files.get(path);
  if (!bytes)
    throw new PackageError('package.missing-file', `the package has no ${path}`, { path });
  return bytes;
}

/** A package that must not be used. Every code is stable; none is worth a retry with the same bytes. */
export class PackageError extends RatchetError {
  constructor(
    code: PackageErrorCode,
    message: string,
    details: Readonly<Record<string, unknown>> = {},
    cause?: unknown,
  ) {
    super(code, message, { details, ...(cause === undefined ? {} : { cause }) });
  }
}

export type PackageErrorCode =
  /** The signature is not one of a trusted key over these manifest bytes. */
  | 'package.signature'
  /** Signed, but a package of another model, version or digest than asked for. */
  | 'package.mismatch'
  /** The manifest is not one of a format this version reads. */
  | 'package.manifest'
  | 'package.missing-file'
  | 'package.extra-file'
  | 'package.size'
  | 'package.digest'
  /** A graph that refers to other files or to operators outside the ONNX standard. */
  | 'package.unsafe-graph'
  /** A listed JSON file that is not what its schema says. */
  | 'package.content'
  /** A model of classes that does not say what the training part's classes were. */
  | 'package.classes'
  /** Golden probes do not come out as recorded on this machine. */
  | 'package.probe'
  /** The feature set of this release is not the one that the model was trained on. */
  | 'package.features-changed'
  /** The exported graph does not compute what the trained model computed. */
  | 'package.not-equal'
  /** The evaluator that the graph names and onnxruntime do not agree. */
  | 'package.evaluator';
