import { setImmediate } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { backtestAdvice, backtestAdviceSchema, type BacktestAdvice } from '../core/advice/index.ts';
import { simulate, type SimulatedStrategy } from '../core/backtest/index.ts';
import {
  adviceWarnings,
  cutPeriodWarnings,
  revisionWarnings,
} from '../core/backtest/report/index.ts';
import type { BacktestSpec } from '../core/spec/index.ts';
import {
  appendBacktestEvent,
  backtestOrThrow,
  backtestSpecOf,
  endBacktest,
  type Backtest,
} from '../registry/backtests.ts';
import { sharpesBefore } from '../registry/backtest-tries.ts';
import { revisedBars, type RevisedBars } from '../registry/revised-bars.ts';
import { servedSourcesOf } from '../registry/served-bars.ts';
import type { StoredStrategyResult } from '../registry/tables.ts';
import { backtestFiles } from './backtest-files.ts';
import { materialOf, type BacktestMaterial } from './backtest-material.ts';
import { periodOf } from './backtest-plan.ts';
import { Sizing } from './backtest-sizing.ts';
import type { SimulateInput, SimulateResult } from './contracts-backtest.ts';
import type { ActivityDeps } from './deps.ts';

/** Strategies through the period: figures, trades, report. */
export function createBacktestSimulateActivities(deps: ActivityDeps) {
  return {
    /** Errors: `backtest.noBars`, `backtest.*` of the engine, `strategies.*`. */
    async simulateBacktest(input: SimulateInput): Promise<SimulateResult> {
      const row = await backtestOrThrow(deps.db, input.backtestId);
      if (row.status === 'completed') return { verdict: row.message ?? '' };
      const spec = backtestSpecOf(row);
      const { folds } = input;
      const material = await materialOf(deps, row, spec, folds);
      const sizing = new Sizing(
        spec,
        periodOf(spec, row.created_at),
        await adviceOfInput(deps, input),
      );
      const results = await simulated(deps, row, spec, material, sizing);
      const stored = await storeResults(deps, row, results);
      const { bars, answers, instruments } = material;
      const advice = sizing.origins(results);
      const revised = await revisedOf(deps, row, spec);
      const warnings = [
        ...cutPeriodWarnings(spec.period, instruments),
        ...adviceWarnings(advice),
        ...revisionWarnings(revised),
      ];
      const found = { row, spec, folds, bars, answers, results, advice, warnings };
      const { verdict, files } = await backtestFiles(deps, found);
      const said = { message: verdict, results: stored, files, warnings };
      const end = { status: 'completed' as const, ...said };
      await endBacktest(deps.db, row.id, end);
      return { verdict };
    },
  };
}

/** Bars of the period that were known otherwise before. */
async function revisedOf(
  { db, datasets }: ActivityDeps,
  row: Backtest,
  spec: BacktestSpec,
): Promise<readonly RevisedBars[]> {
  const { timeframe, sources } = spec.data;
  const span = { ...periodOf(spec, row.created_at), by: row.created_at.getTime() };
  const found: RevisedBars[] = [];
  for (const { id: instrument } of spec.data.instruments) {
    const served = await servedSourcesOf(db, datasets, { instrument, timeframe, sources });
    found.push(await revisedBars(db, instrument, timeframe, served, span));
    Context.current().heartbeat();
  }
  return found;
}

async function adviceOfInput(
  { artifacts }: ActivityDeps,
  { advice }: SimulateInput,
): Promise<BacktestAdvice> {
  if (advice === undefined) return backtestAdvice({});
  const text = new TextDecoder().decode(await artifacts.get(advice));
  return backtestAdviceSchema.parse(JSON.parse(text));
}

async function simulated(
  deps: ActivityDeps,
  row: Backtest,
  spec: BacktestSpec,
  { instruments }: BacktestMaterial,
  { sizers }: Sizing,
): Promise<readonly SimulatedStrategy[]> {
  return simulate(
    {
      ...{ instruments, sizers },
      strategies: spec.strategies,
      ...(spec.portfolios && { portfolios: spec.portfolios }),
      rules: spec.rules,
      ...periodOf(spec, row.created_at),
      paths: spec.paths,
      seed: spec.seed,
      earlierSharpes: await sharpesBefore(deps.db, row),
    },
    async () => {
      Context.current().heartbeat();
      if (Context.current().cancellationSignal.aborted) await Context.current().cancelled;
      // Lets the heartbeat leave before the next strategy.
      await setImmediate();
    },
  );
}

async function storeResults(
  { db, artifacts }: ActivityDeps,
  { id }: Backtest,
  results: readonly SimulatedStrategy[],
): Promise<readonly StoredStrategyResult[]> {
  const stored: StoredStrategyResult[] = [];
  for (const { name, result } of results) {
    const bytes = new TextEncoder().encode(JSON.stringify(result));
    const { uri } = await artifacts.put(bytes, result.rows);
    const { metrics, finalEquity } = result;
    const trades = result.trades.filter(({ open }) => !open).length;
    stored.push({ strategy: name, metrics, finalEquity, trades, uri });
    const payload = { strategy: name, finalEquity, trades, metrics };
    await appendBacktestEvent(db, id, { kind: 'result', key: `result/${name}`, payload });
  }
  return stored;
}
