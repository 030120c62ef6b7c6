import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { RatchetError } from '../../core/errors.ts';
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import { openArtifactStore } from '../../registry/artifacts.ts';
import {
  newPackageKey,
  packageKeysFrom,
  sealingWith,
  type PackageKeys,
} from '../../registry/artifacts-encrypted.ts';
import { openPackageCache } from '../../registry/package-cache.ts';
import { loadPackage, storePackage } from '../../registry/packages.ts';
import { expectedOf, makePackage, testKeys } from '../support/model-package.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { skipS3, startS3, type TestS3 } from '../support/s3.ts';
import { uniformBy } from '../support/lstm-network.ts';

const FLIPS = 40;
const built = await makePackage();
const expected = expectedOf(built);
const keys = packageKeysFrom(newPackageKey('first'));
/** Words of the plain files; none may be found in anything at rest. */
const TELLTALES = ['featureNames', 'index-gspc', 'onnx', 'windows'];

let database: TestDatabase;
let root: string;
let s3: TestS3 | undefined;

before(async () => {
  database = await openTestDatabase();
  root = await mkdtemp(join(tmpdir(), 'ratchet-encrypted-'));
  if (skipS3 === false) s3 = await startS3();
});
after(async () => {
  await database.close();
  await s3?.stop();
  await rm(root, { recursive: true, force: true });
});

const storeWith = (packageKeys: PackageKeys | undefined): ArtifactStore =>
  openArtifactStore({ s3, stateDir: root, packageKeys });
const cacheIn = (name: string, packageKeys: PackageKeys | undefined) =>
  openPackageCache(join(root, name), sealingWith(packageKeys));

const load = async (
  artifacts: Pick<ArtifactStore, 'get'>,
  cache: Awaited<ReturnType<typeof cacheIn>>,
  onCacheProblem?: (error: unknown) => void,
) =>
  loadPackage({ db: database.db, artifacts }, expected, testKeys, {
    cache,
    ...(onCacheProblem ? { onCacheProblem } : {}),
  });

const away: Pick<ArtifactStore, 'get'> = {
  get: () => Promise.reject(new RatchetError('artifact.unreachable', 'the store is down')),
};

async function assertUnreadable(file: string): Promise<void> {
  const bytes = await readFile(file);
  for (const word of TELLTALES) assert.equal(bytes.includes(word), false, `${word} in ${file}`);
}

test('a package lies encrypted in the store and on the replica, and serves from both', async () => {
  await storePackage(database.db, storeWith(keys), built.files);
  if (s3) {
    const folder = join(s3.objectsDir, 'cas');
    for (const name of await readdir(folder)) await assertUnreadable(join(folder, name));
  }
  const cache = await cacheIn('cache', keys);
  const loaded = await load(storeWith(keys), cache);
  assert.equal(loaded.packageDigest, built.packageDigest);
  const folder = join(root, 'cache', built.packageDigest);
  const names = await readdir(folder);
  assert.deepEqual(names.sort(), [...built.files.keys()].sort());
  for (const name of names) await assertUnreadable(join(folder, name));
  const offline = await load(away, cache);
  assert.deepEqual([...offline.model], [...built.files.get('model.onnx')!]);
});

test('without the key nothing serves, nothing is thrown away, and it serves once the key is there', async () => {
  await storePackage(database.db, storeWith(keys), built.files);
  await load(storeWith(keys), await cacheIn('rotated', keys));
  for (const wrong of [undefined, packageKeysFrom(newPackageKey('other'))]) {
    const problems: unknown[] = [];
    const attempt = load(storeWith(wrong), await cacheIn('rotated', wrong), (problem) =>
      problems.push(problem),
    );
    await assert.rejects(attempt, { code: 'artifact.key' });
    assert.equal((problems[0] as RatchetError).code, 'artifact.key');
  }
  const offline = await load(away, await cacheIn('rotated', keys));
  assert.equal(offline.packageDigest, built.packageDigest);
});

test(`${FLIPS} bit flips in the encrypted cache: refused without the store, fetched anew with it`, async () => {
  const cache = await cacheIn('flips', keys);
  const uniform = uniformBy('encrypted flips');
  await storePackage(database.db, storeWith(keys), built.files);
  for (let i = 0; i < FLIPS; i++) {
    await cache.write(built.packageDigest, built.files);
    const folder = join(root, 'flips', built.packageDigest);
    const names = await readdir(folder);
    const file = join(folder, names[i % names.length]!);
    const bytes = await readFile(file);
    const at = Math.floor(uniform() * bytes.length * 8);
    bytes[at >> 3]! ^= 1 << (at & 7);
    await writeFile(file, bytes);
    await assert.rejects(load(away, cache), { code: 'artifact.unreachable' }, `${file} bit ${at}`);
    const healed = await load(storeWith(keys), cache);
    assert.equal(healed.packageDigest, built.packageDigest);
  }
});

test('an encrypted file under the name of another is refused', async () => {
  const cache = await cacheIn('swapped', keys);
  await cache.write(built.packageDigest, built.files);
  const folder = join(root, 'swapped', built.packageDigest);
  await writeFile(join(folder, 'card.md'), await readFile(join(folder, 'golden.json')));
  await assert.rejects(cache.read(built.packageDigest), { code: 'artifact.corrupt' });
});

test('packages cached before there were keys serve, and their next copy is encrypted', async () => {
  const plain = await cacheIn('older', undefined);
  await plain.write(built.packageDigest, built.files);
  const cache = await cacheIn('older', keys);
  assert.equal((await load(away, cache)).packageDigest, built.packageDigest);
  await cache.write(built.packageDigest, built.files);
  await assertUnreadable(join(root, 'older', built.packageDigest, 'preprocessing.json'));
});
