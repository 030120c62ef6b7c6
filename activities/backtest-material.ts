import { Context } from '@temporalio/activity';
import { barCount, type Bars } from '../core/bars/bars.ts';
import { CLOSE_GRACE_MS } from '../core/bars/index.ts';
import { decodeAnswers, joinAnswers, type AnswerColumns } from '../core/backtest/index.ts';
import type { SimulatedInstrument } from '../core/backtest/index.ts';
import { RatchetError } from '../core/errors.ts';
import { publicationDelay } from '../core/sources/publication.ts';
import type { BacktestSpec } from '../core/spec/index.ts';
import { keptAnswers } from '../registry/backtest-answers.ts';
import type { Backtest } from '../registry/backtests.ts';
import { barsAsOf } from './bars-as-of.ts';
import type { AnsweredFold } from './contracts-backtest.ts';
import type { ActivityDeps } from './deps.ts';
import { calendarOfSpec } from './source-of.ts';

/** What strategies are decided on: bars, and the answers of all folds. */
export interface BacktestMaterial {
  readonly bars: readonly Bars[];
  readonly answers: ReadonlyMap<string, AnswerColumns>;
  readonly instruments: readonly SimulatedInstrument[];
}

/** The same for every step of a backtest. Errors: `backtest.noBars`, `bytes.corrupt`. */
export async function materialOf(
  deps: ActivityDeps,
  row: Backtest,
  spec: BacktestSpec,
  folds: readonly AnsweredFold[],
): Promise<BacktestMaterial> {
  const answers = await answersOf(deps, row.id, folds);
  const bars = await barsOf(deps, row, spec);
  const calendar = await calendarOfSpec(deps, spec);
  const { sources, timeframe } = spec.data;
  const knownAfterMs = CLOSE_GRACE_MS[timeframe] + publicationDelay(deps.datasets, sources);
  const instruments = bars.map((one) => ({
    ...{ bars: one, calendar, knownAfterMs },
    answers: answers.get(one.instrument),
  }));
  return { bars, answers, instruments };
}

/** Each instrument's answers of all folds, in order of time. */
async function answersOf(
  { artifacts, db }: ActivityDeps,
  backtestId: string,
  folds: readonly AnsweredFold[],
): Promise<ReadonlyMap<string, AnswerColumns>> {
  const told = folds.flatMap(({ fold, answers = [] }) => answers.map((one) => ({ fold, ...one })));
  const kept = folds.some(({ answers }) => answers === undefined)
    ? await keptAnswers(db, backtestId)
    : [];
  const parts = new Map<string, AnswerColumns[]>();
  for (const { instrument, columns } of [...told, ...kept].sort((a, b) => a.fold - b.fold)) {
    const list = parts.get(instrument) ?? [];
    list.push(decodeAnswers(await artifacts.get(columns)));
    parts.set(instrument, list);
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
