import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RatchetError } from '../../core/errors.ts';
import { openSession } from '../../core/onnx/session.impl.ts';
import type { SessionOpener } from '../../core/onnx/session.ts';
import type { BuiltPackage } from '../../core/packages/build.ts';
import { PACKAGE_PATHS, sha256Hex } from '../../core/packages/files.ts';
import type { OpenedPackage } from '../../core/predict/index.ts';
import { openMonteCarlo, openPackage } from '../../core/predict/index.ts';
import { openDirectoryStore } from '../../registry/artifacts-directory.ts';
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import { openPackageCache } from '../../registry/package-cache.ts';
import type { PackageCache } from '../../registry/package-cache.ts';
import { loadPackage, storePackage } from '../../registry/packages.ts';
import type { LoadOptions } from '../../registry/packages.ts';
import { uniformBy } from './lstm-network.ts';
import { expectedOf, testKeys } from './model-package.ts';
import { openTestDatabase } from './postgres.ts';
import type { TestDatabase } from './postgres.ts';

/** 20 in `npm test`, 200 in `npm run test:faults`. */
const FLIPS = process.env['RATCHET_TEST_FULL'] === '1' ? 200 : 20;

export interface Store {
  readonly get: ArtifactStore['get'];
}

/** Which store, cache and version a replica asks for. */
export type ServeOptions = LoadOptions & {
  readonly store?: Store;
  readonly wanted?: ReturnType<typeof expectedOf>;
};

/** A package in a real database and artifact store, with a replica's cache beside them. */
export interface PackageScene {
  readonly database: TestDatabase;
  readonly root: string;
  readonly artifacts: ArtifactStore;
  readonly cache: PackageCache;
  /** What a replica does to serve a version: load, verify, open, probe. */
  serve(opener: SessionOpener, options?: ServeOptions): Promise<OpenedPackage>;
  /** That it is refused by one of these codes before native code reads a byte. */
  assertRefused(options: ServeOptions, codes: RegExp, words: string): Promise<void>;
  /** A store that gives other bytes for one digest: a disk that lies, a proxy that cuts. */
  lying(digest: string, change: (bytes: Uint8Array) => Uint8Array): Store;
  close(): Promise<void>;
}

/** Counts every byte range that native code would have read. */
export function spy(): { readonly opened: () => number; readonly openSession: SessionOpener } {
  let opened = 0;
  return {
    opened: () => opened,
    openSession: (bytes, options) => {
      opened++;
      return openSession(bytes, options);
    },
  };
}

/** The bytes with one bit the other way round. */
export function flip(bytes: Uint8Array, at: number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[at >> 3]! ^= 1 << (at & 7);
  return changed;
}

export async function openPackageScene(built: BuiltPackage): Promise<PackageScene> {
  const database = await openTestDatabase();
  const root = await mkdtemp(join(tmpdir(), 'ratchet-package-'));
  const artifacts = openDirectoryStore(join(root, 'artifacts'));
  const cache = await openPackageCache(join(root, 'cache'));
  await storePackage(database.db, artifacts, built.files);
  const serve: PackageScene['serve'] = async (opener, options = {}) => {
    const { store = artifacts, wanted = expectedOf(built), ...load } = options;
    const from = { db: database.db, artifacts: store };
    const verified = await loadPackage(from, wanted, testKeys, load);
    return openPackage(verified, { openSession: opener, openMonteCarlo: openMonteCarlo(opener) });
  };
  return {
    database,
    root,
    artifacts,
    cache,
    serve,
    assertRefused: async (options, codes, words) => {
      const { opened, openSession: opener } = spy();
      await assert.rejects(serve(opener, options), (error: unknown) => {
        assert.ok(error instanceof RatchetError, `${words}: ${String(error)}`);
        assert.match(error.code, codes, words);
        return true;
      });
      assert.equal(opened(), 0, `${words}: native code was reached`);
    },
    lying: (digest, change) => ({
      get: async (ref) => {
        const bytes = await artifacts.get(ref);
        return ref.sha256 === digest ? change(Uint8Array.from(bytes)) : bytes;
      },
    }),
    close: async () => {
      await database.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** Runs `use` while the database holds another signature of the package. */
async function withChangedSignature(
  { database }: PackageScene,
  built: BuiltPackage,
  change: (bytes: Uint8Array) => Uint8Array,
  use: () => Promise<void>,
): Promise<void> {
  const write = (bytes: Uint8Array) =>
    database.db
      .updateTable('package_signature')
      .set({ signature: Buffer.from(bytes).toString('base64') })
      .where('package_digest', '=', built.packageDigest)
      .execute();
  const signature = built.files.get(PACKAGE_PATHS.signature)!;
  await write(change(signature));
  try {
    await use();
  } finally {
    await write(signature);
  }
}

interface Flip {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Which bit of the file. */
  readonly at: number;
}

/** Bits of the files in turn, so that each file has one flipped: places are drawn by a seed. */
function flipsOf(seed: string, files: readonly (readonly [string, Uint8Array])[]): Flip[] {
  const uniform = uniformBy(seed);
  return Array.from({ length: Math.max(FLIPS, files.length) }, (_, i) => {
    const [path, bytes] = files[i % files.length]!;
    return { path, bytes, at: Math.floor(uniform() * bytes.length * 8) };
  });
}

/** One test for each place where a bit may turn: in the store's answers, on its disk, in a replica's cache. */
export function testBitFlips(built: BuiltPackage, scene: () => PackageScene): void {
  // Each family has the files that it has: flip bits in all of them, and in no others.
  const all = [...built.files];
  const listed = all.filter(([path]) => path !== PACKAGE_PATHS.signature);

  test(`${FLIPS} bit flips from a store that lies: all refused before native code reads a byte`, async () => {
    const { assertRefused, lying } = scene();
    for (const { path, bytes, at } of flipsOf('flips in the store', all)) {
      const words = `bit ${at} of ${path}`;
      if (path === PACKAGE_PATHS.signature) {
        await withChangedSignature(
          scene(),
          built,
          (signature) => flip(signature, at),
          () => assertRefused({}, /^package\.signature$/, words),
        );
        continue;
      }
      const store = lying(sha256Hex(bytes), (original) => flip(original, at));
      await assertRefused({ store }, /^package\.(signature|digest)$/, words);
    }
  });

  test(`${FLIPS} bit flips on the store's disk: all refused, and healed by storing again`, async () => {
    const { root, database, artifacts, assertRefused } = scene();
    for (const { path, bytes, at } of flipsOf('flips on disk', listed)) {
      const digest = sha256Hex(bytes);
      const file = join(root, 'artifacts', 'cas', digest.slice(0, 2), digest);
      await writeFile(file, flip(bytes, at));
      await assertRefused({}, /^artifact\.corrupt$/, `bit ${at} of ${path} on disk`);
      await storePackage(database.db, artifacts, built.files);
    }
  });

  test(`${FLIPS} bit flips in a replica's cache: never opened, fetched anew, refused without a store`, async () => {
    const { root, cache, serve, assertRefused } = scene();
    const down: Store = {
      get: async () => {
        throw new RatchetError('artifact.unreachable', 'the store is down', { permanent: false });
      },
    };
    for (const { path, bytes, at } of flipsOf('flips in the cache', all)) {
      const words = `bit ${at} of cached ${path}`;
      const cached = join(root, 'cache', built.packageDigest, path);
      const damage = async () => {
        await cache.write(built.packageDigest, built.files);
        await writeFile(cached, flip(bytes, at));
      };
      await damage();
      await assertRefused({ cache, store: down }, /^artifact\.unreachable$/, words);
      await damage();
      const problems: unknown[] = [];
      const onCacheProblem = (error: unknown) => problems.push(error);
      const pkg = await serve(openSession, { cache, onCacheProblem });
      await pkg.release();
      assert.equal(problems.length, 1, words);
      assert.match((problems[0] as RatchetError).code, /^package\.(signature|digest)$/);
      assert.deepEqual(await readFile(cached), Buffer.from(bytes));
    }
  });
}
