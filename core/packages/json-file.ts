import { RatchetError } from '../errors.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Keys in code-unit order, `undefined` members left out, -0 as 0; refuses what JSON cannot say. */
function ordered(value: unknown, path: string): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value === 0 ? 0 : value;
  if (Array.isArray(value)) return value.map((item, i) => ordered(item, `${path}[${i}]`));
  if (typeof value === 'object' && !ArrayBuffer.isView(value)) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => [key, ordered(member, `${path}.${key}`)] as const);
    return Object.fromEntries(members);
  }
  throw new RatchetError('package.not-json', `${path} is ${String(value)}: JSON cannot say that`);
}

/**
 * Bytes of a package's JSON file: canonical (sorted keys, one spelling per value) and indented, so that
 * equal content has equal bytes and a person can read it. Numbers round-trip exactly. Throws
 * `package.not-json` with the path of a NaN, infinity or anything else that JSON would lose silently.
 */
export function jsonFile(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(ordered(value, '$'), undefined, 1)}\n`);
}
