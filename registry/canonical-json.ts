import { createHash } from 'node:crypto';
import { RatchetError } from '../core/errors.ts';

/**
 * JSON with sorted keys and without spaces: equal values give equal text. Keys whose value is
 * `undefined` do not count. Throws for what JSON cannot say (NaN, functions, typed arrays, maps):
 * silently equal keys would share results that differ.
 */
export function canonicalJson(value: unknown): string {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return JSON.stringify(value);
    case 'number':
      if (!Number.isFinite(value)) throw unsupported(String(value));
      return JSON.stringify(value);
    case 'object':
      return value === null ? 'null' : canonicalObject(value);
    default:
      throw unsupported(typeof value);
  }
}

/** sha256 (hex) of the canonical JSON. */
export function canonicalHash(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

function canonicalObject(value: object): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw unsupported(value.constructor.name);
  }
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

function unsupported(what: string): RatchetError {
  return new RatchetError('internal.not-json', `${what} cannot be part of a content key`);
}
