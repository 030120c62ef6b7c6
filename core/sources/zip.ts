import { inflateRawSync } from 'node:zlib';

/**
 * The single member of a zip archive. Reads the central directory (zip64 sizes included, as some
 * vendors write them for small files); only stored and deflated members.
 * Reference: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.16, 4.5.3.
 * Throws zlib's ERR_BUFFER_TOO_LARGE when the member is longer than `maxBytes` (what the directory says
 * of its length is not trusted), another Error for anything unreadable.
 */
export function readSingleMember(zip: Uint8Array, maxBytes: number): Uint8Array {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  const end = endOfDirectory(view);
  const members = view.getUint16(end + 10, true);
  if (members !== 1) throw new Error(`it holds ${members} files; one is expected`);
  const at = view.getUint32(end + 16, true);
  if (view.getUint32(at, true) !== 0x02014b50) throw new Error('its directory is damaged');
  const method = view.getUint16(at + 10, true);
  const { compressed, offset } = sizes(view, at);
  if (view.getUint32(offset, true) !== 0x04034b50) throw new Error('its member is damaged');
  const start = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  const data = zip.subarray(start, start + compressed);
  if (data.length !== compressed) throw new Error('it is cut short');
  if (method === 0) return data;
  if (method !== 8) throw new Error(`compression method ${method} is not supported`);
  return inflateRawSync(data, { maxOutputLength: maxBytes });
}

function endOfDirectory(view: DataView): number {
  const LENGTH = 22;
  const MAX_COMMENT = 65_535;
  const first = Math.max(0, view.byteLength - LENGTH - MAX_COMMENT);
  for (let at = view.byteLength - LENGTH; at >= first; at--) {
    if (view.getUint32(at, true) === 0x06054b50) return at;
  }
  throw new Error('it has no directory');
}

function sizes(view: DataView, entry: number): { compressed: number; offset: number } {
  const IN_EXTRA = 0xffffffff;
  const values = {
    original: view.getUint32(entry + 24, true),
    compressed: view.getUint32(entry + 20, true),
    offset: view.getUint32(entry + 42, true),
  };
  let at = entry + 46 + view.getUint16(entry + 28, true);
  const end = at + view.getUint16(entry + 30, true);
  while (at + 4 <= end) {
    const id = view.getUint16(at, true);
    const length = view.getUint16(at + 2, true);
    if (id === 0x0001) {
      let field = at + 4;
      for (const name of ['original', 'compressed', 'offset'] as const) {
        if (values[name] !== IN_EXTRA) continue;
        values[name] = Number(view.getBigUint64(field, true));
        field += 8;
      }
    }
    at += 4 + length;
  }
  return values;
}
