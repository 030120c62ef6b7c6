import { RatchetError } from '../errors.ts';
import { ELEMENT_TYPES, type TensorProto } from './onnx-format.ts';

const READERS = new Map<
  number,
  readonly [bytes: number, read: (v: DataView, at: number) => number]
>([
  [ELEMENT_TYPES.float32, [4, (view, at) => view.getFloat32(at, true)]],
  [ELEMENT_TYPES.float64, [8, (view, at) => view.getFloat64(at, true)]],
  [ELEMENT_TYPES.int64, [8, (view, at) => Number(view.getBigInt64(at, true))]],
  [ELEMENT_TYPES.uint8, [1, (view, at) => view.getUint8(at)]],
]);

/** The values of a tensor as doubles; throws `onnx.malformed` where they are of another type, or too few for its shape. */
export function valuesOf({
  dataType = 0,
  dims = [],
  rawData,
  name = '',
}: TensorProto): Float64Array {
  const reader = READERS.get(dataType);
  const bytes = rawData ?? new Uint8Array(0);
  const size = dims.reduce((product, dim) => product * dim, 1);
  if (reader === undefined || bytes.length !== size * reader[0]) {
    throw new RatchetError('onnx.malformed', `tensor ${name} is not what its shape says`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: size }, (_, i) => reader[1](view, i * reader[0]));
}
