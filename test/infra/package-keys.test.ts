import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readConfig } from '../../infra/config.ts';
import { readPackageKeys } from '../../infra/package-keys.ts';
import { environmentFor } from '../../infra/stack/environment.ts';
import { ensureKeys, keyFilesOf } from '../../infra/stack/identity.ts';
import { layoutOf, makeFolders } from '../../infra/stack/layout.ts';
import { newPackageKey } from '../../registry/artifacts-encrypted.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ratchet-package-keys-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const ports = {} as Parameters<typeof environmentFor>[1];
const secrets = {} as Parameters<typeof environmentFor>[2];

test('a stack makes a package key only when it is asked, once, and hands it to its processes', async () => {
  const layout = layoutOf(join(folder, 'stack'));
  makeFolders(layout);
  ensureKeys(layout);
  const { packages } = keyFilesOf(layout);
  assert.equal(existsSync(packages), false);
  assert.deepEqual(environmentFor(layout, ports, secrets, new Set()), {
    RATCHET_STATE: layout.stateDir,
  });
  ensureKeys(layout, { packages: true });
  const first = await readFile(packages, 'utf8');
  assert.equal((await stat(packages)).mode & 0o777, 0o600);
  ensureKeys(layout, { packages: true });
  ensureKeys(layout);
  assert.equal(await readFile(packages, 'utf8'), first);
  const env = environmentFor(layout, ports, secrets, new Set());
  const keys = readPackageKeys(readConfig(env));
  assert.equal(keys?.current, 'first');
});

test('asking is off by default', () => {
  assert.equal(readConfig({}).makePackageKey, false);
  assert.equal(readConfig({ RATCHET_PACKAGE_ENCRYPTION: 'on' }).makePackageKey, true);
  assert.equal(readPackageKeys(readConfig({})), undefined);
});

test('keys come from a file or from the environment itself, not from both', async () => {
  const file = join(folder, 'packages.key');
  await writeFile(file, newPackageKey('second') + newPackageKey('first'));
  const fromFile = readPackageKeys(readConfig({ RATCHET_PACKAGE_KEY_FILE: file }));
  assert.deepEqual([...fromFile!.byId.keys()], ['second', 'first']);
  const text = `${newPackageKey('b').trim()},${newPackageKey('a').trim()}`;
  assert.equal(readPackageKeys(readConfig({ RATCHET_PACKAGE_KEYS: text }))?.current, 'b');
  const both = { RATCHET_PACKAGE_KEY_FILE: file, RATCHET_PACKAGE_KEYS: text };
  assert.throws(() => readPackageKeys(readConfig(both)), { code: 'config.package-keys' });
});

test('a file that is not there or holds no key stops the start', async () => {
  const missing = { RATCHET_PACKAGE_KEY_FILE: join(folder, 'none') };
  assert.throws(() => readPackageKeys(readConfig(missing)), {
    code: 'config.package-keys',
    message: /RATCHET_PACKAGE_KEY_FILE/,
  });
  const file = join(folder, 'empty.key');
  await writeFile(file, '\n');
  assert.throws(() => readPackageKeys(readConfig({ RATCHET_PACKAGE_KEY_FILE: file })), {
    code: 'config.package-keys',
  });
});
