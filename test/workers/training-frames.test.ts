import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { randomFor } from '../../core/models/random.ts';
import { isOutOfMemory } from '../../workers/out-of-memory.ts';
import { encodeFrame, FrameReader } from '../../workers/training-frames.ts';

interface Message {
  readonly text: string;
}

const frames = [
  { message: { text: 'first' }, payload: Uint8Array.of(1, 2, 3) },
  { message: { text: 'zweite: Ä' }, payload: new Uint8Array(0) },
  { message: { text: '' }, payload: new Uint8Array(5000).fill(7) },
];
const bytes = Buffer.concat(frames.flatMap((f) => encodeFrame(f.message, f.payload)));

describe('training frames', () => {
  it('come out as they went in, however the stream is cut', () => {
    const random = randomFor(1);
    for (let round = 0; round < 50; round++) {
      const reader = new FrameReader<Message>();
      const read = [];
      for (let at = 0; at < bytes.length;) {
        const length = 1 + Math.floor(random() * (round < 5 ? 3 : 2000));
        read.push(...reader.push(bytes.subarray(at, at + length)));
        at += length;
      }
      assert.deepEqual(read, frames);
    }
  });

  it('hands out payloads that later chunks cannot change', () => {
    const chunk = Buffer.from(bytes);
    const [first] = new FrameReader<Message>().push(chunk);
    chunk.fill(0);
    assert.deepEqual(first!.payload, Uint8Array.of(1, 2, 3));
  });

  it('waits for the rest of a frame', () => {
    const reader = new FrameReader<Message>();
    assert.deepEqual(reader.push(bytes.subarray(0, 20)), []);
    assert.equal(reader.push(bytes.subarray(20)).length, 3);
  });

  it('refuses lengths that no peer of ours sends, before it buffers them', () => {
    const reader = new FrameReader<Message>();
    assert.throws(() => reader.push(new Uint8Array(8).fill(0xff)), RangeError);
  });
});

describe('out of memory', () => {
  for (const text of [
    'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
    "terminate called after throwing an instance of 'std::bad_alloc'",
    'OOM when allocating tensor with shape[4096,4096]',
  ]) {
    it(`is recognised: ${text.slice(0, 40)}`, () => assert.ok(isOutOfMemory(text)));
  }
  it('is not seen in other failures', () => {
    assert.equal(isOutOfMemory('Error: lossWeights has 2 values; no room for doubt'), false);
  });
});
