import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openS3Store } from '../../registry/artifacts-s3.ts';

const settings = {
  ...{ endpoint: 'http://127.0.0.1:1', bucket: 'artifacts' },
  ...{ accessKey: 'someone', secretKey: 'something' },
};

describe('the S3 store', () => {
  it('says at the start that its address is none', () => {
    assert.throws(() => openS3Store({ ...settings, endpoint: 'no address' }), /Invalid URL/);
  });

  it('asks again for its library where that could not be loaded, and then once', async () => {
    let asked = 0;
    const store = openS3Store(settings, undefined, async () => {
      asked++;
      if (asked < 3) throw new Error('no such module');
      return import('minio');
    });
    await assert.rejects(store.ping(), /no such module/);
    await assert.rejects(store.has('a'.repeat(64)), /no such module/);
    await assert.rejects(store.ping(), /ECONNREFUSED/);
    await assert.rejects(store.has('a'.repeat(64)), /ECONNREFUSED/);
    assert.equal(asked, 3);
  });
});
