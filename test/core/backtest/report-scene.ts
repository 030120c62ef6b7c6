/** Backtests of the bundled indices by strategies of the catalogue, and reports of them. */
import {
  backtestRules,
  evaluateBacktest,
  startingAt,
  type BacktestResult,
  type BacktestRulesInput,
} from '../../../core/backtest/index.ts';
import type { BacktestReportInput, NamedResult } from '../../../core/backtest/report/index.ts';
import { barCount, sliceBars, type Bars } from '../../../core/bars/index.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { decide, strategySpecSchema } from '../../../core/strategies/index.ts';

const nyse = calendarFor('nyse');
/** More bars than any strategy here warms up on. */
const WARMUP = 260;

/** A strategy of the catalogue over these bars with an equal share of equity each. */
export function backtestOf(
  kind: string,
  bars: readonly Bars[],
  rules: BacktestRulesInput = {},
): BacktestResult {
  const spec = strategySpecSchema.parse({ kind });
  const series = bars.map((of) => {
    const { positions } = decide(spec, { bars: of, calendar: nyse });
    return { bars: of, calendar: nyse, targets: positions.map((p) => p / bars.length) };
  });
  const from = bars[0]!.openTime[WARMUP]!;
  const options = { paths: 100, sensitivity: true, resamples: 200 };
  return evaluateBacktest(startingAt(series, from), backtestRules(rules), options);
}

export const closesOf = (bars: readonly Bars[]): BacktestReportInput['closes'] =>
  bars.map(({ instrument, openTime, close }) => ({ instrument, time: openTime, close }));

/** The last `rows` bars. */
export const newest = (bars: Bars, rows: number): Bars => sliceBars(bars, barCount(bars) - rows);

export const reportOf = (
  result: BacktestResult,
  bars: readonly Bars[],
  more: Partial<BacktestReportInput> & { readonly strategyName?: string } = {},
): BacktestReportInput => {
  const { strategyName = 'sma-cross', ...rest } = more;
  const strategy: NamedResult = { name: strategyName, result };
  return { name: 'trend', strategy, beside: [], closes: closesOf(bars), origin: {}, ...rest };
};

/** A result with another curve: each row a day of this equity; whatever else it has is left as it is. */
export function withCurve(result: BacktestResult, equity: readonly number[]): BacktestResult {
  const time = equity.map((_, i) => Date.UTC(2000, 0, 1) + i * 86_400_000 + 75_600_000);
  return {
    ...result,
    rows: equity.length,
    curve: {
      time,
      equity: [...equity],
      drawdown: equity.map(() => 0),
      exposure: equity.map(() => 1),
      costs: equity.map(() => 0),
      turnover: equity.map(() => 0),
      buyAndHold: equity.map((_, i) => 10_000 + i),
    },
  };
}
