import assert from 'node:assert/strict';
import { mkdir, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openSession } from '../../core/onnx/session.impl.ts';
import type { PackagePath } from '../../core/packages/files.ts';
import { sha256Hex } from '../../core/packages/files.ts';
import { predict } from '../../core/predict/index.ts';
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import { CACHED_PACKAGES_MAX, openPackageCache } from '../../registry/package-cache.ts';
import type { PackageCache } from '../../registry/package-cache.ts';
import { storePackage } from '../../registry/packages.ts';
import { expectedOf, makePackage } from '../support/model-package.ts';
import { flip, openPackageScene, spy, testBitFlips } from '../support/package-scene.ts';
import type { PackageScene, Store } from '../support/package-scene.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { syntheticBars } from '../support/synthetic-bars.ts';

const built = await makePackage();
let scene: PackageScene;
let database: TestDatabase;
let root: string;
let artifacts: ArtifactStore;
let cache: PackageCache;

before(async () => {
  scene = await openPackageScene(built);
  ({ database, root, artifacts, cache } = scene);
});
after(() => scene.close());

test('the package as it is serves', async () => {
  const { opened, openSession: opener } = spy();
  const pkg = await scene.serve(opener);
  assert.equal(opened(), 2, 'both graphs are opened');
  await pkg.release();
});

testBitFlips(built, () => scene);

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
    const pkg = await scene.serve(openSession, { cache });
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
    ['swapped', scene.lying(digestOf('model.onnx'), () => built.files.get('model-mc.onnx')!)],
    [
      'of another version',
      scene.lying(digestOf('model.onnx'), () => other.files.get('model.onnx')!),
    ],
    ['cut', scene.lying(digestOf('golden.json'), (bytes) => bytes.subarray(0, bytes.length >> 1))],
    ['longer', scene.lying(digestOf('card.md'), (bytes) => Buffer.concat([bytes, Buffer.of(10)]))],
    ['empty', scene.lying(digestOf('model-mc.onnx'), () => new Uint8Array(0))],
  ];
  for (const [words, store] of cases) {
    await scene.assertRefused({ store }, /^package\.(size|digest)$/, words);
  }
  const manifest = () => other.files.get('manifest.json')!;
  const store = scene.lying(built.packageDigest, manifest);
  await scene.assertRefused({ store }, /^package\.signature$/, 'manifest of another version');
});

test('an old manifest, signed and whole, is refused for a newer version', async () => {
  const old = await makePackage({ seed: 'old' });
  await storePackage(database.db, artifacts, old.files);
  const wanted = { ...expectedOf(old), version: 2 };
  await scene.assertRefused({ wanted }, /^package\.mismatch$/, 'version 1 replayed as version 2');
  const model = { ...expectedOf(old), model: 'index-ixic' };
  await scene.assertRefused({ wanted: model }, /^package\.mismatch$/, 'replayed as another model');
});

test('a package that nobody signed here is refused', async () => {
  const unsigned = await makePackage({ seed: 'unsigned' });
  for (const bytes of unsigned.files.values()) await artifacts.put(bytes);
  await scene.assertRefused({ wanted: expectedOf(unsigned) }, /^package\.signature$/, 'unsigned');
});

test('while every load fails, the package that serves keeps answering', async () => {
  const serving = await scene.serve(openSession);
  const bars = syntheticBars(700, { seed: 'serving', instrument: '^GSPC' });
  const ask = () => predict(serving, bars, { asOf: Date.parse('2030-01-02'), confidence: 'mc' });
  const answer = await ask();
  const store = scene.lying(sha256Hex(built.files.get('model.onnx')!), (bytes) =>
    flip(bytes, 12_345),
  );
  await scene.assertRefused({ store }, /^package\.digest$/, 'a damaged successor');
  assert.deepEqual(await ask(), answer);
  await serving.release();
});
