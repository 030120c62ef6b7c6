/** Deepest nesting that a body may have: a spec has 6. */
export const MAX_JSON_DEPTH = 32;
/** Names that would reach into prototypes. */
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON = 0x3a;
const COMMA = 0x2c;
const MINUS = 0x2d;

interface Level {
  /** Keys seen so far; undefined in an array. */
  readonly keys: Set<string> | undefined;
  expectKey: boolean;
}

/**
 * Looks over JSON text before it is parsed, in one pass and without building values. Returns what is
 * wrong with it, or undefined: nesting beyond MAX_JSON_DEPTH, a key twice in one object, a key that
 * reaches into prototypes, a number that no float64 holds (1e400), a lone surrogate in a string.
 * Syntax errors are left to JSON.parse, which also decides what is JSON.
 */
export function jsonFault(text: string): string | undefined {
  const stack: Level[] = [];
  let top: Level | undefined;
  let i = 0;
  while (i < text.length) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      const end = endOfString(text, i);
      if (end < 0) return undefined;
      if (hasLoneSurrogate(text, i, end)) return 'a string holds half of a surrogate pair';
      if (top?.expectKey && top.keys) {
        const fault = keyFault(text.slice(i, end + 1), top.keys);
        if (fault) return fault;
        top.expectKey = false;
      }
      i = end + 1;
      continue;
    }
    if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      if (stack.length >= MAX_JSON_DEPTH) return `nested deeper than ${MAX_JSON_DEPTH}`;
      top = { keys: c === OPEN_BRACE ? new Set() : undefined, expectKey: c === OPEN_BRACE };
      stack.push(top);
    } else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
      stack.pop();
      top = stack.at(-1);
    } else if (c === COMMA) {
      if (top?.keys) top.expectKey = true;
    } else if (c === MINUS || (c >= 0x30 && c <= 0x39)) {
      const end = endOfNumber(text, i);
      if (overflows(text, i, end)) return 'a number is too large for a float64';
      i = end;
      continue;
    } else if (c === COLON && top?.keys) {
      top.expectKey = false;
    }
    i++;
  }
  return undefined;
}

/** Position of the closing quote, or -1. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end > 0) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
  return -1;
}

function endOfNumber(text: string, start: number): number {
  let i = start + 1;
  for (; i < text.length; i++) {
    const c = text.charCodeAt(i);
    const numeric =
      (c >= 0x30 && c <= 0x39) ||
      c === 0x2e ||
      c === 0x65 ||
      c === 0x45 ||
      c === 0x2b ||
      c === MINUS;
    if (!numeric) break;
  }
  return i;
}

/** Only a long number or one with an exponent can be beyond float64: others are not converted. */
function overflows(text: string, from: number, to: number): boolean {
  let suspicious = to - from > 300;
  for (let i = from; i < to && !suspicious; i++) suspicious = (text.charCodeAt(i) | 0x20) === 0x65;
  return suspicious && !Number.isFinite(Number(text.slice(from, to)));
}

/** Escapes such as \uD800 alone: text that has no UTF-8 form, which no store would take. */
function hasLoneSurrogate(text: string, from: number, to: number): boolean {
  const escape = text.indexOf('\\u', from);
  if (escape < 0 || escape > to) return false;
  return LONE_SURROGATE.test(text.slice(from, to + 1));
}
const LONE_SURROGATE =
  /\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]/;

function keyFault(literal: string, keys: Set<string>): string | undefined {
  let key: string;
  try {
    // Escapes may spell a key in two ways: compare what they mean.
    key = literal.includes('\\') ? (JSON.parse(literal) as string) : literal.slice(1, -1);
  } catch {
    return undefined;
  }
  if (FORBIDDEN_KEYS.has(key)) return `the key "${key}" is not allowed`;
  if (keys.has(key)) return `the key "${key.slice(0, 64)}" stands twice`;
  keys.add(key);
  return undefined;
}
