import assert from 'node:assert/strict';
import {
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { RatchetError } from '../../core/errors.ts';
import { openSession } from '../../core/onnx/session.impl.ts';
import type { SessionOpener } from '../../core/onnx/session.ts';
import { PACKAGE_PATHS, sha256Hex } from '../../core/packages/files.ts';
import type { PackagePath } from '../../core/packages/files.ts';
import { openMonteCarlo, openPackage, predict } from '../../core/predict/index.ts';
import { openDirectoryStore } from '../../registry/artifacts-directory.ts';
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import { CACHED_PACKAGES_MAX, openPackageCache } from '../../registry/package-cache.ts';
import type { PackageCache } from '../../registry/package-cache.ts';
import { loadPackage, storePackage } from '../../registry/packages.ts';
import type { LoadOptions } from '../../registry/packages.ts';
import { uniformBy } from '../support/lstm-network.ts';
import { expectedOf, makePackage, testKeys } from '../support/model-package.ts';
import { openTestDatabase } from '../support/postgres.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { syntheticBars } from '../support/synthetic-bars.ts';

/** 20 in `npm test`, 200 in `npm run test:faults`. */
const FLIPS = process.env['RATCHET_TEST_FULL'] === '1' ? 200 : 20;
const built = await makePackage();
// A network's package has no file of a tree library.
const PATHS = Object.values(PACKAGE_PATHS).filter((path) => built.files.has(path));
const expected = expectedOf(built);
let database: TestDatabase;
let root: string;
let artifacts: ArtifactStore;
let cache: PackageCache;

before(async () => {
  database = await openTestDatabase();
  root = await mkdtemp(join(tmpdir(), 'ratchet-package-'));
  artifacts = openDirectoryStore(join(root, 'artifacts'));
  cache = await openPackageCache(join(root, 'cache'));
  await storePackage(database.db, artifacts, built.files);
});
after(async () => {
  await database.close();
  await rm(root, { recursive: true, force: true });
});

/** Counts every byte range that native code would have read. */
function spy(): { readonly opened: () => number; readonly openSession: SessionOpener } {
  let opened = 0;
  return {
    opened: () => opened,
    openSession: (bytes, options) => {
      opened++;
      return openSession(bytes, options);
    },
  };
}

interface Store {
  readonly get: ArtifactStore['get'];
}

/** What a replica does to serve a version: load, verify, open, probe. */
async function serve(
  opener: SessionOpener,
  options: LoadOptions & { store?: Store; wanted?: typeof expected } = {},
) {
  const { store = artifacts, wanted = expected, ...load } = options;
  const verified = await loadPackage({ db: database.db, artifacts: store }, wanted, testKeys, load);
  return openPackage(verified, {
    openSession: opener,
    openMonteCarlo: openMonteCarlo(opener),
  });
}

async function assertRefused(
  options: Parameters<typeof serve>[1],
  codes: RegExp,
  words: string,
): Promise<void> {
  const { opened, openSession: opener } = spy();
  await assert.rejects(serve(opener, options), (error: unknown) => {
    assert.ok(error instanceof RatchetError, `${words}: ${String(error)}`);
    assert.match(error.code, codes, words);
    return true;
  });
  assert.equal(opened(), 0, `${words}: native code was reached`);
}

/** A store that gives other bytes for one digest: a disk that lies, a proxy that cuts. */
const lying = (digest: string, change: (bytes: Uint8Array) => Uint8Array): Store => ({
  get: async (ref) => {
    const bytes = await artifacts.get(ref);
    return ref.sha256 === digest ? change(Uint8Array.from(bytes)) : bytes;
  },
});

function flip(bytes: Uint8Array, at: number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[at >> 3]! ^= 1 << (at & 7);
  return changed;
}

async function withChangedSignature(
  change: (bytes: Uint8Array) => Uint8Array,
  use: () => Promise<void>,
) {
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

test('the package as it is serves', async () => {
  const { opened, openSession: opener } = spy();
  const pkg = await serve(opener);
  assert.equal(opened(), 2, 'both graphs are opened');
  await pkg.release();
});

test(`${FLIPS} bit flips from a store that lies: all refused before native code reads a byte`, async () => {
  const uniform = uniformBy('flips in the store');
  for (let i = 0; i < FLIPS; i++) {
    const path = PATHS[i % PATHS.length]!;
    const bytes = built.files.get(path)!;
    const at = Math.floor(uniform() * bytes.length * 8);
    const words = `bit ${at} of ${path}`;
    if (path === PACKAGE_PATHS.signature) {
      await withChangedSignature(
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
  const uniform = uniformBy('flips on disk');
  const listed = PATHS.filter((path) => path !== PACKAGE_PATHS.signature);
  for (let i = 0; i < FLIPS; i++) {
    const path = listed[i % listed.length]!;
    const bytes = built.files.get(path)!;
    const digest = sha256Hex(bytes);
    const file = join(root, 'artifacts', 'cas', digest.slice(0, 2), digest);
    const at = Math.floor(uniform() * bytes.length * 8);
    await writeFile(file, flip(bytes, at));
    await assertRefused({}, /^artifact\.corrupt$/, `bit ${at} of ${path} on disk`);
    await storePackage(database.db, artifacts, built.files);
  }
});

test(`${FLIPS} bit flips in a replica's cache: never opened, fetched anew, refused without a store`, async () => {
  const uniform = uniformBy('flips in the cache');
  const down: Store = {
    get: async () => {
      throw new RatchetError('artifact.unreachable', 'the store is down', { permanent: false });
    },
  };
  for (let i = 0; i < FLIPS; i++) {
    const path = PATHS[i % PATHS.length]!;
    const bytes = built.files.get(path)!;
    const at = Math.floor(uniform() * bytes.length * 8);
    const words = `bit ${at} of cached ${path}`;
    const damage = () => writeFile(join(root, 'cache', built.packageDigest, path), flip(bytes, at));
    await cache.write(built.packageDigest, built.files);
    await damage();
    await assertRefused({ cache, store: down }, /^artifact\.unreachable$/, words);
    await cache.write(built.packageDigest, built.files);
    await damage();
    const problems: unknown[] = [];
    const onCacheProblem = (error: unknown) => problems.push(error);
    const pkg = await serve(openSession, { cache, onCacheProblem });
    await pkg.release();
    assert.equal(problems.length, 1, words);
    assert.match((problems[0] as RatchetError).code, /^package\.(signature|digest)$/);
    assert.deepEqual(
      await readFile(join(root, 'cache', built.packageDigest, path)),
      Buffer.from(bytes),
    );
  }
});

test('a cache file that is a link, missing, cut or joined by another is not served', async () => {
  const folder = join(root, 'cache', built.packageDigest);
  const secret = join(root, 'secret');
  await writeFile(secret, 'not for serving');
  const damages: [string, () => Promise<void>][] = [
    [
      'cut',
      () => writeFile(join(folder, 'model.onnx'), built.files.get('model.onnx')!.subarray(9)),
    ],
    ['missing', () => rm(join(folder, 'golden.json'))],
    [
      'a link',
      async () => {
        await rm(join(folder, 'card.md'));
        await symlink(secret, join(folder, 'card.md'));
      },
    ],
  ];
  for (const [words, damage] of damages) {
    await cache.write(built.packageDigest, built.files);
    await damage();
    const pkg = await serve(openSession, { cache });
    assert.equal(pkg.verified.packageDigest, built.packageDigest, words);
    await pkg.release();
  }
  await cache.write(built.packageDigest, built.files);
  await writeFile(join(folder, 'model.bin'), 'whatever');
  const files = await cache.read(built.packageDigest);
  assert.deepEqual([...files!.keys()].sort(), [...built.files.keys()].sort());
  await assert.rejects(cache.read('../artifacts'), { code: 'package.digest' });
  await assert.rejects(cache.read(`${built.packageDigest}/..`), { code: 'package.digest' });
});

test('cached files are private and nothing temporary stays', async () => {
  await cache.write(built.packageDigest, built.files);
  assert.equal((await stat(join(root, 'cache'))).mode & 0o777, 0o700);
  const folder = join(root, 'cache', built.packageDigest);
  for (const name of await readdir(folder)) {
    assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600, name);
  }
  await Promise.all(Array.from({ length: 8 }, () => cache.write(built.packageDigest, built.files)));
  const left = (await readdir(join(root, 'cache'))).filter((name) => name.startsWith('.tmp'));
  assert.deepEqual(left, []);
  assert.equal((await cache.read(built.packageDigest))!.size, built.files.size);
});

test('the cache keeps a bounded number of packages, those read last', async () => {
  const small = await openPackageCache(join(root, 'bounded'));
  const digest = (n: number) => n.toString(16).padStart(64, '0');
  const files = new Map([['card.md' as const, Uint8Array.of(1)]]);
  const long = new Date('2020-01-01');
  for (let n = 0; n < CACHED_PACKAGES_MAX; n++) {
    await mkdir(join(root, 'bounded', digest(n)));
    await utimes(join(root, 'bounded', digest(n)), long, new Date(long.getTime() + n * 1000));
  }
  await small.read(digest(0));
  await small.write(digest(CACHED_PACKAGES_MAX), files);
  assert.equal((await readdir(join(root, 'bounded'))).length, CACHED_PACKAGES_MAX);
  assert.ok(await small.read(digest(0)), 'read a moment ago');
  assert.equal(await small.read(digest(1)), undefined, 'not read for longest');
  assert.equal((await small.read(digest(CACHED_PACKAGES_MAX)))!.size, 1);
});

test('swapped files, a cut body and a stale object are refused', async () => {
  const other = await makePackage({ seed: 'other', version: 2 });
  await storePackage(database.db, artifacts, other.files);
  const digestOf = (path: PackagePath) => sha256Hex(built.files.get(path)!);
  const cases: [string, Store][] = [
    ['swapped', lying(digestOf('model.onnx'), () => built.files.get('model-mc.onnx')!)],
    ['of another version', lying(digestOf('model.onnx'), () => other.files.get('model.onnx')!)],
    ['cut', lying(digestOf('golden.json'), (bytes) => bytes.subarray(0, bytes.length >> 1))],
    ['longer', lying(digestOf('card.md'), (bytes) => Buffer.concat([bytes, Buffer.of(10)]))],
    ['empty', lying(digestOf('model-mc.onnx'), () => new Uint8Array(0))],
  ];
  for (const [words, store] of cases) {
    await assertRefused({ store }, /^package\.(size|digest)$/, words);
  }
  const manifest = () => other.files.get('manifest.json')!;
  const store = lying(built.packageDigest, manifest);
  await assertRefused({ store }, /^package\.signature$/, 'manifest of another version');
});

test('an old manifest, signed and whole, is refused for a newer version', async () => {
  const old = await makePackage({ seed: 'old' });
  await storePackage(database.db, artifacts, old.files);
  const wanted = { ...expectedOf(old), version: 2 };
  await assertRefused({ wanted }, /^package\.mismatch$/, 'version 1 replayed as version 2');
  const model = { ...expectedOf(old), model: 'index-ixic' };
  await assertRefused({ wanted: model }, /^package\.mismatch$/, 'replayed as another model');
});

test('a package that nobody signed here is refused', async () => {
  const unsigned = await makePackage({ seed: 'unsigned' });
  for (const bytes of unsigned.files.values()) await artifacts.put(bytes);
  await assertRefused({ wanted: expectedOf(unsigned) }, /^package\.signature$/, 'unsigned');
});

test('while every load fails, the package that serves keeps answering', async () => {
  const serving = await serve(openSession);
  const bars = syntheticBars(700, { seed: 'serving', instrument: '^GSPC' });
  const ask = () => predict(serving, bars, { asOf: Date.parse('2030-01-02'), confidence: 'mc' });
  const answer = await ask();
  const store = lying(sha256Hex(built.files.get('model.onnx')!), (bytes) => flip(bytes, 12_345));
  await assertRefused({ store }, /^package\.digest$/, 'a damaged successor');
  assert.deepEqual(await ask(), answer);
  await serving.release();
});
