import { RatchetError } from '../errors.ts';
import { blockLength, drawBlocks, quantileOfSorted } from '../metrics/bootstrap.ts';
import type { BacktestFacts } from './facts.ts';
import { MIN_RETURNS } from './metrics/moments.ts';

export const PATHS = 1_000;
const PATHS_MAX = 10_000;
/** Steps of all paths together: some seconds of work. */
const STEPS_MAX = 1_000_000_000;

/** Percentiles over the paths. */
export interface Band {
  readonly p5: number;
  readonly p25: number;
  readonly p50: number;
  readonly p75: number;
  readonly p95: number;
}

export interface MonteCarlo {
  readonly paths: number;
  /** Rows that are drawn together. */
  readonly block: number;
  readonly seed: number;
  readonly tooFewBlocks: boolean;
  /** Quote currency. */
  readonly finalEquity: Band;
  /** 0 or negative. */
  readonly maxDrawdown: Band;
  /** By row, annualised; null where a path has no spread. */
  readonly sharpeByBar: Band | null;
  /** Share of paths that end below the initial equity. */
  readonly lossShare: number;
}

/**
 * What else the same bars could have brought in another order: paths as long as the run, made of blocks of consecutive
 * returns (circular, drawn with replacement), so that what clusters stays together; single trades would not.
 * A path ends where its equity is gone. It tells how far the run's figures are luck of the order; it knows no market that
 * the run has not seen.
 *
 * null with fewer than 20 returns. Errors: `backtest.paths` above 10,000 paths or 1e9 steps.
 */
export function monteCarlo(
  facts: BacktestFacts,
  options: { readonly paths?: number; readonly seed?: number; readonly block?: number } = {},
): MonteCarlo | null {
  const { returns, run, barsPerYear, daysPerYear } = facts;
  const { paths = PATHS, seed = 1 } = options;
  const n = returns.length;
  if (n < MIN_RETURNS) return null;
  if (!(paths >= 1 && paths <= PATHS_MAX && paths * n <= STEPS_MAX)) {
    throw new RatchetError(
      'backtest.paths',
      `1 to ${PATHS_MAX} paths and ${STEPS_MAX} steps at most, not ${paths} paths of ${n} bars`,
    );
  }
  const barsPerDay = Math.max(1, Math.round(barsPerYear / daysPerYear));
  const block = Math.min(n, options.block ?? blockLength(n, 1, barsPerDay));
  const { starts, tooFewBlocks } = drawBlocks({ n, block, seed, resamples: paths });
  const finals = new Float64Array(paths);
  const drawdowns = new Float64Array(paths);
  const sharpes = new Float64Array(paths);
  const perPath = Math.ceil(n / block);
  const drawn = new Float64Array(n);
  for (let p = 0; p < paths; p++) {
    fillPath(returns, starts.subarray(p * perPath, (p + 1) * perPath), block, drawn);
    const path = walk(drawn);
    finals[p] = run.initialEquity * path.growth;
    drawdowns[p] = path.maxDrawdown;
    sharpes[p] = path.sharpe * Math.sqrt(barsPerYear);
  }
  return {
    paths,
    block,
    seed,
    tooFewBlocks,
    finalEquity: bandOf(finals),
    maxDrawdown: bandOf(drawdowns),
    sharpeByBar: sharpes.every(Number.isFinite) ? bandOf(sharpes) : null,
    lossShare: finals.filter((money) => money < run.initialEquity).length / paths,
  };
}

function fillPath(from: Float64Array, starts: Int32Array, block: number, to: Float64Array): void {
  const n = from.length;
  let at = 0;
  for (const start of starts) {
    for (let i = start; i < start + block && at < n; i++) to[at++] = from[i < n ? i : i - n]!;
  }
}

function walk(returns: Float64Array): {
  readonly growth: number;
  readonly maxDrawdown: number;
  readonly sharpe: number;
} {
  const n = returns.length;
  let growth = 1;
  let highest = 1;
  let maxDrawdown = 0;
  let sum = 0;
  let squares = 0;
  // Who has nothing left trades no more: later returns are of no money, and would turn a debt into a gain.
  for (let t = 0; t < n && growth > 0; t++) {
    const r = returns[t]!;
    growth *= 1 + r;
    highest = Math.max(highest, growth);
    maxDrawdown = Math.min(maxDrawdown, growth / highest - 1);
    sum += r;
    squares += r * r;
  }
  const mean = sum / n;
  const variance = (squares - n * mean * mean) / (n - 1);
  // What is left of equal returns is rounding.
  const spread = variance > 1e-15 * (squares / n) ? Math.sqrt(variance) : 0;
  return { growth, maxDrawdown, sharpe: mean / spread };
}

function bandOf(values: Float64Array): Band {
  const sorted = values.toSorted();
  const [p5, p25, p50, p75, p95] = [0.05, 0.25, 0.5, 0.75, 0.95].map((q) =>
    quantileOfSorted(sorted, q),
  );
  return { p5: p5!, p25: p25!, p50: p50!, p75: p75!, p95: p95! };
}
