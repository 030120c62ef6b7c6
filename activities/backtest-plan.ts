import { isoTime } from '../core/calendar/day.ts';
import type { Calendar } from '../core/calendar/calendar.ts';
import { RatchetError } from '../core/errors.ts';
import {
  backtestFolds,
  foldExperiment,
  FOLDS_MAX,
  tooManyFolds,
  type BacktestSpec,
} from '../core/spec/index.ts';
import { adviceOf } from '../core/strategies/index.ts';
import { joinTraining, leaveTraining } from '../registry/backtest-trainings.ts';
import {
  appendBacktestEvent,
  backtestOrThrow,
  backtestSpecOf,
  beginBacktest,
  endBacktest,
  type Backtest,
} from '../registry/backtests.ts';
import { workflowIds } from '../workflows/messages.ts';
import { modelsOrThrow } from './asking.ts';
import type {
  BacktestRef,
  FailBacktestInput,
  FoldEnded,
  OpenFoldInput,
  PlannedBacktest,
  PlannedFold,
  TrainingRef,
} from './contracts-backtest.ts';
import type { ActivityDeps } from './deps.ts';
import { calendarOfSpec } from './source-of.ts';

/** First and last step of a backtest. All may run twice: rows decide, not the call. */
export function createBacktestPlanActivities(deps: ActivityDeps) {
  return {
    /** Marks it as running, and says which models answer when; those to be trained are opened one by one. */
    async planBacktest({ backtestId }: BacktestRef): Promise<PlannedBacktest> {
      const row = await beginBacktest(deps.db, backtestId);
      const spec = backtestSpecOf(row);
      const advice = Object.values(spec.strategies).map((one) => adviceOf(one)?.by ?? 'rule');
      // Before anything is trained for hours.
      if (advice.includes('endpoints')) modelsOrThrow(deps);
      const calendar = await calendarOfSpec(deps, spec);
      const folds = foldsOf(row, spec, calendar);
      const payload = { folds: folds.length, strategies: Object.keys(spec.strategies) };
      await appendBacktestEvent(deps.db, backtestId, { kind: 'plan', key: 'plan', payload });
      return { folds, ...(advice.some((by) => by !== 'rule') && { advised: true as const }) };
    },

    /**
     * The experiment that trains a fold, found or made: a row that waits for its workflow is started by whoever sweeps, so
     * there is none before its turn. Errors: `backtest.ended`, `backtest.fold`.
     */
    async openFold({
      backtestId,
      fold,
    }: OpenFoldInput): Promise<{ readonly experimentId: string }> {
      if (fold.training === undefined) {
        throw new RatchetError('backtest.fold', `fold ${fold.fold} trains nothing`);
      }
      const row = await backtestOrThrow(deps.db, backtestId);
      const spec = foldExperiment(backtestSpecOf(row), fold.training);
      return { experimentId: await joinTraining(deps.db, row, spec, workflowIds.experiment) };
    },

    /** The backtest was cancelled; `unwanted`: nobody else waits for the training. */
    leaveFold(training: TrainingRef): Promise<{ readonly unwanted: boolean }> {
      return leaveTraining(deps.db, training);
    },

    /** Says how the training of a fold ended. */
    async noteFold({ backtestId, fold, status, message }: FoldEnded): Promise<void> {
      const { experimentId, from, to } = fold;
      const payload = { fold: fold.fold, from, to, experimentId, status, message };
      const key = `fold/${fold.fold}`;
      await appendBacktestEvent(deps.db, backtestId, { kind: 'fold', key, payload });
    },

    async failBacktest({ backtestId, status, reason }: FailBacktestInput): Promise<void> {
      await endBacktest(deps.db, backtestId, { status, message: reason });
    },
  };
}

/** Open times of the first and last session of the period that is known by now, ms UTC. */
export function periodOf(
  { period }: BacktestSpec,
  createdAt: Date,
): { readonly from: number; readonly to: number } {
  const last = period.to === undefined ? Infinity : Date.parse(`${period.to}T23:59:59.999Z`);
  return { from: Date.parse(period.from), to: Math.min(last, createdAt.getTime()) };
}

function foldsOf(row: Backtest, spec: BacktestSpec, calendar: Calendar): readonly PlannedFold[] {
  if (spec.model === undefined) return [];
  const period = periodOf(spec, row.created_at);
  if (!('walkForward' in spec.model)) {
    return [{ fold: 0, from: isoTime(period.from), to: isoTime(period.to) }];
  }
  const { every } = spec.model.walkForward;
  const folds = backtestFolds(calendar, spec.data.timeframe, period, every);
  if (folds.length === 0) {
    throw new RatchetError('backtest.period', `${calendar.name} has no session in the period`);
  }
  if (folds.length > FOLDS_MAX) {
    throw new RatchetError('backtest.folds', `the period ${tooManyFolds(folds.length)}`);
  }
  return folds.map(({ from, to, trainTo, asOf }, fold) => ({
    ...{ fold, from: isoTime(from), to: isoTime(to) },
    training: { trainTo, asOf },
  }));
}
