import { runPrepared, type FiguresRun } from './engine.ts';
import { BacktestFacts, yearOf } from './facts.ts';
import { annualReturn, totalReturn } from './metrics/growth.ts';
import { maxDrawdown } from './metrics/losses.ts';
import { sharpe } from './metrics/ratios.ts';
import { prepare, type Prepared } from './prepared.ts';
import { runFigures } from './rows.ts';
import type { BacktestRules } from './rules.ts';
import type { InstrumentSeries } from './series.ts';

/** How often the declared costs, and how many bars after the declared fill. */
export const COST_SCALES = [0, 1, 2, 3] as const;
export const EXTRA_DELAYS = [0, 1, 2, 3] as const;

/** The same run under other costs or later fills. */
export interface SensitivityPoint {
  readonly costScale: number;
  readonly delayBars: number;
  readonly totalReturn: number;
  readonly annualReturn: number | null;
  readonly sharpe: number | null;
  readonly maxDrawdown: number;
  readonly trades: number;
}

export interface Sensitivity {
  readonly costs: readonly SensitivityPoint[];
  readonly delays: readonly SensitivityPoint[];
}

/**
 * Runs the targets again at 0 to 3 times the costs, and with fills 0 to 3 bars later. A result that lives on one of
 * them is no result.
 */
export const sensitivityOf = (
  given: readonly InstrumentSeries[],
  rules: BacktestRules,
): Sensitivity => sensitivityOver(prepare(given), rules);

export function sensitivityOver(prepared: Prepared, rules: BacktestRules): Sensitivity {
  // One run after the other: each in the columns of the one before.
  const columns = runFigures(prepared.time.length);
  const pointOf = (scale: number, delay: number): SensitivityPoint => {
    const costScale = rules.costScale * scale;
    const delayBars = rules.fill.delayBars + delay;
    const changed = { ...rules, costScale, fill: { ...rules.fill, delayBars } };
    return pointOn(prepared, runPrepared(prepared, changed, columns), { costScale, delayBars });
  };
  return {
    costs: COST_SCALES.map((scale) => pointOf(scale, 0)),
    delays: EXTRA_DELAYS.map((delay) => pointOf(1, delay)),
  };
}

function pointOn(
  prepared: Prepared,
  run: FiguresRun,
  at: Pick<SensitivityPoint, 'costScale' | 'delayBars'>,
): SensitivityPoint {
  const instruments = prepared.series.map(({ bars, calendar }) => ({
    calendar,
    timeframe: bars.timeframe,
  }));
  const facts = new BacktestFacts(run, yearOf(instruments, run.time));
  const finite = (figure: number): number | null => (Number.isFinite(figure) ? figure : null);
  return {
    ...at,
    totalReturn: totalReturn.value(facts),
    annualReturn: finite(annualReturn.value(facts)),
    sharpe: finite(sharpe.value(facts)),
    maxDrawdown: maxDrawdown.value(facts),
    trades: run.trades.filter(({ open }) => !open).length,
  };
}
