/** Bytes of something that has so many; `to` is not included. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/**
 * What a `Range` header asks of `bytes` bytes (RFC 9110): one range. Undefined: all are sent, for there is no such header, or
 * one that is not understood; null: none of them are there.
 */
export function byteRangeOf(
  header: string | undefined,
  bytes: number,
): ByteRange | null | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const from = Math.max(0, bytes - Number(last));
    return from < bytes ? { from, to: bytes } : null;
  }
  const from = Number(first);
  const to = last === '' ? bytes : Math.min(Number(last) + 1, bytes);
  if (last !== '' && Number(last) < from) return undefined;
  return from < bytes ? { from, to } : null;
}
