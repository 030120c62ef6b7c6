import { valueAt, type Point } from './point.ts';
import { defineSearch } from './search-method.ts';
import type { Dimension, Space } from './space.ts';

/** Every combination of a few values per hyperparameter, the last one varying fastest. */
export const grid = defineSearch({
  name: 'grid',
  docs:
    'Every combination of a few values: all choices, and of a number `points` values from `low` to `high` in equal ' +
    'steps of its scale (default: as many as the trials allow, at least 2).',
  pointsOf: (space, trials) => axesOf(space, trials).reduce((n, axis) => n * axis.length, 1),
  suggest: ({ space, trials, index }) => {
    const axes = axesOf(space, trials);
    const values: unknown[] = [];
    let rest = index;
    for (const axis of axes.toReversed()) {
      values.unshift(axis[rest % axis.length]);
      rest = Math.floor(rest / axis.length);
    }
    if (rest > 0) return undefined;
    return Object.fromEntries(space.map(({ path }, i) => [path, values[i]])) as Point;
  },
});

/** Values along each dimension. */
function axesOf(space: Space, trials: number): readonly (readonly unknown[])[] {
  const open = space.filter((d) => d.kind === 'number' && d.points === undefined);
  const fixed = space.reduce((n, d) => n * (fixedPoints(d) ?? 1), 1);
  // The largest n with fixed x n^open <= trials; the half guards against 2.9999 for 3.
  const root = Math.floor((trials / fixed + 0.5) ** (1 / Math.max(1, open.length)));
  const points = Math.max(2, fixed * root ** open.length > trials ? root - 1 : root);
  return space.map((dimension) => axisOf(dimension, fixedPoints(dimension) ?? points));
}

const fixedPoints = (dimension: Dimension): number | undefined =>
  dimension.kind === 'choice' ? dimension.choices.length : dimension.points;

function axisOf(dimension: Dimension, points: number): readonly unknown[] {
  if (dimension.kind === 'choice') return dimension.choices;
  const values = Array.from({ length: points }, (_, i) => valueAt(dimension, i / (points - 1)));
  return [...new Set(values)];
}
