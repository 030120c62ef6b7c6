import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compare, fixedPeer, spreadOf, type Measure, type Side, type Workload } from './measure.ts';

const asked: string[] = [];
const closed: string[] = [];

/** A side that gives these figures, one a round; the first is that of the round which is not counted. */
const side = (name: string, figures: readonly number[]): Side => {
  let round = 0;
  return {
    name,
    round: async () => {
      asked.push(name);
      return figures[round++]!;
    },
    close: async () => void closed.push(name),
  };
};

const measure = (over: Partial<Measure> = {}): Measure => ({
  ...{ name: 'one', docs: 'One.', unit: 'ms', better: 'lower', target: 0.5 },
  open: async () => ({
    ours: side('ratchet', [900, 1, 2, 3]),
    peers: [side('slow', [1, 9, 8, 7]), side('quick', [1, 4, 4, 5])],
  }),
  ...over,
});

const workload: Workload = {
  ...{ folder: '', device: 'cpu' },
  peer: () => assert.fail('not asked for'),
};

describe('a comparison', () => {
  it('takes medians without the first round, beside the best peer, by turns', async () => {
    asked.length = 0;
    const result = await compare(measure(), workload, 3);
    assert.deepEqual([result.ours, result.peer, result.peerName], [2, 4, 'quick']);
    assert.deepEqual([result.ratio, result.pass], [0.5, true]);
    assert.deepEqual(result.oursSpread, { median: 2, lowest: 1, highest: 3 });
    assert.deepEqual(asked.slice(3, 9), ['ratchet', 'slow', 'quick', 'quick', 'slow', 'ratchet']);
    assert.deepEqual(closed.splice(0), ['ratchet', 'slow', 'quick']);
  });

  it('of what should be high takes the highest peer, and asks for at least the target', async () => {
    const result = await compare(measure({ better: 'higher', target: 0.5 }), workload, 3);
    assert.deepEqual([result.peerName, result.ratio, result.pass], ['slow', 0.25, false]);
    closed.length = 0;
  });

  it('closes every side where one fails', async () => {
    const failing: Side = { ...side('peer', []), round: () => Promise.reject(new Error('gone')) };
    const open = async () => ({ ours: side('ratchet', [1, 1]), peers: [failing] });
    await assert.rejects(compare(measure({ open }), workload, 3), /gone/);
    assert.deepEqual(closed.splice(0), ['ratchet', 'peer']);
  });

  it('fails where a promise beside the ratio is broken, and shows what else was seen', async () => {
    const open = async () => ({
      ...{ ours: side('ratchet', [1, 1, 1, 1]), peers: [fixedPeer('promised', 4)] },
      broken: () => ['1 request failed'],
      also: () => ({ prepareMs: 12 }),
    });
    const { pass, ratio, peerName, broken, also } = await compare(measure({ open }), workload, 3);
    assert.deepEqual([pass, ratio, peerName], [false, 0.25, 'promised']);
    assert.deepEqual([broken, also], [['1 request failed'], { prepareMs: 12 }]);
    closed.length = 0;
  });

  it('knows the middle of an even number', () => {
    assert.equal(spreadOf([4, 1, 3, 2]).median, 2.5);
  });
});
