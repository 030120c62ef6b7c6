import { setImmediate } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { barCount, type Bars } from '../core/bars/bars.ts';
import {
  decodeAnswers,
  joinAnswers,
  simulate,
  type AnswerColumns,
  type SimulatedStrategy,
} from '../core/backtest/index.ts';
import { RatchetError } from '../core/errors.ts';
import type { BacktestSpec } from '../core/spec/index.ts';
import {
  appendBacktestEvent,
  backtestOrThrow,
  backtestSpecOf,
  endBacktest,
  sharpesBefore,
  type Backtest,
} from '../registry/backtests.ts';
import type { StoredStrategyResult } from '../registry/tables.ts';
import { backtestFiles } from './backtest-files.ts';
import { periodOf } from './backtest-plan.ts';
import { barsAsOf } from './bars-as-of.ts';
import type { SimulateInput, SimulateResult } from './contracts-backtest.ts';
import type { ActivityDeps } from './deps.ts';
import { calendarOfSpec } from './source-of.ts';

/** Strategies through the period: figures, trades, report. */
export function createBacktestSimulateActivities(deps: ActivityDeps) {
  return {
    /** Errors: `backtest.noBars`, `backtest.*` of the engine, `strategies.*`. */
    async simulateBacktest(input: SimulateInput): Promise<SimulateResult> {
      const row = await backtestOrThrow(deps.db, input.backtestId);
      if (row.status === 'completed') return { verdict: row.message ?? '' };
      const spec = backtestSpecOf(row);
      const answers = await answersOf(deps, input);
      const bars = await barsOf(deps, row, spec);
      const results = await simulated(deps, row, spec, bars, answers);
      const stored = await storeResults(deps, row, results);
      const { folds } = input;
      const found = { row, spec, folds, bars, answers, results };
      const { verdict, files } = await backtestFiles(deps, found);
      const end = { status: 'completed' as const, message: verdict, results: stored, files };
      await endBacktest(deps.db, row.id, end);
      return { verdict };
    },
  };
}

/** Each instrument's answers of all folds, in order of time. */
async function answersOf(
  { artifacts }: ActivityDeps,
  { folds }: SimulateInput,
): Promise<ReadonlyMap<string, AnswerColumns>> {
  const parts = new Map<string, AnswerColumns[]>();
  for (const { answers } of folds.toSorted((a, b) => a.fold - b.fold)) {
    for (const { instrument, columns } of answers) {
      const list = parts.get(instrument) ?? [];
      list.push(decodeAnswers(await artifacts.get(columns)));
      parts.set(instrument, list);
    }
    Context.current().heartbeat();
  }
  return new Map([...parts].map(([instrument, list]) => [instrument, joinAnswers(list)]));
}

/** Bars as they were known when the backtest was asked for: a repeat sees no others. */
async function barsOf(
  deps: ActivityDeps,
  row: Backtest,
  { data }: BacktestSpec,
): Promise<readonly Bars[]> {
  const all: Bars[] = [];
  const { timeframe, sources } = data;
  for (const { id: instrument } of data.instruments) {
    const asOf = row.created_at.getTime();
    const bars = await barsAsOf(deps, { instrument, timeframe, sources, asOf });
    Context.current().heartbeat();
    if (barCount(bars) === 0) {
      throw new RatchetError('backtest.noBars', `there are no bars of ${instrument}`);
    }
    all.push(bars);
  }
  return all;
}

async function simulated(
  deps: ActivityDeps,
  row: Backtest,
  spec: BacktestSpec,
  bars: readonly Bars[],
  answers: ReadonlyMap<string, AnswerColumns>,
): Promise<readonly SimulatedStrategy[]> {
  const calendar = await calendarOfSpec(deps, spec);
  return simulate(
    {
      instruments: bars.map((one) => ({
        bars: one,
        calendar,
        answers: answers.get(one.instrument),
      })),
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
