import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArtifactError, digestOf } from '../../registry/artifact-content.ts';
import { newPackageKey, packageKeysFrom, sealingWith } from '../../registry/artifacts-encrypted.ts';
import { isWhole } from '../../registry/artifacts-encrypted.ts';

const first = newPackageKey('first');
const second = newPackageKey('second');
const sealing = sealingWith(packageKeysFrom(first));
const plain = new TextEncoder().encode('weights that cost a week');
const address = `cas/${digestOf(plain)}`;

const code = (wanted: string, words?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ArtifactError, String(error));
  assert.equal(error.code, wanted);
  if (words) assert.match(error.message, words);
  return true;
};

test('what is sealed opens again, and shows nothing of itself', () => {
  const stored = sealing.seal(plain, address);
  assert.deepEqual(Buffer.from(sealing.open(stored, address)), Buffer.from(plain));
  assert.equal(Buffer.from(stored).includes('weights'), false);
  const empty = sealing.seal(new Uint8Array(0), address);
  assert.equal(sealing.open(empty, address).length, 0);
});

test('the same bytes are sealed differently each time', () => {
  const sealed = Array.from({ length: 50 }, () =>
    Buffer.from(sealing.seal(plain, address)).toString('hex'),
  );
  assert.equal(new Set(sealed).size, 50);
  const nonces = sealed.map((hex) => hex.slice(2 * (8 + 1 + 5), 2 * (8 + 1 + 5 + 12)));
  assert.equal(new Set(nonces).size, 50);
});

test('every single bit that is flipped is refused, and never gives other bytes', () => {
  const stored = Buffer.from(sealing.seal(plain, address));
  for (let bit = 0; bit < stored.length * 8; bit++) {
    const changed = Buffer.from(stored);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    // A changed first byte makes it look like something that was never sealed: its digest tells.
    let opened: Uint8Array | undefined;
    try {
      opened = sealing.open(changed, address);
    } catch (error) {
      assert.ok(error instanceof ArtifactError && /corrupt|key/.test(error.code), `bit ${bit}`);
    }
    if (opened) assert.notEqual(`cas/${digestOf(opened)}`, address, `bit ${bit}`);
    if (opened) assert.ok(bit < 64, `bit ${bit}`);
  }
});

test('cut, lengthened, and moved to another address', () => {
  const stored = sealing.seal(plain, address);
  for (let length = 8; length < stored.length; length++) {
    assert.throws(() => sealing.open(stored.subarray(0, length), address), ArtifactError);
  }
  const longer = Buffer.concat([stored, Buffer.of(0)]);
  assert.throws(() => sealing.open(longer, address), code('artifact.corrupt'));
  assert.throws(() => sealing.open(stored, `cas/${'0'.repeat(64)}`), code('artifact.corrupt'));
});

test('without its key: which key is wanted, and what to set', () => {
  const stored = sealing.seal(plain, address);
  const none = sealingWith(undefined);
  const wanted = /"first".*no package keys.*RATCHET_PACKAGE_KEY_FILE/;
  assert.throws(() => none.open(stored, address), code('artifact.key', wanted));
  const other = sealingWith(packageKeysFrom(second));
  assert.throws(() => other.open(stored, address), code('artifact.key', /keys second only/));
  // Another key under the same id.
  const impostor = sealingWith(packageKeysFrom(newPackageKey('first')));
  assert.throws(() => impostor.open(stored, address), code('artifact.corrupt'));
});

test('a key is replaced: new bytes by the first one, old bytes still open, and are sealed anew', () => {
  const old = sealing.seal(plain, address);
  const both = sealingWith(packageKeysFrom(second + first));
  assert.deepEqual(Buffer.from(both.open(old, address)), Buffer.from(plain));
  assert.equal(both.isCurrent(old), false);
  const fresh = both.seal(plain, address);
  assert.equal(both.isCurrent(fresh), true);
  assert.throws(() => sealing.open(fresh, address), code('artifact.key'));
  const digest = digestOf(plain);
  assert.equal(isWhole(old, digest, sealing), true);
  assert.equal(isWhole(old, digest, both), false);
  assert.equal(isWhole(plain, digest, sealing), false);
  assert.equal(isWhole(plain, digest, sealingWith(undefined)), true);
  assert.throws(() => isWhole(fresh, digest, sealing), code('artifact.key'));
});

test('bytes that were never sealed stay readable, also those that begin as if they were', () => {
  assert.equal(sealing.open(plain, address), plain);
  const imitation = sealing.seal(plain, 'cas/x').slice();
  const isPlain = (stored: Uint8Array) => digestOf(stored) === digestOf(imitation);
  assert.equal(sealing.open(imitation, `cas/${digestOf(imitation)}`, isPlain), imitation);
});

test('keys that are none are refused without repeating them', () => {
  const secret = 'c2VjcmV0';
  for (const text of [
    '',
    '# nothing',
    'nokey',
    `first:${secret}`,
    `First:${first.slice(6)}`,
    `${'x'.repeat(33)}:${first.slice(6)}`,
    first + first,
  ]) {
    assert.throws(
      () => packageKeysFrom(text),
      (error: unknown) => {
        assert.ok(error instanceof Error && 'code' in error);
        assert.equal(error.code, 'config.package-keys');
        assert.equal(error.message.includes(secret), false);
        assert.equal(error.message.includes(first.slice(6, 20)), false);
        return true;
      },
    );
  }
  const keys = packageKeysFrom(`# rotated\n\n${second}  ${first}`);
  assert.deepEqual([keys.current, [...keys.byId.keys()]], ['second', ['second', 'first']]);
  assert.equal(JSON.stringify([...keys.byId]).includes(second.slice(7, 20)), false);
});
