import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ArtifactStore } from '../../registry/artifact-store.ts';

export interface ArtifactStoreUnderTest {
  readonly store: ArtifactStore;
  /** Flips one bit of a stored artifact behind the store's back. */
  corrupt(sha256: string): Promise<void>;
}

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'utf8');

/** What every artifact store does. `open` is called inside the tests. */
export function describeArtifactStore(
  name: string,
  open: () => Promise<ArtifactStoreUnderTest>,
  options: { skip?: string | false } = {},
): void {
  describe(`artifact store: ${name}`, { skip: options.skip ?? false }, () => {
    test('gives back what it was given, under its digest', async () => {
      const { store } = await open();
      const ref = await store.put(bytesOf('hello'), 5);
      assert.deepEqual(ref, {
        uri: 'cas/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
        sha256: '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
        bytes: 5,
        rows: 5,
      });
      assert.equal(Buffer.from(await store.get(ref)).toString(), 'hello');
      assert.equal(await store.has(ref.sha256), true);
    });

    test('stores a part of a larger buffer, not the whole', async () => {
      const { store } = await open();
      const part = new Uint8Array(bytesOf('..inside..')).subarray(2, 8);
      const ref = await store.put(part);
      assert.equal(Buffer.from(await store.get(ref)).toString(), 'inside');
    });

    test('stores nothing and much', async () => {
      const { store } = await open();
      for (const size of [0, 1, 70_000, 9_000_000]) {
        const bytes = new Uint8Array(size).map((_, i) => (i * 31 + size) % 251);
        const ref = await store.put(bytes);
        assert.equal(ref.bytes, size);
        assert.deepEqual(Buffer.from(await store.get(ref)), Buffer.from(bytes));
      }
    });

    test('20 writers of the same bytes at once all succeed', async () => {
      const { store } = await open();
      const bytes = bytesOf('written by many');
      const refs = await Promise.all(Array.from({ length: 20 }, () => store.put(bytes)));
      assert.equal(new Set(refs.map(({ sha256 }) => sha256)).size, 1);
      assert.deepEqual(Buffer.from(await store.get(refs[0]!)), Buffer.from(bytes));
    });

    test('says when an artifact is missing', async () => {
      const { store } = await open();
      const sha256 = 'a'.repeat(64);
      assert.equal(await store.has(sha256), false);
      await assert.rejects(store.get({ uri: `cas/${sha256}`, sha256 }), {
        code: 'artifact.missing',
      });
    });

    test('refuses keys that it did not make', async () => {
      const { store } = await open();
      const { sha256 } = await store.put(bytesOf('secret'));
      for (const uri of ['cas/../../etc/passwd', `cas/${'b'.repeat(64)}`, `/cas/${sha256}`, '']) {
        await assert.rejects(store.get({ uri, sha256 }), { code: 'artifact.reference' });
      }
      const path = '../../etc/passwd';
      await assert.rejects(store.get({ uri: `cas/${path}`, sha256: path }), {
        code: 'artifact.reference',
      });
      assert.equal(await store.has(path), false);
    });

    test('refuses a corrupt byte, and putting the bytes again heals it', async () => {
      const { store, corrupt } = await open();
      const bytes = bytesOf('a model that must not change');
      const ref = await store.put(bytes);
      await corrupt(ref.sha256);
      await assert.rejects(store.get(ref), { code: 'artifact.corrupt', permanent: true });
      await store.put(bytes);
      assert.deepEqual(Buffer.from(await store.get(ref)), Buffer.from(bytes));
    });

    test('answers a ping', async () => {
      const { store } = await open();
      await store.ping();
    });
  });
}
