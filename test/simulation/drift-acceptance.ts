/** The limits of protocol P2 and what is outside them. */
import type { Cell, Count, Method } from './drift-protocol.ts';

/** Mean retrains in an unchanged year, at its one-sided 95 % upper bound. */
export const RETRAINS_A_YEAR = 1;
/** Share of unchanged years with more than one retrain. */
export const BUSY_YEARS = 0.1;
/** Alarms when volatility doubles, over those when nothing changes. */
export const VOLATILITY_RATIO = 1.5;
const ONE_SIDED_95 = 1.645;

export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Of a share of n trials: chance explains two errors more. */
const shareError = (share: number, n: number): number => Math.sqrt((share * (1 - share)) / n);

export interface Rates {
  readonly years: number;
  readonly retrains: number;
  /** Upper 95 % bound of the mean, years of a pair taken together (they share one calibration). */
  readonly retrainsUpper: number;
  readonly alarms: number;
  /** Share of years with an alarm: what the calibration's 10 % is about. */
  readonly alarmedYears: number;
  readonly busyYears: number;
}

/** Of the unchanged years of some counts together. */
export function ratesOf(counts: readonly Count[], yearsAPair: number): Rates {
  const retrains = counts.flatMap((count) => count.retrains);
  const alarms = counts.flatMap((count) => count.alarms);
  const pairs: number[] = [];
  for (let at = 0; at < retrains.length; at += yearsAPair) {
    pairs.push(meanOf(retrains.slice(at, at + yearsAPair)));
  }
  const mean = meanOf(pairs);
  const variance = pairs.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (pairs.length - 1);
  return {
    years: retrains.length,
    retrains: mean,
    retrainsUpper: mean + ONE_SIDED_95 * Math.sqrt(variance / pairs.length),
    alarms: meanOf(alarms),
    alarmedYears: alarms.filter((n) => n > 0).length / alarms.length,
    busyYears: retrains.filter((n) => n > 1).length / retrains.length,
  };
}

export const select = (
  counts: readonly Count[],
  where: { method?: Method; cell?: Cell; design?: string; market?: string },
): readonly Count[] =>
  counts.filter(
    (count) =>
      (where.method === undefined || count.method === where.method) &&
      (where.cell === undefined || count.cell === where.cell) &&
      (where.design === undefined || count.design.name === where.design) &&
      (where.market === undefined || count.market === where.market),
  );

/** Pairs with an alarm within a year after the change, as a share. */
export const alarmedShare = (counts: readonly Count[]): number =>
  counts.reduce((sum, { alarmed }) => sum + alarmed, 0) /
  counts.reduce((sum, { pairs }) => sum + pairs, 0);

/**
 * What is outside its limit, in words; empty: accepted. Retrains are held to their limits market by market; the ratio
 * of alarms over all markets of a cell, with two standard errors of chance.
 */
export function outside(
  counts: readonly Count[],
  method: Method,
  yearsAPair: number,
): readonly string[] {
  const found: string[] = [];
  const mine = select(counts, { method });
  for (const cell of new Set(mine.map((count) => count.cell))) {
    for (const market of new Set(mine.map((count) => count.market))) {
      const rates = ratesOf(select(mine, { cell, market, design: 'unchanged' }), yearsAPair);
      const name = `${method}, ${cell.name}, ${market}`;
      if (rates.retrainsUpper > RETRAINS_A_YEAR) {
        found.push(`${name}: ${rates.retrainsUpper.toFixed(2)} retrains a year (upper bound)`);
      }
      if (rates.busyYears > BUSY_YEARS) {
        found.push(
          `${name}: ${(100 * rates.busyYears).toFixed(1)} % of years with several retrains`,
        );
      }
    }
    const calm = alarmedShare(select(mine, { cell, design: 'unchanged' }));
    const wild = alarmedShare(select(mine, { cell, design: 'volatility x2' }));
    const pairs = select(mine, { cell, design: 'unchanged' }).reduce((n, c) => n + c.pairs, 0);
    if (wild > VOLATILITY_RATIO * (calm + 2 * shareError(calm, pairs))) {
      found.push(
        `${method}, ${cell.name}: ${(wild / calm).toFixed(2)} times the alarms when volatility doubles`,
      );
    }
  }
  return found;
}
