/**
 * Protocol P1 (STATISTICS 4): how often the product's own tests promote a model that is not better, and how often they
 * find one that is. Single-threaded, seeded: the same series and seed give the same counts everywhere.
 */
import { compareLosses } from '../../core/metrics/comparison.ts';
import { clipScale, valueTest } from '../../core/metrics/e-value.ts';
import {
  blockMeans,
  blockRows,
  confidenceSequence,
  MIN_BLOCKS,
  type SequentialVerdict,
} from '../../core/metrics/sequential.ts';
import { levelOfTry } from '../../core/metrics/tries.ts';
import { designs, labelsOf, worldOf, type Design, type Losses } from './designs.ts';
import { markets } from './markets.ts';

export const ALPHA = 0.05;
/** Rows of the offline evaluation before a trial: they set the clip of the e-value. */
const OFFLINE_ROWS = 700;
/** What a naive test compares with: the normal quantile at one-sided 5 %. */
const CRITICAL = 1.6449;

/**
 * `test`: p <= 5 %. `gate`: p <= the level of the try, which is what promotes. `sequence`, `eValue`: the trial's tests.
 * `naive` and `peeking` are planted broken tests: a t-test that ignores overlap, one that looks at every block.
 */
export type Method = 'test' | 'gate' | 'naive' | 'sequence' | 'eValue' | 'peeking';

export interface Cell {
  readonly kind: 'fixed' | 'sequential';
  readonly rows: number;
  readonly horizon: number;
}

const fixed = (rows: number, horizon: number): Cell => ({ kind: 'fixed', rows, horizon });
const sequential = (rows: number, horizon: number): Cell => ({ kind: 'sequential', rows, horizon });

export const cells: readonly Cell[] = [
  fixed(720, 1),
  fixed(720, 7),
  fixed(720, 30),
  fixed(4000, 1),
  fixed(4000, 12),
  sequential(2000, 1),
  sequential(2000, 7),
  sequential(2000, 30),
  sequential(8000, 1),
  sequential(8000, 4),
  sequential(8000, 12),
];

/** Run by themselves, for longer series would change the draws of the cells above. */
export const furtherCells: readonly Cell[] = [
  sequential(2000, 12),
  sequential(8000, 7),
  sequential(8000, 30),
];

export const methodsOf = ({ kind }: Cell): readonly Method[] =>
  kind === 'fixed' ? ['test', 'gate', 'naive'] : ['sequence', 'eValue', 'peeking'];

/** What came of all series of one design in one cell by one method. */
export interface Count {
  readonly cell: Cell;
  readonly design: Design;
  readonly method: Method;
  series: number;
  promoted: number;
  /** Promoted, by market (a quarter of the series each). */
  readonly byMarket: number[];
  /** Aborted for harm (sequential tests). */
  harmed: number;
  /** Rows at each promotion (sequential tests). */
  readonly times: number[];
}

interface Outcome {
  readonly promoted: boolean;
  readonly harmed?: boolean;
  readonly rows?: number;
}

type Outcomes = Partial<Record<Method, Outcome>>;

/** One comparison of a champion with the challenger of try k. */
function judgeFixed(
  champion: Float64Array,
  seeds: readonly Float64Array[],
  { horizon, rows }: Cell,
  k: number,
): Outcomes {
  const { test, meanDifference } = compareLosses({ other: champion, challenger: seeds, horizon });
  if (!test) throw new Error('every cell of the protocol can be tested');
  let squares = 0;
  for (let t = 0; t < rows; t++) {
    let loss = 0;
    for (const seed of seeds) loss += seed[t]!;
    squares += (champion[t]! - loss / seeds.length - meanDifference) ** 2;
  }
  const naive = meanDifference / Math.sqrt(squares / (rows - 1) / rows);
  return {
    test: { promoted: test.p <= ALPHA },
    gate: { promoted: test.p <= levelOfTry(ALPHA, k) },
    naive: { promoted: naive > CRITICAL },
  };
}

function judgeSequential(
  champion: Float64Array,
  seeds: readonly Float64Array[],
  { horizon, rows }: Cell,
  alpha: number,
): Outcomes {
  // In a trial the served seed answers: no averages over seeds there.
  const d = champion.map((loss, t) => loss - seeds[0]![t]!);
  const trial = d.subarray(OFFLINE_ROWS);
  const scale = clipScale(d.subarray(0, OFFLINE_ROWS), horizon);
  if (scale === null) throw new Error('no scale for the clip');
  return {
    sequence: outcomeOf(confidenceSequence(trial, { horizon, alpha, plannedRows: rows })),
    eValue: outcomeOf(valueTest(trial, { horizon, alpha, scale })),
    peeking: peeking(trial, horizon),
  };
}

const outcomeOf = ({ decision, rows }: SequentialVerdict): Outcome => ({
  promoted: decision === 'better',
  harmed: decision === 'worse',
  rows,
});

/** The mistake that a sequential test is there for: a fixed-sample test at each block, until it likes what it sees. */
function peeking(trial: Float64Array, horizon: number): Outcome {
  const size = blockRows(horizon);
  let [sum, squares] = [0, 0];
  for (const [at, x] of blockMeans(trial, size).entries()) {
    const k = at + 1;
    sum += x;
    squares += x * x;
    const mean = sum / k;
    const error = Math.sqrt((squares / k - mean * mean) / (k - 1));
    if (k >= MIN_BLOCKS && mean > CRITICAL * error) return { promoted: true, rows: k * size };
  }
  return { promoted: false };
}

/** All challengers of one draw, in a row, until one is promoted. */
function judge({ champion, challengers }: Losses, cell: Cell, counts: Map<Method, Count>): void {
  const market = [...counts.values()][0]!.series % markets.length;
  const open = new Set(counts.keys());
  for (const [tried, seeds] of challengers.entries()) {
    if (open.size === 0) break;
    const level = challengers.length === 1 ? ALPHA : levelOfTry(ALPHA, tried + 1);
    const outcomes =
      cell.kind === 'fixed'
        ? judgeFixed(champion, seeds, cell, tried + 1)
        : judgeSequential(champion, seeds, cell, level);
    for (const method of open) {
      const count = counts.get(method)!;
      const outcome = outcomes[method]!;
      if (outcome.harmed) count.harmed++;
      if (!outcome.promoted) continue;
      open.delete(method);
      count.promoted++;
      count.byMarket[market]!++;
      if (outcome.rows !== undefined) count.times.push(outcome.rows);
    }
  }
  for (const count of counts.values()) count.series++;
}

export interface Run {
  readonly series: number;
  readonly seed: number;
  readonly cells: readonly Cell[];
  readonly designs?: readonly Design[];
  readonly progress?: (done: number) => void;
}

/** Series i comes from market i mod 4; every cell and design reads the same draws of it. */
export function simulate(run: Run): readonly Count[] {
  const tried = run.designs ?? designs;
  const groups = run.cells.flatMap((cell) =>
    tried
      .filter(({ only }) => only === undefined || only === cell.kind)
      .map((design) => ({
        cell,
        design,
        counts: new Map(
          methodsOf(cell).map((method) => [method, emptyCount(cell, design, method)]),
        ),
      })),
  );
  const rowsOf = (cell: Cell): number =>
    cell.rows + (cell.kind === 'sequential' ? OFFLINE_ROWS : 0);
  const longest = Math.max(...run.cells.map((cell) => rowsOf(cell) + cell.horizon + 1));
  for (let series = 0; series < run.series; series++) {
    const market = markets[series % markets.length]!;
    const world = worldOf(market, run.seed * 1_000_000 + series, longest);
    for (const { cell, design, counts } of groups) {
      const noise = labelsOf(world.returns, rowsOf(cell), cell.horizon);
      judge(design.losses(world, noise), cell, counts);
    }
    run.progress?.(series + 1);
  }
  return groups.flatMap(({ counts }) => [...counts.values()]);
}

function emptyCount(cell: Cell, design: Design, method: Method): Count {
  const byMarket = markets.map(() => 0);
  return { cell, design, method, series: 0, promoted: 0, byMarket, harmed: 0, times: [] };
}
