/**
 * What the comparison test would have found: its power, by simulation.
 * Source: docs/gate-simulation.md, power of the cosine test at one-sided 5 % for a true loss reduction of 2 % and 5 %
 * (four markets, persistent forecasts, one seed, 1,000 series a cell; standard error up to 1.6 points).
 * Between the cells: linear in ln(n / h), the number of independent horizons.
 */
import { MIN_INDEPENDENT } from './comparison.ts';

const CELLS = [
  { rows: 720, horizon: 30, at2: 0.11, at5: 0.18 },
  { rows: 720, horizon: 7, at2: 0.18, at5: 0.32 },
  { rows: 4000, horizon: 12, at2: 0.34, at5: 0.67 },
  { rows: 720, horizon: 1, at2: 0.46, at5: 0.84 },
  { rows: 4000, horizon: 1, at2: 0.95, at5: 0.99 },
] as const;

export interface Power {
  /** Probability of finding a true loss reduction of 2 % (5 %). */
  readonly reduction2: number;
  readonly reduction5: number;
  /** The simulation has no cell with so many independent horizons: the figures are lower bounds. */
  readonly atLeast: boolean;
}

/** Power for n rows and horizon h; null below 20 independent horizons, where there is no test. */
export function powerOf(rows: number, horizon: number): Power | null {
  const independent = rows / horizon;
  if (!(independent >= MIN_INDEPENDENT)) return null;
  const x = Math.log(independent);
  const points = CELLS.map((cell) => ({ ...cell, x: Math.log(cell.rows / cell.horizon) }));
  const last = points.at(-1)!;
  if (x >= last.x) return { reduction2: last.at2, reduction5: last.at5, atLeast: x > last.x };
  const upper = Math.max(
    1,
    points.findIndex((point) => point.x > x),
  );
  const [a, b] = [points[upper - 1]!, points[upper]!];
  const share = Math.max(0, (x - a.x) / (b.x - a.x));
  return {
    reduction2: a.at2 + share * (b.at2 - a.at2),
    reduction5: a.at5 + share * (b.at5 - a.at5),
    atLeast: false,
  };
}
