import { gunzipSync } from 'node:zlib';
import { SourceError } from './errors.ts';
import { readSingleMember } from './zip.ts';

/** Largest file that is read, unpacked: 25 years of hourly bars have about 20 MB. */
export const MAX_FILE_BYTES = 256 * 1024 * 1024;

const startsWith = (bytes: Uint8Array, ...magic: number[]): boolean =>
  magic.every((byte, i) => bytes[i] === byte);

/**
 * Content of a file as it was before gzip or zip (a zip must hold one file), told by its first bytes.
 * Errors: `source.tooLarge`, `source.archive`.
 */
export function unpack(bytes: Uint8Array, name: string): Uint8Array {
  if (bytes.length > MAX_FILE_BYTES) throw tooLarge(name);
  if (startsWith(bytes, 0x1f, 0x8b)) return gunzip(bytes, name);
  if (startsWith(bytes, 0x50, 0x4b, 0x03, 0x04)) return unzip(bytes, name);
  return bytes;
}

function gunzip(bytes: Uint8Array, name: string): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_FILE_BYTES });
  } catch (cause) {
    if (isTooLong(cause)) throw tooLarge(name);
    throw new SourceError('source.archive', `${name} is not a readable gzip file`, { cause });
  }
}

function unzip(bytes: Uint8Array, name: string): Uint8Array {
  try {
    return readSingleMember(bytes, MAX_FILE_BYTES);
  } catch (cause) {
    if (isTooLong(cause)) throw tooLarge(name);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SourceError('source.archive', `${name} is not a readable zip file: ${why}`, {
      cause,
    });
  }
}

const isTooLong = (error: unknown): boolean =>
  error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';

const tooLarge = (name: string): SourceError =>
  new SourceError(
    'source.tooLarge',
    `${name} is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB unpacked`,
  );

/**
 * Text of a file in UTF-8 or UTF-16 (by its byte order mark), without the mark.
 * Errors: `source.binary` for a NUL or bytes that are no text.
 */
export function decodeText(bytes: Uint8Array, name: string): string {
  const utf16 = startsWith(bytes, 0xff, 0xfe)
    ? 'utf-16le'
    : startsWith(bytes, 0xfe, 0xff)
      ? 'utf-16be'
      : undefined;
  let text: string;
  try {
    text = new TextDecoder(utf16 ?? 'utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new SourceError('source.binary', `${name} is neither UTF-8 nor UTF-16 text`, { cause });
  }
  const nul = text.indexOf('\0');
  if (nul >= 0) {
    throw new SourceError('source.binary', `${name} has a NUL character at position ${nul + 1}`);
  }
  return text;
}
