import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import koffi from 'koffi';
import { RatchetError } from '../../errors.ts';

/** A native function; pointers are opaque to us. */
export type NativeFunction = (...args: unknown[]) => unknown;

/** An object in native memory. */
export type Handle = { readonly __handle: true };

export interface NativeLibrary {
  /** Declares a C function by its prototype. */
  func(prototype: string): NativeFunction;
  /** First characters of the file's sha256: equal libraries give equal trees. */
  readonly digest: string;
}

const DIGEST_CHARS = 16;
const decode = koffi.decode as (pointer: unknown, type: string, length: number) => unknown;

/** Where set-up put the libraries, seen from the sources and from dist/. */
function placeOf(path: string): string | undefined {
  return ['../../../', '../../../../']
    .map((up) => fileURLToPath(new URL(`${up}.tools/trees/${path}`, import.meta.url)))
    .find((place) => existsSync(place));
}

/**
 * Loads a library of `.tools/trees`; only training children and those that explain a prediction do.
 * Throws `training.no-trees` where set-up has not provided it, or the system lacks what it needs.
 */
function openLibrary(path: string): NativeLibrary {
  const place = placeOf(path);
  try {
    if (place === undefined) throw new Error(`no ${path}`);
    const library = koffi.load(place);
    const digest = createHash('sha256').update(readFileSync(place)).digest('hex');
    return {
      func: (prototype) => library.func(prototype) as NativeFunction,
      digest: `sha256:${digest.slice(0, DIGEST_CHARS)}`,
    };
  } catch (cause) {
    throw new RatchetError(
      'training.no-trees',
      'the library of boosted trees is not usable here: run `node infra/setup.mjs`, which says what is missing',
      { cause },
    );
  }
}

/** The functions of one library that an engine calls. */
export interface Bound<F> {
  /** Opened when it is first asked for, once a process; throws `training.no-trees`. */
  functions(): F;
  /** Throws `training.library`, in the library's own words, where a function gave back that it failed. */
  check(code: unknown): void;
}

/** What `bindings` declares of the library at `path`; `title` is how errors call it. */
export function bindLibrary<F extends { readonly lastError: NativeFunction }>(
  title: string,
  path: string,
  bindings: (library: NativeLibrary) => F,
): Bound<F> {
  let bound: F | undefined;
  const functions = (): F => (bound ??= bindings(openLibrary(path)));
  return {
    functions,
    check: (code) => {
      if (code === 0) return;
      throw new RatchetError('training.library', `${title}: ${String(functions().lastError())}`);
    },
  };
}

/** Calls with a last argument `void** out` and gives what was put there. */
export function made(check: (code: unknown) => void, call: (out: unknown[]) => unknown): Handle {
  const out: unknown[] = [null];
  check(call(out));
  return out[0] as Handle;
}

/** A copy of `length` floats at a pointer. */
export const floatsAt = (pointer: unknown, length: number): Float32Array =>
  length === 0
    ? new Float32Array(0)
    : Float32Array.from(decode(pointer, 'float', length) as ArrayLike<number>);

/** A copy of `length` bytes at a pointer. */
export const bytesAt = (pointer: unknown, length: number): Uint8Array =>
  Uint8Array.from(decode(pointer, 'uint8_t', length) as ArrayLike<number>);

/** `length` strings at a pointer to pointers. */
export const stringsAt = (pointer: unknown, length: number): readonly string[] =>
  length === 0 ? [] : (decode(pointer, 'char*', length) as string[]);

/** `length` unsigned 64-bit numbers at a pointer. */
export const countsAt = (pointer: unknown, length: number): readonly number[] =>
  Array.from(decode(pointer, 'uint64_t', length) as ArrayLike<number | bigint>, Number);
