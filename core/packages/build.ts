import { LISTED_PATHS, PACKAGE_PATHS, sha256Hex } from './files.ts';
import type { PackageFiles, PackagePath } from './files.ts';
import { jsonFile } from './json-file.ts';
import type { GoldenProbes, Manifest, Preprocessing } from './manifest.ts';
import { renderCard } from './card.ts';
import type { CardFacts } from './card.ts';
import { storedOutliers } from './outliers.ts';
import type { OutlierReference } from './outliers.ts';
import type { Signer } from './signature.ts';

export interface PackageContent {
  readonly manifest: Omit<Manifest, 'format' | 'files'>;
  /** ONNX bytes. */
  readonly model: Uint8Array;
  readonly monteCarlo?: Uint8Array | undefined;
  /** The family's native file, of which contributions are taken. */
  readonly trees?: Uint8Array | undefined;
  readonly preprocessing: Preprocessing;
  readonly golden: GoldenProbes;
  /** Absent where the training rows give none. */
  readonly outliers?: OutlierReference | undefined;
  /** The evaluation report as JSON; copied as it is. */
  readonly evaluation: unknown;
  readonly card: CardFacts;
}

export interface BuiltPackage {
  readonly files: PackageFiles;
  /** sha256 of manifest.json: names the package. */
  readonly packageDigest: string;
  readonly manifest: Manifest;
}

/**
 * All files of a package, its manifest signed. A pure function: same content and key, same bytes.
 * Throws `package.not-json` when a value is not finite.
 */
export function buildPackage(content: PackageContent, sign: Signer): BuiltPackage {
  const files = new Map<PackagePath, Uint8Array>([
    [PACKAGE_PATHS.model, content.model],
    [PACKAGE_PATHS.preprocessing, jsonFile(content.preprocessing)],
    [PACKAGE_PATHS.golden, jsonFile(content.golden)],
    [PACKAGE_PATHS.evaluation, jsonFile(content.evaluation)],
    [
      PACKAGE_PATHS.card,
      new TextEncoder().encode(renderCard(content.manifest, content.preprocessing, content.card)),
    ],
  ]);
  if (content.trees) files.set(PACKAGE_PATHS.trees, content.trees);
  if (content.monteCarlo) files.set(PACKAGE_PATHS.monteCarlo, content.monteCarlo);
  if (content.outliers) {
    files.set(PACKAGE_PATHS.outliers, jsonFile(storedOutliers(content.outliers)));
  }
  const listed = LISTED_PATHS.flatMap((path) => {
    const bytes = files.get(path);
    return bytes ? [{ path, bytes: bytes.length, sha256: sha256Hex(bytes) }] : [];
  });
  const manifest: Manifest = { ...content.manifest, format: 1, files: listed };
  const manifestBytes = jsonFile(manifest);
  files.set(PACKAGE_PATHS.manifest, manifestBytes);
  files.set(PACKAGE_PATHS.signature, sign(manifestBytes));
  return { files, packageDigest: sha256Hex(manifestBytes), manifest };
}
