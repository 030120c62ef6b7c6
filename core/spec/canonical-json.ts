import { RatchetError } from '../errors.ts';

/**
 * JSON with one spelling per value: object keys sorted by code unit, no white space, `undefined` members left
 * out, -0 written as 0. Two equal values give equal text, whatever order they were built in.
 * Throws `spec.not-json` on NaN, infinities, functions, symbols, big integers and undefined in arrays.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') {
    return JSON.stringify(value);
  }
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object') {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  throw new RatchetError('spec.not-json', `${String(value)} cannot be written as canonical JSON`);
}
