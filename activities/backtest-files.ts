import type { Bars } from '../core/bars/bars.ts';
import type { AnswerColumns, SimulatedStrategy } from '../core/backtest/index.ts';
import type { BacktestSpec } from '../core/spec/index.ts';
import type { Backtest } from '../registry/backtests.ts';
import type { StoredFile } from '../registry/tables.ts';
import type { ActivityDeps } from './deps.ts';

/** What a report is made of. */
export interface BacktestFacts {
  readonly row: Backtest;
  readonly spec: BacktestSpec;
  readonly bars: readonly Bars[];
  readonly answers: ReadonlyMap<string, AnswerColumns>;
  readonly results: readonly SimulatedStrategy[];
  readonly verdict: string;
}

export async function backtestFiles(
  _deps: ActivityDeps,
  _facts: BacktestFacts,
): Promise<readonly StoredFile[]> {
  return [];
}
