import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RatchetError } from '../../../core/errors.ts';
import { buildMonteCarloGraph } from '../../../core/onnx/monte-carlo.ts';
import { decodeMessage, encodeMessage } from '../../../core/onnx/protobuf.ts';
import { randomNetwork, uniformBy } from '../../support/lstm-network.ts';

function exampleModel(): Uint8Array {
  const { weights, ctx } = randomNetwork('protobuf');
  return buildMonteCarloGraph(weights, ctx).graph;
}

test('reading and writing again gives the same bytes', () => {
  const bytes = exampleModel();
  assert.deepEqual(encodeMessage('Model', decodeMessage('Model', bytes)), bytes);
});

test('bytes of a small message, against the protobuf documentation by hand', () => {
  // tag(1, varint) 150; tag(2, bytes) "testing": the two examples of the encoding guide.
  const written = encodeMessage('OperatorSetId', { domain: 'testing', version: 150 });
  assert.deepEqual(
    written,
    Uint8Array.from([0x0a, 7, ...Buffer.from('testing'), 0x10, 0x96, 0x01]),
  );
});

test('negative and large whole numbers survive', () => {
  for (const version of [-1, -(2 ** 40), 2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER, 0, 127, 128]) {
    const bytes = encodeMessage('OperatorSetId', { version });
    assert.equal(decodeMessage('OperatorSetId', bytes).version, version);
  }
});

test('lists of more numbers than a call takes arguments survive', () => {
  const ints = Array.from({ length: 200_000 }, (_, i) => i % 300);
  const floats = ints.map((int) => int / 4);
  const read = decodeMessage('Attribute', encodeMessage('Attribute', { ints, floats }));
  assert.deepEqual(read.ints, ints);
  assert.deepEqual(read.floats, floats);
});

test('unknown fields are skipped, unpacked lists are read', () => {
  const unknown = [0xf8, 0x06, 1, 0xf9, 0x06, 1, 2, 3, 4, 5, 6, 7, 8, 0xfa, 0x06, 1, 9];
  const dims = [0x08, 2, 0x08, 3];
  const tensor = decodeMessage('Tensor', Uint8Array.from([...unknown, ...dims]));
  assert.deepEqual(tensor, { dims: [2, 3] });
});

test('a check that must see everything refuses unknown and doubled fields', () => {
  const strict = { unknownFields: 'refuse', depth: 0 } as const;
  const bytes = exampleModel();
  assert.ok(decodeMessage('Model', bytes, strict).graph, 'our own files have no unknown field');
  const unknown = Uint8Array.from([...bytes, 0xf8, 0x06, 1]);
  assert.throws(() => decodeMessage('Model', unknown, strict), /unknown field 111/);
  const twoGraphs = Uint8Array.from([...bytes, 0x3a, 0]);
  assert.throws(() => decodeMessage('Model', twoGraphs), /graph is there twice/);
});

test('every truncation and 2,000 mutations either read or throw onnx.malformed, nothing else', () => {
  const model = exampleModel();
  const uniform = uniformBy('mutations');
  const isMalformed = (error: unknown) =>
    error instanceof RatchetError && error.code === 'onnx.malformed';
  const read = (bytes: Uint8Array): boolean => {
    try {
      decodeMessage('Model', bytes);
      return true;
    } catch (error) {
      assert.ok(isMalformed(error), String(error));
      return false;
    }
  };
  let refused = 0;
  for (let i = 0; i < 2000; i++) {
    const bytes = Uint8Array.from(model);
    const at = Math.floor(uniform() * bytes.length);
    bytes[at] = Math.floor(uniform() * 256);
    if (!read(bytes)) refused++;
    if (!read(model.subarray(0, at))) refused++;
  }
  assert.ok(refused > 1000, `${refused} refused`);
});

test('messages nested without end are refused', () => {
  // Attribute.g -> Graph.node -> Node.attribute -> ... forty times.
  let graph = encodeMessage('Graph', { name: 'innermost' });
  for (let i = 0; i < 40; i++) {
    const attribute = Uint8Array.from([0x32, ...length(graph.length), ...graph]);
    const node = Uint8Array.from([0x2a, ...length(attribute.length), ...attribute]);
    graph = Uint8Array.from([0x0a, ...length(node.length), ...node]);
  }
  assert.throws(() => decodeMessage('Graph', graph), /nested deeper/);
});

function length(n: number): number[] {
  return n < 128 ? [n] : [(n & 127) | 128, ...length(n >> 7)];
}
