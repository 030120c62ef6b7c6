/** What was tried before a backtest, for its deflated Sharpe ratio. */
import { twinNames } from '../core/backtest/index.ts';
import { canonicalJson, type BacktestSpec } from '../core/spec/index.ts';
import { needsModel } from '../core/strategies/index.ts';
import { backtestSpecOf, type Backtest } from './backtests.ts';
import type { Db } from './in-transaction.ts';

/**
 * Sharpe ratios by bar, annualised as they are stored, of all that was tried under its name before: each strategy once, by
 * the newest backtest that had ended when this one was asked for, and none of those that this one tries itself. What ended
 * later does not count, so that a repeat of its last step counts the same.
 */
export async function sharpesBefore(
  db: Db,
  row: Pick<Backtest, 'id' | 'name' | 'spec' | 'created_at'>,
): Promise<readonly number[]> {
  const rows = await db
    .selectFrom('backtest')
    .select(['results', 'spec'])
    .where('name', '=', row.name)
    .where('id', '<', row.id)
    .where('status', '=', 'completed')
    .where('finished_at', '<=', row.created_at)
    .orderBy('id', 'desc')
    .execute();
  const counted = new Set(triesOf(backtestSpecOf(row)).values());
  const sharpes: number[] = [];
  for (const { results, spec } of rows) {
    const tries = triesOf(backtestSpecOf({ spec }));
    for (const { strategy, metrics } of results ?? []) {
      const tried = tries.get(strategy) ?? strategy;
      const sharpe = metrics['sharpeByBar'] ?? null;
      if (counted.has(tried) || sharpe === null) continue;
      counted.add(tried);
      sharpes.push(sharpe);
    }
  }
  return sharpes;
}

/**
 * What each strategy and portfolio tries, by its name: what decides, on which instruments, by which rules. Another stretch of
 * time, seed, name or neighbour in the spec is no other try.
 */
function triesOf(spec: BacktestSpec): ReadonlyMap<string, string> {
  const { data, rules, model, horizon } = spec;
  const instruments = data.instruments.map(({ id }) => id).sort();
  const frame = { instruments, timeframe: data.timeframe, rules };
  const strategyOf = (name: string): object => {
    const strategy = spec.strategies[name]!;
    return { strategy, ...(needsModel(strategy) && { model, horizon }) };
  };
  const tries = new Map<string, string>();
  for (const name of Object.keys(spec.strategies)) {
    tries.set(name, canonicalJson({ ...frame, ...strategyOf(name) }));
    for (const [kind, twin] of Object.entries(twinNames(name))) {
      tries.set(twin, canonicalJson({ ...frame, ...strategyOf(name), kind }));
    }
  }
  for (const [name, { of, ...portfolio }] of Object.entries(spec.portfolios ?? {})) {
    tries.set(name, canonicalJson({ ...frame, portfolio, of: of.map(strategyOf) }));
  }
  return tries;
}
