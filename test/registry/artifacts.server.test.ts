import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openArtifactStore } from '../../registry/artifacts.ts';
import {
  newPackageKey,
  packageKeysFrom,
  type PackageKeys,
} from '../../registry/artifacts-encrypted.ts';
import { describeArtifactStore } from '../conformance/artifact-store.ts';
import { freePort } from '../support/server-process.ts';
import { skipS3, startS3, type TestS3 } from '../support/s3.ts';

async function flipBit(path: string): Promise<void> {
  const bytes = await readFile(path);
  bytes[3]! ^= 0b100;
  await writeFile(path, bytes);
}

const folders: string[] = [];
let s3: Promise<TestS3> | undefined;
after(async () => {
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
  await (await s3)?.stop();
});

async function stateDir(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ratchet-artifacts-'));
  folders.push(folder);
  return folder;
}

describeArtifactStore('directory', async () => {
  const folder = await stateDir();
  return {
    store: openArtifactStore({ s3: undefined, stateDir: folder }),
    corrupt: (sha) => flipBit(join(folder, 'artifacts', 'cas', sha.slice(0, 2), sha)),
  };
});

describeArtifactStore(
  's3',
  async () => {
    const server = await (s3 ??= startS3());
    return {
      store: openArtifactStore({ s3: server, stateDir: '/nowhere' }),
      corrupt: (sha) => flipBit(join(server.objectsDir, 'cas', sha)),
    };
  },
  { skip: skipS3 },
);

const keys = packageKeysFrom(newPackageKey('first'));

describeArtifactStore('directory, encrypted', async () => {
  const folder = await stateDir();
  return {
    store: openArtifactStore({ s3: undefined, stateDir: folder, packageKeys: keys }),
    corrupt: (sha) => flipBit(join(folder, 'artifacts', 'cas', sha.slice(0, 2), sha)),
  };
});

describeArtifactStore(
  's3, encrypted',
  async () => {
    const server = await (s3 ??= startS3());
    return {
      store: openArtifactStore({ s3: server, stateDir: '/nowhere', packageKeys: keys }),
      corrupt: (sha) => flipBit(join(server.objectsDir, 'cas', sha)),
    };
  },
  { skip: skipS3 },
);

/** One store opened without keys, with them, and with other ones; and what lies in it. */
async function threeWays(kind: 'directory' | 's3') {
  const stateDirectory = await stateDir();
  const server = kind === 's3' ? await (s3 ??= startS3()) : undefined;
  const open = (packageKeys?: PackageKeys) =>
    openArtifactStore({ s3: server, stateDir: stateDirectory, packageKeys });
  const stored = (sha: string) =>
    readFile(
      server
        ? join(server.objectsDir, 'cas', sha)
        : join(stateDirectory, 'artifacts', 'cas', sha.slice(0, 2), sha),
    );
  return { open, stored };
}

for (const kind of ['directory', 's3'] as const) {
  const skip = kind === 's3' ? skipS3 : false;
  test(
    `${kind}: what lay there unencrypted stays readable and is encrypted when put again`,
    { skip },
    async () => {
      const { open, stored } = await threeWays(kind);
      const text = Buffer.from(`older than encryption, ${kind}`);
      const ref = await open().put(text);
      assert.deepEqual(Buffer.from(await open(keys).get(ref)), text);
      assert.equal((await stored(ref.sha256)).includes('older'), true);
      assert.deepEqual(await open(keys).put(text), ref);
      assert.equal((await stored(ref.sha256)).includes('older'), false);
      assert.deepEqual(Buffer.from(await open(keys).get(ref)), text);
    },
  );

  test(
    `${kind}: without the key it says which one, and putting does not overwrite`,
    { skip },
    async () => {
      const { open, stored } = await threeWays(kind);
      const text = Buffer.from(`a secret, ${kind}`);
      const ref = await open(keys).put(text);
      const before = await stored(ref.sha256);
      const wrong = packageKeysFrom(newPackageKey('other'));
      for (const store of [open(), open(wrong)]) {
        await assert.rejects(store.get(ref), { code: 'artifact.key', permanent: false });
        await assert.rejects(store.put(text), { code: 'artifact.key' });
      }
      assert.deepEqual(await stored(ref.sha256), before);
    },
  );
}

test('files of the directory store are for their owner only, and nothing half is left', async () => {
  const folder = await stateDir();
  const store = openArtifactStore({ s3: undefined, stateDir: folder });
  const { sha256 } = await store.put(Buffer.from('private'));
  const path = join(folder, 'artifacts', 'cas', sha256.slice(0, 2), sha256);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await stat(join(folder, 'artifacts'))).mode & 0o777, 0o700);
  assert.deepEqual(await readdir(join(folder, 'artifacts', 'tmp')), []);
});

test('an S3 server that is away is an error that a retry may help, not a missing artifact', async () => {
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  const settings = { endpoint, accessKey: 'a', secretKey: 'b', bucket: 'ratchet' };
  const store = openArtifactStore({ s3: settings, stateDir: '/nowhere' });
  const sha256 = 'c'.repeat(64);
  await assert.rejects(store.ping(), { code: 'ECONNREFUSED' });
  await assert.rejects(store.get({ uri: `cas/${sha256}`, sha256 }), { code: 'ECONNREFUSED' });
  await assert.rejects(store.has(sha256), { code: 'ECONNREFUSED' });
});

test('a store that comes back is used again', { skip: skipS3 }, async () => {
  const server = await (s3 ??= startS3());
  const store = openArtifactStore({ s3: server, stateDir: '/nowhere' });
  await server.kill();
  await assert.rejects(store.put(Buffer.from('too early')));
  await server.restart();
  const ref = await store.put(Buffer.from('later'));
  assert.equal(Buffer.from(await store.get(ref)).toString(), 'later');
});
