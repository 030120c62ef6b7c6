import type { SeriesPoint } from './series.ts';

/** When values arrived, and how long after their publication an arrival counts as live (ms). */
export interface SeriesArrival {
  readonly arrivedAt: number;
  readonly liveMs: number;
}

/**
 * What must be appended so that a stored series says what its source says now; never a deletion. Both in any order.
 * Of a period never seen: its values as the source dates them, those that arrive live from their arrival on, because until then
 * nobody here could use them. Of a known period: the values that follow those stored. Where the source tells
 * another past (one without vintages that revised a value), its newest value is known from its arrival on.
 */
export function newVintages(
  stored: readonly SeriesPoint[],
  incoming: readonly SeriesPoint[],
  { arrivedAt, liveMs }: SeriesArrival,
): SeriesPoint[] {
  const known = byPeriod(stored);
  const added: SeriesPoint[] = [];
  const seen = (point: SeriesPoint): SeriesPoint => ({
    ...point,
    knownAt:
      arrivedAt <= point.knownAt + liveMs ? Math.max(arrivedAt, point.knownAt) : point.knownAt,
  });
  for (const [period, all] of byPeriod(incoming)) {
    const before = known.get(period) ?? [];
    const vintages = changesOf(all);
    const last = before.at(-1);
    const goesOn = before.every(({ value }, i) => vintages[i]?.value === value);
    if (!goesOn && last?.value === vintages.at(-1)!.value) continue;
    const rest = goesOn ? vintages.slice(before.length) : vintages.slice(-1);
    let after = last?.knownAt ?? Number.NEGATIVE_INFINITY;
    for (const point of rest) {
      const dated = seen(point).knownAt;
      // What comes after a value that was stored cannot have been known before it.
      const knownAt = goesOn && dated > after ? dated : Math.max(arrivedAt, after + 1);
      added.push({ ...point, knownAt });
      after = knownAt;
    }
  }
  return added;
}

/** Points of one time and key, by when they became known. */
function byPeriod(points: readonly SeriesPoint[]): Map<string, SeriesPoint[]> {
  const found = new Map<string, SeriesPoint[]>();
  for (const point of points.toSorted((a, b) => a.knownAt - b.knownAt)) {
    const period = `${point.time}/${point.key ?? ''}`;
    const list = found.get(period);
    if (list) list.push(point);
    else found.set(period, [point]);
  }
  return found;
}

/** The first of each run of equal values: a vintage that repeats the one before says nothing new. */
const changesOf = (points: readonly SeriesPoint[]): SeriesPoint[] =>
  points.filter(({ value }, i) => i === 0 || points[i - 1]!.value !== value);
