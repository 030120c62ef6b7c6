import { createHash } from 'node:crypto';
import { isoTime } from '../core/calendar/day.ts';
import type { Calendar } from '../core/calendar/calendar.ts';
import { RatchetError } from '../core/errors.ts';
import {
  backtestFolds,
  canonicalJson,
  foldExperiment,
  specHash,
  type BacktestSpec,
  type ExperimentSpec,
} from '../core/spec/index.ts';
import { adviceOf } from '../core/strategies/index.ts';
import {
  appendBacktestEvent,
  backtestSpecOf,
  beginBacktest,
  endBacktest,
  type Backtest,
} from '../registry/backtests.ts';
import { createExperiment, getExperiment } from '../registry/experiments.ts';
import { inTransaction } from '../registry/in-transaction.ts';
import { workflowIds } from '../workflows/messages.ts';
import { modelsOrThrow } from './asking.ts';
import type {
  BacktestRef,
  FailBacktestInput,
  FoldEnded,
  PlannedBacktest,
  PlannedFold,
} from './contracts-backtest.ts';
import type { ActivityDeps } from './deps.ts';
import { calendarOfSpec } from './source-of.ts';

/** First and last step of a backtest. All may run twice: rows decide, not the call. */
export function createBacktestPlanActivities(deps: ActivityDeps) {
  return {
    /** Marks it as running, and says which models answer when; those that must be trained have their experiments then. */
    async planBacktest({ backtestId }: BacktestRef): Promise<PlannedBacktest> {
      const row = await beginBacktest(deps.db, backtestId);
      const spec = backtestSpecOf(row);
      const advice = Object.values(spec.strategies).map((one) => adviceOf(one)?.by ?? 'rule');
      // Before anything is trained for hours.
      if (advice.includes('endpoints')) modelsOrThrow(deps);
      const calendar = await calendarOfSpec(deps, spec);
      const folds = await foldsOf(deps, row, spec, calendar);
      const payload = { folds: folds.length, strategies: Object.keys(spec.strategies) };
      await appendBacktestEvent(deps.db, backtestId, { kind: 'plan', key: 'plan', payload });
      return { folds, ...(advice.some((by) => by !== 'rule') && { advised: true as const }) };
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

async function foldsOf(
  deps: ActivityDeps,
  row: Backtest,
  spec: BacktestSpec,
  calendar: Calendar,
): Promise<readonly PlannedFold[]> {
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
  const planned: PlannedFold[] = [];
  for (const [fold, { from, to, trainTo, asOf }] of folds.entries()) {
    const trained = foldExperiment(spec, { trainTo, asOf });
    const experimentId = await experimentOf(deps, row, trained);
    planned.push({ fold, from: isoTime(from), to: isoTime(to), experimentId });
  }
  return planned;
}

/** One that failed is not tried for ever. */
const ATTEMPTS = 100;

/**
 * The experiment that trains a fold, named by what it trains: another backtest with the same folds, or this one again, finds
 * it and costs nothing. One that failed or was cancelled gets a successor.
 */
async function experimentOf(
  { db }: Pick<ActivityDeps, 'db'>,
  { actor, request_id: requestId }: Backtest,
  spec: ExperimentSpec,
): Promise<string> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const id = contentId(`${canonicalJson(spec)}\n${attempt}`);
    const known = await getExperiment(db, id);
    if (known && (known.status === 'failed' || known.status === 'cancelled')) continue;
    if (!known) {
      await inTransaction(db, (trx) =>
        createExperiment(trx, {
          ...{ id, spec, actor, name: spec.name, model: spec.model },
          specHash: specHash(spec),
          workflowId: workflowIds.experiment(id),
          requestId: requestId ?? undefined,
        }),
      );
    }
    return id;
  }
  throw new RatchetError('backtest.fold', `the training of ${spec.name} failed ${ATTEMPTS} times`);
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** 26 digits in the shape of a ULID (128 bits), from content instead of time and chance. */
function contentId(content: string): string {
  let bits = BigInt(`0x${createHash('sha256').update(content).digest('hex').slice(0, 32)}`);
  let id = '';
  for (let digit = 0; digit < 26; digit++) {
    id = CROCKFORD[Number(bits & 31n)]! + id;
    bits >>= 5n;
  }
  return id;
}
