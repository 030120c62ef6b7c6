import { RatchetError } from '../errors.ts';
import { FIELDS, isScalar } from './onnx-format.ts';
import type { Field, MessageName, Messages, Scalar } from './onnx-format.ts';

/** Wire types of protobuf: https://protobuf.dev/programming-guides/encoding/ */
const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
/** Nested graphs of ours are two deep; anything deeper than this is not a model but an attack. */
const DEPTH_MAX = 32;
const utf8Encoder = new TextEncoder();

type Value = number | string | Uint8Array | object;

/** A growing byte buffer that knows protobuf's three encodings. */
class Sink {
  #bytes = new Uint8Array(1 << 12);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const bigger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    bigger.set(this.#bytes);
    this.#bytes = bigger;
    this.#view = new DataView(bigger.buffer);
  }

  varint(value: number): void {
    this.#reserve(10);
    if (value >= 0 && value < 0x80000000) {
      let rest = value;
      for (; rest > 127; rest >>>= 7) this.#bytes[this.#length++] = (rest & 127) | 128;
      this.#bytes[this.#length++] = rest;
      return;
    }
    // A negative int64 takes ten bytes, two's complement.
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 127n; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 127n) | 128;
    this.#bytes[this.#length++] = Number(rest);
  }

  float(value: number): void {
    this.#reserve(4);
    this.#view.setFloat32(this.#length, value, true);
    this.#length += 4;
  }

  chunk(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

function encodePacked(kind: 'int' | 'float', values: readonly number[]): Uint8Array {
  const packed = new Sink();
  for (const value of values) {
    if (kind === 'int') packed.varint(value);
    else packed.float(value);
  }
  return packed.done();
}

function encodeValue(out: Sink, field: Field, value: Value): void {
  const { kind, number } = field;
  if (kind === 'int') {
    out.varint((number << 3) | WIRE.varint);
    out.varint(value as number);
  } else if (kind === 'float') {
    out.varint((number << 3) | WIRE.fixed32);
    out.float(value as number);
  } else {
    out.varint((number << 3) | WIRE.bytes);
    if (kind === 'string') out.chunk(utf8Encoder.encode(value as string));
    else if (kind === 'bytes') out.chunk(value as Uint8Array);
    else out.chunk(encodeMessage(kind, value as Messages[typeof kind]));
  }
}

/**
 * Protobuf bytes of a message. Fields are written in table order and nothing else goes in, so the
 * same message always gives the same bytes.
 */
export function encodeMessage<M extends MessageName>(message: M, content: Messages[M]): Uint8Array {
  const out = new Sink();
  const values = content as Readonly<Record<string, Value | readonly Value[] | undefined>>;
  for (const field of FIELDS[message]) {
    const value = values[field.name];
    if (value === undefined) continue;
    if (!field.repeated) encodeValue(out, field, value as Value);
    else if (field.kind === 'int' || field.kind === 'float') {
      // An empty list stays absent: protobuf cannot tell the two apart.
      const list = value as readonly number[];
      if (list.length === 0) continue;
      out.varint((field.number << 3) | WIRE.bytes);
      out.chunk(encodePacked(field.kind, list));
    } else for (const item of value as readonly Value[]) encodeValue(out, field, item);
  }
  return out.done();
}

const malformed = (what: string): RatchetError =>
  new RatchetError('onnx.malformed', `not a readable ONNX file: ${what}`);

/** Reads protobuf's encodings off a byte range and refuses to run past its end. */
class Source {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get ended(): boolean {
    return this.#position >= this.#bytes.length;
  }

  /** A signed 64-bit varint; values beyond 2^53 are refused, no ONNX file of ours has one. */
  int(): number {
    // Most are small, and a model of trees has hundreds of thousands of them.
    let small = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#bytes[this.#position++];
      if (byte === undefined) throw malformed('it ends inside a number');
      small |= (byte & 127) << shift;
      if (byte < 128) return small;
    }
    let value = BigInt(small);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#position++];
      if (byte === undefined) throw malformed('it ends inside a number');
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) {
        const int = Number(BigInt.asIntN(64, value));
        if (!Number.isSafeInteger(int)) throw malformed('a number beyond 2^53');
        return int;
      }
    }
    throw malformed('a number of more than ten bytes');
  }

  float(): number {
    this.skip(4);
    return this.#view.getFloat32(this.#position - 4, true);
  }

  skip(count: number): void {
    if (count < 0 || this.#position + count > this.#bytes.length) {
      throw malformed('it ends inside a field');
    }
    this.#position += count;
  }

  chunk(): Uint8Array {
    const length = this.int();
    this.skip(length);
    return this.#bytes.subarray(this.#position - length, this.#position);
  }
}

/**
 * The chunks that a message has of one field, without a look into any other. Throws `onnx.malformed` as `decodeMessage` does
 * for what lies between them.
 */
export function chunksOf(bytes: Uint8Array, field: number): Uint8Array[] {
  const source = new Source(bytes);
  const chunks: Uint8Array[] = [];
  while (!source.ended) {
    const tag = source.int();
    const wire = tag & 7;
    if (wire === WIRE.bytes) {
      const chunk = source.chunk();
      if (Math.floor(tag / 8) === field) chunks.push(chunk);
    } else if (wire === WIRE.varint) source.int();
    else if (wire === WIRE.fixed32 || wire === WIRE.fixed64)
      source.skip(wire === WIRE.fixed32 ? 4 : 8);
    else throw malformed(`wire type ${wire}`);
  }
  return chunks;
}

const utf8Decoder = new TextDecoder('utf-8', { fatal: true });

function decodeString(bytes: Uint8Array): string {
  try {
    return utf8Decoder.decode(bytes);
  } catch (cause) {
    throw new RatchetError('onnx.malformed', 'not a readable ONNX file: text that is not UTF-8', {
      cause,
    });
  }
}

function decodePacked(kind: 'int' | 'float', bytes: Uint8Array): number[] {
  const source = new Source(bytes);
  const values: number[] = [];
  while (!source.ended) values.push(kind === 'int' ? source.int() : source.float());
  return values;
}

interface Reading {
  /** `refuse` where a field that is not understood could hide something from a check. */
  readonly unknownFields: 'skip' | 'refuse';
  readonly depth: number;
}

function decodeChunk(kind: Scalar | MessageName, bytes: Uint8Array, reading: Reading): Value[] {
  if (kind === 'int' || kind === 'float') return decodePacked(kind, bytes);
  if (kind === 'bytes') return [bytes];
  if (kind === 'string') return [decodeString(bytes)];
  return [decodeMessage(kind, bytes, { ...reading, depth: reading.depth + 1 })];
}

function decodeField(source: Source, wire: number, field: Field | undefined, reading: Reading) {
  if (wire === WIRE.varint) return [source.int()];
  if (wire === WIRE.fixed32) return [source.float()];
  if (wire === WIRE.bytes) {
    const bytes = source.chunk();
    return field ? decodeChunk(field.kind, bytes, reading) : [];
  }
  if (wire !== WIRE.fixed64) throw malformed(`wire type ${wire}`);
  source.skip(8);
  return [];
}

const wireFits = (field: Field, wire: number): boolean =>
  wire === WIRE.bytes
    ? field.repeated || (field.kind !== 'int' && field.kind !== 'float')
    : wire === (field.kind === 'int' ? WIRE.varint : WIRE.fixed32) && isScalar(field.kind);

/**
 * Reads what `encodeMessage` writes; byte fields are views on `bytes`. Throws `onnx.malformed` on
 * anything that is not well-formed protobuf of that message, and where a field that occurs once is there
 * twice: readers differ in what they make of that.
 */
export function decodeMessage<M extends MessageName>(
  message: M,
  bytes: Uint8Array,
  reading: Reading = { unknownFields: 'skip', depth: 0 },
): Messages[M] {
  if (reading.depth > DEPTH_MAX) throw malformed(`messages nested deeper than ${DEPTH_MAX}`);
  const fields = new Map(FIELDS[message].map((field) => [field.number, field]));
  const content: Record<string, unknown> = {};
  const source = new Source(bytes);
  while (!source.ended) {
    const tag = source.int();
    const wire = tag & 7;
    const field = fields.get(Math.floor(tag / 8));
    if (field && !wireFits(field, wire))
      throw malformed(`${message}.${field.name} by wire ${wire}`);
    const values = decodeField(source, wire, field, reading);
    if (!field) {
      if (reading.unknownFields === 'skip') continue;
      throw malformed(`${message} has an unknown field ${Math.floor(tag / 8)}`);
    }
    if (field.repeated) {
      const list = (content[field.name] ??= []) as Value[];
      // One by one: trees have more numbers in a list than a call takes arguments.
      for (const value of values) list.push(value);
    } else if (field.name in content) throw malformed(`${message}.${field.name} is there twice`);
    else content[field.name] = values[0];
  }
  return content as Messages[M];
}
