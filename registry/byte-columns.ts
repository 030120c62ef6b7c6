/**
 * Columns that the database sends whole, as `string_agg(float8send(x), ''::bytea ORDER BY ...)`: the stored bits, without
 * an object a row. Each call takes the bytes over: they are swapped in place.
 */
export const doublesOf = (bytes: Buffer): Float64Array => new Float64Array(copyOf(bytes.swap64()));

/** Of `int4send`. */
export const intsOf = (bytes: Buffer): Int32Array => new Int32Array(copyOf(bytes.swap32()));

/** Memory of its own, aligned: a Buffer may lie anywhere in a pool. */
const copyOf = (bytes: Buffer): ArrayBuffer => new Uint8Array(bytes).buffer;
