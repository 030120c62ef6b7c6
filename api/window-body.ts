/** Bodies that hold a window of numbers: 60 x 152 of them are 180 kB of text, which is read once, without making it a string. */
import { readDecimal, type Decimal } from './decimal.ts';

const [OPEN, CLOSE, COMMA] = [0x5b, 0x5d, 0x2c];
const KEY = Buffer.from('"window":[[');
/** In the place of the window in what is left of a body. */
const PLACEHOLDER = Buffer.from('"window":[[0]]');
const NULL = Buffer.from('null');

export interface WindowBody {
  /** The body with `[[0]]` in the place of the window. */
  readonly rest: Buffer;
  /** Row-major; NaN for null. */
  readonly values: Float64Array;
}

/** Rows and columns that a window may have. */
export interface WindowLimits {
  readonly rows: number;
  readonly columns: number;
}

/**
 * The window of a body and the rest of it; undefined where there is none that is written without spaces, that is even, of
 * finite numbers and nulls, and within `limits`: then the whole body has to be read, which also says what is wrong with it.
 * Whether that key is a field of the body says the rest: JSON has no other place for it but an object deeper inside, and
 * there a reader of the rest finds it.
 */
export function windowOf(bytes: Buffer, limits: WindowLimits): WindowBody | undefined {
  const at = bytes.indexOf(KEY);
  if (at < 0) return undefined;
  const read = readRows(bytes, at + KEY.length - 1, limits);
  if (!read) return undefined;
  const { values, end } = read;
  const rest = Buffer.concat([bytes.subarray(0, at), PLACEHOLDER, bytes.subarray(end)]);
  return { rest, values };
}

/** Rows from the bracket of the first one on, and where the bracket behind the last one ends. */
function readRows(
  bytes: Buffer,
  from: number,
  limits: WindowLimits,
): { readonly values: Float64Array; readonly end: number } | undefined {
  const into: Decimal = { end: from, value: 0 };
  let values = new Float64Array(limits.columns);
  let [count, rows, width, at] = [0, 0, 0, from];
  for (;;) {
    if (bytes[at] !== OPEN || rows === limits.rows) return undefined;
    const widest = rows === 0 ? limits.columns : width;
    const most = count + widest;
    if (values.length < most) values = grown(values, Math.max(most, 2 * values.length));
    const first = count;
    do {
      if (count - first === widest || !readEntry(bytes, at + 1, into)) return undefined;
      values[count++] = into.value;
      at = into.end;
    } while (bytes[at] === COMMA);
    if (bytes[at] !== CLOSE) return undefined;
    if (rows++ === 0) {
      width = count;
      // Others are mostly as long as the first one.
      const alike = Math.ceil((bytes.length - from) / (at - from));
      values = grown(values, width * Math.min(limits.rows, alike));
    }
    if (count !== rows * width) return undefined;
    at++;
    if (bytes[at] === CLOSE) return { values: values.subarray(0, count), end: at + 1 };
    if (bytes[at] !== COMMA) return undefined;
    at++;
  }
}

function grown(values: Float64Array, size: number): Float64Array<ArrayBuffer> {
  const more = new Float64Array(size);
  more.set(values.subarray(0, size));
  return more;
}

function readEntry(bytes: Buffer, at: number, into: Decimal): boolean {
  if (bytes[at] !== NULL[0]) return readDecimal(bytes, at, into);
  if (!NULL.every((byte, i) => bytes[at + i] === byte)) return false;
  into.value = Number.NaN;
  into.end = at + NULL.length;
  return true;
}
