import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { RatchetError } from '../core/errors.ts';
import { PACKAGE_FILE_BYTES_MAX, isPackagePath } from '../core/packages/files.ts';
import type { PackageFiles, PackagePath } from '../core/packages/files.ts';
import { sealingWith, type Sealing } from './artifacts-encrypted.ts';

/** Packages kept; those that were not read for longest go first. One of the full LSTM has 0.9 MB. */
export const CACHED_PACKAGES_MAX = 256;

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/**
 * Packages on this machine's disk, `<dir>/<packageDigest>/<file>`: a replica starts and serves from them
 * while the artifact store is away. Nothing in here is trusted: whoever reads verifies.
 */
export interface PackageCache {
  /** The files that lie under a digest, undefined when it is not here. */
  read(packageDigest: string): Promise<PackageFiles | undefined>;
  /** Durable when it resolves; all files appear at once or none. */
  write(packageDigest: string, files: PackageFiles): Promise<void>;
  discard(packageDigest: string): Promise<void>;
}

const DIGEST_PATTERN = /^[0-9a-f]{64}$/;

/** What a cached file's encryption is bound to. */
const addressOf = (digest: string, path: string): string => `packages/${digest}/${path}`;

const isNotFound = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Reads one file; a symbolic link in its place is refused, so that it cannot name another file. */
async function readFileNoFollow(path: string): Promise<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { size } = await file.stat();
    if (size > PACKAGE_FILE_BYTES_MAX) {
      throw new RatchetError('package.size', `${path} has ${size} bytes`);
    }
    return await file.readFile();
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function writeFileDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', FILE_MODE);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Renames a folder into place. Where another process was faster its folder stays: same digest. */
async function publish(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}

/** Folders in excess of the limit, least recently read first. */
async function excess(dir: string): Promise<string[]> {
  const digests = (await readdir(dir)).filter((name) => DIGEST_PATTERN.test(name));
  if (digests.length <= CACHED_PACKAGES_MAX) return [];
  const read = await Promise.all(
    digests.map(async (digest) => ({ digest, at: (await stat(join(dir, digest))).mtimeMs })),
  );
  read.sort((a, b) => a.at - b.at);
  return read.slice(0, digests.length - CACHED_PACKAGES_MAX).map(({ digest }) => digest);
}

/** Opens (and creates, 0700) the cache directory. `sealing`: how its files are encrypted. */
export async function openPackageCache(
  dir: string,
  sealing: Sealing = sealingWith(undefined),
): Promise<PackageCache> {
  await mkdir(dir, { recursive: true, mode: DIRECTORY_MODE });
  const pathOf = (digest: string): string => {
    if (DIGEST_PATTERN.test(digest)) return join(dir, digest);
    throw new RatchetError('package.digest', `${JSON.stringify(digest)} is not a package's digest`);
  };
  // Out of the way in one step, so that readers and other writers never see half a folder.
  const discard = async (digest: string): Promise<void> => {
    const aside = join(dir, `.tmp-${randomUUID()}`);
    try {
      await rename(pathOf(digest), aside);
    } catch (error) {
      if (isNotFound(error)) return;
      throw error;
    }
    await rm(aside, { recursive: true, force: true });
  };
  return {
    async read(digest) {
      const folder = pathOf(digest);
      try {
        const files = new Map<PackagePath, Uint8Array>();
        for (const name of await readdir(folder)) {
          if (!isPackagePath(name)) continue;
          const stored = await readFileNoFollow(join(folder, name));
          files.set(name, sealing.open(stored, addressOf(digest, name)));
        }
        const now = new Date();
        await utimes(folder, now, now);
        return files;
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    async write(digest, files) {
      const temporary = join(dir, `.tmp-${randomUUID()}`);
      try {
        await mkdir(temporary, { mode: DIRECTORY_MODE });
        for (const [path, bytes] of files) {
          const sealed = sealing.seal(bytes, addressOf(digest, path));
          await writeFileDurably(join(temporary, path), sealed);
        }
        await syncDirectory(temporary);
        await discard(digest);
        await publish(temporary, pathOf(digest));
        await syncDirectory(dir);
        for (const oldest of await excess(dir)) await discard(oldest);
      } finally {
        await rm(temporary, { recursive: true, force: true });
      }
    },
    discard,
  };
}
