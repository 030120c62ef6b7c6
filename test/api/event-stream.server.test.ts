/** Server-sent events: how long one is open, and how many: a real port, a real database. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MAX_STREAMS_PER_KEY } from '../../api/event-stream.ts';
import { appendEvent, endExperiment } from '../../registry/experiments.ts';
import { createKey } from '../../registry/keys.ts';
import {
  eventually,
  openApiFixture,
  type ApiFixture,
  type TestReplica,
} from '../support/api-fixture.ts';
import { listenWith, type ListeningApi } from '../support/event-socket.ts';
import { addExperiment } from '../support/registry-facts.ts';

describe('events as a stream', () => {
  let fixture: ApiFixture;
  let replica: TestReplica;
  let api: ListeningApi;
  let experiments = 100;
  before(async () => {
    fixture = await openApiFixture();
    replica = await fixture.open('a');
    api = await listenWith(replica);
  });
  after(async () => {
    await api.close();
    await fixture.close();
  });

  const begin = (): Promise<string> => addExperiment(fixture.db, ++experiments);
  const append = (experimentId: string, epoch: number) =>
    appendEvent(fixture.db, { experimentId, kind: 'epoch', payload: { epoch } });
  const end = (id: string): Promise<unknown> =>
    endExperiment(fixture.db, id, { status: 'completed', message: 'well' });
  const newKey = async (): Promise<string> =>
    (await createKey(fixture.db, { name: 'k', scopes: ['read'], models: [], expiresAt: null }))
      .token;
  const open = (id: string, key: string, signal?: AbortSignal): Promise<Response> =>
    fetch(`http://${api.host}/api/v1/experiments/${id}/events`, {
      headers: { authorization: `Bearer ${key}`, accept: 'text/event-stream' },
      ...(signal && { signal }),
    });

  it('ends once its key is revoked, and says nothing more', async () => {
    const [id, key, good] = [await begin(), await newKey(), await newKey()];
    await append(id, 1);
    const [cut, kept] = await Promise.all([open(id, key), open(id, good)]);
    assert.deepEqual([cut.status, kept.status], [200, 200]);
    const text = cut.text();
    await replica.call('DELETE', `/api/v1/keys/${key.split('_')[1]}`);
    fixture.clock.now += 16_000;
    assert.deepEqual(epochs(await text), ['1']);
    await append(id, 2);
    await end(id);
    assert.deepEqual(epochs(await kept.text()), ['1', '2']);
    const again = await open(id, key);
    assert.deepEqual([again.status, await codeOf(again)], [401, 'key.invalid']);
  });

  it('lets a key have so many open and no more, of all that has events, and others theirs', async () => {
    const [id, key, other] = [await begin(), await newKey(), await newKey()];
    const first = new AbortController();
    const streams = await Promise.all(
      Array.from({ length: MAX_STREAMS_PER_KEY }, (_, i) =>
        open(id, key, i === 0 ? first.signal : undefined),
      ),
    );
    assert.ok(streams.every(({ status }) => status === 200));
    const refused = await open(await begin(), key);
    assert.deepEqual([refused.status, await codeOf(refused)], [429, 'stream.too-many']);
    assert.equal(refused.headers.get('retry-after'), '5');
    assert.equal((await open(id, other)).status, 200);
    first.abort();
    await eventually('the place is free again', async () => {
      const { status, body } = await open(id, key);
      if (status !== 200) await body?.cancel();
      return status === 200;
    });
    await end(id);
    const texts = await Promise.all(streams.slice(1).map((stream) => stream.text()));
    assert.ok(texts.every((text) => text.includes('event: done')));
  });
});

const epochs = (text: string): string[] =>
  [...text.matchAll(/"epoch":(\d+)/g)].map((match) => match[1]!);

const codeOf = async (response: Response): Promise<string> =>
  ((await response.json()) as { readonly code: string }).code;
