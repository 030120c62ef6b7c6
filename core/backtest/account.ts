import { accountFacts } from '../advice/account.ts';
import type { AccountFacts } from '../advice/facts.ts';
import { runBacktest } from './engine.ts';
import { instantsOf } from './instants.ts';
import type { BacktestRules } from './rules.ts';
import type { InstrumentSeries } from './series.ts';

/** The account at the close of a bar (open time, ms UTC) of an instrument; null: there is none, or nothing is left of it. */
export type AccountAt = (instrument: string, openTime: number) => AccountFacts | null;

/**
 * The account that followed `series` through a backtest, as it stood at the close of each bar before anything was decided
 * there: of the past of that bar alone, for the engine never sees a later one. Throws what `runBacktest` throws.
 */
export function accountOf(series: readonly InstrumentSeries[], rules: BacktestRules): AccountAt {
  if (series.length === 0) return () => null;
  const run = runBacktest(series, rules);
  const rowAt = new Map(Array.from(run.time, (time, row) => [time, row]));
  const closes = new Map(
    series.map(({ bars, calendar }) => {
      const { closeAt } = instantsOf(bars, calendar);
      return [bars.instrument, new Map(Array.from(bars.openTime, (at, t) => [at, closeAt[t]!]))];
    }),
  );
  const highest = new Float64Array(run.equity.length);
  run.equity.forEach((equity, row) => {
    highest[row] = Math.max(equity, row === 0 ? run.initialEquity : highest[row - 1]!);
  });
  const width = run.instruments.length;
  return (instrument, openTime) => {
    const close = closes.get(instrument)?.get(openTime);
    const row = close === undefined ? undefined : rowAt.get(close);
    const equity = row === undefined ? 0 : run.equity[row]!;
    if (row === undefined || !(equity > 0)) return null;
    const positions = Object.fromEntries(
      run.instruments.map((id, i) => [id, run.weights[row * width + i]! * equity]),
    );
    const cash = run.cash[row]!;
    return accountFacts({ equity, cash, highestEquity: highest[row]!, positions }, instrument);
  };
}
