import type { Dimension, Space } from './space.ts';

/** Values of the searched hyperparameters by dotted path. */
export type Point = Readonly<Record<string, unknown>>;

/** Values of reals are rounded to so many digits: a trial can be written down and typed again. */
const DIGITS = 6;

type NumberDimension = Extract<Dimension, { kind: 'number' }>;

/**
 * Value at a share `u` in [0, 1] of a number's range: linear, or equal steps of the logarithm. Integers: the range
 * [low, high + 1) is cut into cells, so that both ends are as likely as the rest. Reals have 6 significant digits.
 */
export function valueAt(dimension: NumberDimension, u: number): number {
  const { low, high, integer } = dimension;
  const [from, to] = edgesOf(dimension);
  const raw = transformed(dimension) ? from * (to / from) ** u : from + (to - from) * u;
  const value = integer ? Math.floor(raw) : Number(raw.toPrecision(DIGITS));
  return Math.min(high, Math.max(low, value));
}

/** Share of the range at which a value lies; of an integer the middle of its cell. Inverse of `valueAt`. */
export function shareOf(dimension: NumberDimension, value: number): number {
  const [below, above] = cellOf(dimension, value);
  return (below + above) / 2;
}

/** Ends of an integer's cell as shares of the range; of a real both are its own share. */
export function cellOf(dimension: NumberDimension, value: number): readonly [number, number] {
  const [from, to] = edgesOf(dimension);
  const share = (at: number): number => {
    const u = transformed(dimension)
      ? Math.log(at / from) / Math.log(to / from)
      : (at - from) / (to - from);
    return Math.min(1, Math.max(0, u));
  };
  return dimension.integer ? [share(value), share(value + 1)] : [share(value), share(value)];
}

const transformed = ({ scale }: NumberDimension): boolean => scale === 'log';
const edgesOf = ({ low, high, integer }: NumberDimension): readonly [number, number] => [
  low,
  integer ? high + 1 : high,
];

/** The point at these shares, one a dimension; of choices the share picks one of equal parts. */
export function pointAt(space: Space, shares: readonly number[]): Point {
  return Object.fromEntries(
    space.map((dimension, i): [string, unknown] => {
      const u = shares[i]!;
      if (dimension.kind === 'number') return [dimension.path, valueAt(dimension, u)];
      const { choices, path } = dimension;
      return [path, choices[Math.min(choices.length - 1, Math.floor(u * choices.length))]];
    }),
  );
}

/** Same values, same text. */
export const pointKey = (space: Space, point: Point): string =>
  JSON.stringify(space.map(({ path }) => point[path]));

/** How many points there are; Infinity where a real number is searched. */
export const sizeOf = (space: Space): number =>
  space.reduce((size, dimension) => {
    if (dimension.kind === 'choice') return size * dimension.choices.length;
    return size * (dimension.integer ? dimension.high - dimension.low + 1 : Infinity);
  }, 1);

/** Hyperparameters with the point's values in their places; the given ones stay as they are. */
export function withPoint(
  hyperparameters: Readonly<Record<string, unknown>>,
  point: Point,
): Record<string, unknown> {
  const out: Record<string, unknown> = { ...hyperparameters };
  for (const [path, value] of Object.entries(point)) {
    const names = path.split('.');
    let at = out;
    for (const name of names.slice(0, -1)) {
      at[name] = { ...(at[name] as Record<string, unknown> | undefined) };
      at = at[name] as Record<string, unknown>;
    }
    at[names.at(-1)!] = value;
  }
  return out;
}
