import { createHash } from 'node:crypto';
import { RatchetError } from '../errors.ts';

/**
 * One binary file of named arrays. Layout, all numbers little-endian:
 *   magic `RTCHSEC1` | u32 header bytes | header JSON, padded with spaces | arrays | sha256
 * Header, arrays and digest start at multiples of 8. The digest covers everything before it and is
 * checked before anything is parsed: half-written, cut or altered bytes are refused as a whole.
 */
export interface SectionFile {
  /** What the bytes are, e.g. `lstm-checkpoint`; decoding as another kind is refused. */
  readonly kind: string;
  readonly version: number;
  readonly meta: unknown;
  readonly sections: Readonly<Record<string, SectionArray>>;
}

export type SectionArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** Bytes that are not the file they claim to be. A caller may have an older file to fall back to. */
export class CorruptBytesError extends RatchetError {
  constructor(kind: string, reason: string) {
    super('bytes.corrupt', `${kind}: ${reason}`, { permanent: false, details: { kind, reason } });
  }
}

const MAGIC = new TextEncoder().encode('RTCHSEC1');
const DIGEST_BYTES = 32;
const PREFIX_BYTES = 16;
/** Far above any header written here; stops a damaged length from allocating memory. */
const MAX_HEADER_BYTES = 64 * 1024 * 1024;

const DTYPES = { f32: Float32Array, f64: Float64Array, i32: Int32Array, u8: Uint8Array } as const;
type Dtype = keyof typeof DTYPES;

interface Header {
  readonly kind: string;
  readonly version: number;
  readonly meta: unknown;
  readonly arrays: readonly {
    readonly name: string;
    readonly dtype: Dtype;
    readonly length: number;
  }[];
}

function dtypeOf(array: SectionArray): Dtype {
  if (array instanceof Float32Array) return 'f32';
  if (array instanceof Float64Array) return 'f64';
  return array instanceof Int32Array ? 'i32' : 'u8';
}

const align8 = (n: number): number => (n + 7) & ~7;

/** Encodes named arrays and a JSON value; deterministic for equal input in equal key order. */
export function encodeSections(file: SectionFile): Uint8Array {
  const entries = Object.entries(file.sections);
  const header: Header = {
    kind: file.kind,
    version: file.version,
    meta: file.meta,
    arrays: entries.map(([name, a]) => ({ name, dtype: dtypeOf(a), length: a.length })),
  };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const headerBytes = align8(json.length);
  let size = PREFIX_BYTES + headerBytes;
  for (const [, array] of entries) size += align8(array.byteLength);
  const out = new Uint8Array(size + DIGEST_BYTES);
  out.set(MAGIC, 0);
  new DataView(out.buffer).setUint32(8, headerBytes, true);
  out.fill(0x20, PREFIX_BYTES, PREFIX_BYTES + headerBytes);
  out.set(json, PREFIX_BYTES);
  let at = PREFIX_BYTES + headerBytes;
  for (const [, array] of entries) {
    out.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += align8(array.byteLength);
  }
  out.set(createHash('sha256').update(out.subarray(0, size)).digest(), size);
  return out;
}

/** Throws `bytes.corrupt` unless the bytes end with the digest of what stands before it. */
export function verifySections(bytes: Uint8Array, kind: string): void {
  if (bytes.length < PREFIX_BYTES + DIGEST_BYTES) throw new CorruptBytesError(kind, 'too short');
  const size = bytes.length - DIGEST_BYTES;
  const digest = createHash('sha256').update(bytes.subarray(0, size)).digest();
  if (!digest.equals(bytes.subarray(size))) throw new CorruptBytesError(kind, 'digest differs');
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) throw new CorruptBytesError(kind, 'not ours');
}

/**
 * Decodes what `encodeSections` wrote. Arrays are copies, safe to keep.
 * Throws `bytes.corrupt` for damaged bytes and for bytes of another kind or version.
 */
export function decodeSections(bytes: Uint8Array, kind: string, version: number): SectionFile {
  verifySections(bytes, kind);
  // A copy at offset 0 makes every 8-aligned section a typed array (a Buffer's slice is no copy).
  const copy = new Uint8Array(bytes);
  const headerBytes = new DataView(copy.buffer).getUint32(8, true);
  const end = copy.length - DIGEST_BYTES;
  if (headerBytes > MAX_HEADER_BYTES || PREFIX_BYTES + headerBytes > end) {
    throw new CorruptBytesError(kind, 'header length out of range');
  }
  const text = new TextDecoder().decode(copy.subarray(PREFIX_BYTES, PREFIX_BYTES + headerBytes));
  const header = JSON.parse(text) as Header;
  if (header.kind !== kind) throw new CorruptBytesError(kind, `holds ${header.kind}`);
  if (header.version !== version) {
    throw new CorruptBytesError(kind, `format ${header.version}, this code reads ${version}`);
  }
  const sections: Record<string, SectionArray> = {};
  let at = PREFIX_BYTES + headerBytes;
  for (const { name, dtype, length } of header.arrays) {
    const type = DTYPES[dtype];
    if (at + length * type.BYTES_PER_ELEMENT > end) throw new CorruptBytesError(kind, 'cut short');
    sections[name] = new type(copy.buffer, at, length);
    at += align8(length * type.BYTES_PER_ELEMENT);
  }
  if (at !== end) throw new CorruptBytesError(kind, 'bytes left over');
  return { kind, version, meta: header.meta, sections };
}

/** A section that must be there with this type; throws `bytes.corrupt` otherwise. */
export function sectionOrThrow<T extends SectionArray>(
  file: SectionFile,
  name: string,
  type: { new (length: number): T },
): T {
  const array = file.sections[name];
  if (!(array instanceof type)) throw new CorruptBytesError(file.kind, `no section ${name}`);
  return array;
}
