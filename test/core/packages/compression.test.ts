import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compressionWords,
  isWithin,
  lossRise,
  type CompressionFacts,
} from '../../../core/packages/compression.ts';

const FACTS: CompressionFacts = {
  asked: { quantize: 'dynamic', prune: { sparsity: 0.5 }, tolerance: 0.01 },
  status: 'accepted',
  steps: [
    { what: 'prune', status: 'notApplicable', words: 'it has no weight matrices of a network' },
    { what: 'quantize', status: 'applied', words: '2 LSTM layers with int8 weights' },
  ],
  measured: {
    windows: 812,
    loss: { trained: 0.8, smaller: 0.804 },
    difference: 0.0213,
    bytes: { trained: 260_000, smaller: 83_000 },
    deflatedBytes: { trained: 240_000, smaller: 70_000 },
    milliseconds: { trained: 0.1651, smaller: 0.1249 },
  },
};

test('a smaller graph may lose as much as the tolerance says, and NaN is never enough', () => {
  assert.ok(isWithin(lossRise({ trained: 0.8, smaller: 0.804 }), 0.0051));
  assert.ok(!isWithin(lossRise({ trained: 0.8, smaller: 0.804 }), 0.0049));
  assert.ok(isWithin(lossRise({ trained: 0.8, smaller: 0.7 }), 0), 'better is within any');
  assert.ok(isWithin(lossRise({ trained: 0, smaller: 0 }), 0));
  assert.ok(!isWithin(lossRise({ trained: 0, smaller: 1 }), 1));
  assert.ok(!isWithin(lossRise({ trained: 1, smaller: NaN }), 1));
  assert.ok(!isWithin(lossRise({ trained: NaN, smaller: 1 }), 1));
});

test('an accepted graph tells what was done, lost and won', () => {
  assert.deepEqual(compressionWords(FACTS), [
    'The graph is smaller than the trained one: 2 LSTM layers with int8 weights.',
    'Loss on 812 validation windows 0.804 against 0.8 as trained (+0.50 %, at most +1.00 % allowed).',
    'Its answers differ by at most 2.13 % of their scale. 83 kB instead of 260 kB (deflated 70 kB instead of 240 kB), ' +
      '0.125 ms instead of 0.165 ms a window where it was packaged.',
    'Not applicable, prune: it has no weight matrices of a network.',
  ]);
});

test('a refused one tells why the graph is as trained', () => {
  const [first] = compressionWords({ ...FACTS, status: 'rejected' });
  assert.equal(
    first,
    'The graph is packaged as trained, because a smaller one (2 LSTM layers with int8 weights) loses too much.',
  );
  const { measured: _measured, ...unmeasured } = FACTS;
  assert.match(
    compressionWords({ ...unmeasured, status: 'rejected' })[0]!,
    /because a smaller one answers with no numbers/,
  );
  assert.equal(
    compressionWords({ ...unmeasured, status: 'notApplicable' })[0],
    'The graph is packaged as trained.',
  );
});
