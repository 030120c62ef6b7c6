import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, it } from 'node:test';
import { ShadowQueue } from '../../api/serving/shadow-queue.ts';

/** A queue, what ran, and how many were dropped. */
function scene(capacity = 1_000) {
  const ran: string[] = [];
  const seen = { dropped: 0, atOnce: 0, most: 0 };
  const queue = new ShadowQueue({ capacity, onDropped: () => seen.dropped++ });
  const push = (name: string, trialId = 'trial', work: () => Promise<unknown> = () => turn()) =>
    queue.push({
      trialId,
      run: async () => {
        seen.most = Math.max(seen.most, ++seen.atOnce);
        await work();
        ran.push(name);
        seen.atOnce--;
      },
    });
  return { queue, ran, seen, push };
}

describe('the queue of shadows', () => {
  it('runs all in order, two at once at most, and none in the turn of the request', async () => {
    const { queue, ran, seen, push } = scene();
    for (let n = 0; n < 20; n++) push(String(n));
    assert.deepEqual([ran.length, seen.atOnce], [0, 0]);
    await queue.settled();
    assert.deepEqual(
      ran,
      Array.from({ length: 20 }, (_, n) => String(n)),
    );
    assert.deepEqual([seen.most, seen.dropped], [2, 0]);
  });

  it('lets other work in between its jobs', async () => {
    const { queue, ran, push } = scene();
    for (let n = 0; n < 10; n++) push(String(n), 'trial', () => Promise.resolve());
    const at: number[] = [];
    while (ran.length < 10) {
      await turn();
      at.push(ran.length);
    }
    assert.ok(at.length >= 5, `all ran within ${at.length} turns`);
    await queue.settled();
  });

  it('forgets the oldest when too much waits, and all of a trial that ends', async () => {
    const { queue, ran, seen, push } = scene(3);
    for (let n = 0; n < 5; n++) push(String(n));
    assert.deepEqual([queue.length, seen.dropped], [3, 2]);
    queue.drop('another');
    assert.equal(queue.length, 3);
    push('other', 'other trial');
    queue.drop('trial');
    await queue.settled();
    assert.deepEqual([ran, seen.dropped], [['other'], 5]);
  });

  it('a job that throws ends no other', async () => {
    const { queue, ran, seen, push } = scene();
    push('bad', 'trial', () => Promise.reject(new Error('planted')));
    push('good');
    await queue.settled();
    assert.deepEqual([ran, seen.dropped], [['good'], 1]);
  });

  it('closes once what runs has ended, and takes nothing more', async () => {
    const { queue, ran, seen, push } = scene();
    for (let n = 0; n < 5; n++) push(String(n));
    await turn();
    await queue.close();
    push('late');
    assert.equal(ran.length + seen.dropped, 6);
    assert.ok(seen.dropped >= 3 && !ran.includes('late'));
    await queue.settled();
  });
});
