import { randomUUID } from 'node:crypto';
import { access, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  checkedDigest,
  isDigest,
  isPlainOf,
  missing,
  referenceTo,
  verified,
} from './artifact-content.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { isWhole, sealingWith, type Sealing } from './artifacts-encrypted.ts';

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/**
 * Artifacts as files `cas/<aa>/<sha256>` under `root`, for one machine without an S3 server. A file
 * appears under its name only when all of it is on the disk (temporary file, fsync, rename, fsync
 * of the folder), so a crash leaves no half artifact.
 */
export function openDirectoryStore(
  root: string,
  sealing: Sealing = sealingWith(undefined),
): ArtifactStore {
  const pathOf = (sha256: string): string => join(root, 'cas', sha256.slice(0, 2), sha256);
  return {
    kind: 'directory',
    async put(bytes, rows) {
      const ref = referenceTo(bytes, rows);
      const path = pathOf(ref.sha256);
      if (!(await holds(path, ref.sha256, sealing))) {
        await publish(root, path, sealing.seal(bytes, ref.uri));
      }
      return ref;
    },
    async get(ref) {
      const sha256 = checkedDigest(ref);
      const stored = await readOrUndefined(pathOf(sha256));
      if (!stored) throw missing(sha256);
      return verified(sealing.open(stored, ref.uri, isPlainOf(sha256)), sha256);
    },
    async has(sha256) {
      if (!isDigest(sha256)) return false;
      return access(pathOf(sha256)).then(
        () => true,
        (error: unknown) => {
          if (isNotFound(error)) return false;
          throw error;
        },
      );
    },
    async ping() {
      await mkdir(root, { recursive: true, mode: DIRECTORY_MODE });
      const probe = join(root, `.probe-${randomUUID()}`);
      await writeFile(probe, '', { mode: FILE_MODE });
      await rm(probe);
    },
  };
}

/**
 * A file that rotted on the disk, or is not encrypted as it would be now, does not count: putting the bytes
 * again heals it. Throws `artifact.key` where its key is not here: it may be whole.
 */
async function holds(path: string, sha256: string, sealing: Sealing): Promise<boolean> {
  const stored = await readOrUndefined(path);
  return stored !== undefined && isWhole(stored, sha256, sealing);
}

async function publish(root: string, path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  const temporary = join(root, 'tmp', randomUUID());
  await mkdir(folder, { recursive: true, mode: DIRECTORY_MODE });
  await mkdir(dirname(temporary), { recursive: true, mode: DIRECTORY_MODE });
  try {
    const file = await open(temporary, 'wx', FILE_MODE);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

/** The rename itself is durable only when the folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function readOrUndefined(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function isNotFound(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
