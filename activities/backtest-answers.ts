import { Context } from '@temporalio/activity';
import type { Calendar } from '../core/calendar/calendar.ts';
import {
  emptyAnswers,
  encodeAnswers,
  writeAnswer,
  type AnswerColumns,
} from '../core/backtest/index.ts';
import { publicationsOf } from '../core/predict/index.ts';
import { publicationDelay } from '../core/sources/publication.ts';
import { modelOfUnit, type BacktestSpec } from '../core/spec/index.ts';
import { appendBacktestEvent, backtestOrThrow, backtestSpecOf } from '../registry/backtests.ts';
import { keepAnswers, keptAnswers } from '../registry/backtest-answers.ts';
import { championAt } from '../registry/champions.ts';
import { pastAnswers } from '../registry/past-answers.ts';
import { versionsOfExperiment } from '../registry/versions.ts';
import type { AnswerFoldInput, AnsweredFold, PlannedFold } from './contracts-backtest.ts';
import type { ActivityDeps } from './deps.ts';
import { whileBeating } from './heartbeat.ts';
import { pastPartsOf } from './past-parts.ts';
import { calendarOfSpec } from './source-of.ts';

/** What a model answers through a stretch of a backtest: the way of serving, as of each session. */
export function createBacktestAnswerActivities(deps: ActivityDeps) {
  return {
    /**
     * Each instrument's answers are kept once they are whole: another attempt begins behind them. Errors: `version.unknown`,
     * `predict.*` of a model that cannot answer for an instrument at all.
     */
    async answerFold({ backtestId, fold }: AnswerFoldInput): Promise<AnsweredFold> {
      const row = await backtestOrThrow(deps.db, backtestId);
      const spec = backtestSpecOf(row);
      const calendar = await calendarOfSpec(deps, spec);
      const now = row.created_at.getTime();
      const kept = await keptAnswers(deps.db, backtestId, fold.fold);
      const counts = new Map(
        kept.map(({ instrument, columns }) => [instrument, columns.rows ?? 0]),
      );
      for (const { id: instrument } of spec.data.instruments) {
        if (counts.has(instrument)) continue;
        const question = { spec, fold, calendar, instrument, now };
        const columns = await whileBeating(Context.current(), () => answersOf(deps, question));
        const bytes = encodeAnswers(instrument, columns);
        const stored = await deps.artifacts.put(bytes, columns.session.length);
        await keepAnswers(deps.db, backtestId, { fold: fold.fold, instrument, columns: stored });
        counts.set(instrument, columns.session.length);
      }
      const rows = [...counts.values()].reduce((sum, count) => sum + count, 0);
      const { from, to } = fold;
      const payload = { fold: fold.fold, from, to, rows };
      const key = `answers/${fold.fold}`;
      await appendBacktestEvent(deps.db, backtestId, { kind: 'answers', key, payload });
      const { experimentId } = fold;
      return { fold: fold.fold, ...(experimentId !== undefined && { experimentId }) };
    },
  };
}

interface Question {
  readonly spec: BacktestSpec;
  readonly fold: PlannedFold;
  readonly calendar: Calendar;
  readonly instrument: string;
  readonly now: number;
}

async function answersOf(
  deps: ActivityDeps,
  { spec, fold, calendar, instrument, now }: Question,
): Promise<AnswerColumns> {
  const range = { from: Date.parse(fold.from), to: Date.parse(fold.to), now };
  const delayMs = publicationDelay(deps.datasets, spec.data.sources);
  const { session, known } = publicationsOf(calendar, spec.data.timeframe, range, delayMs);
  const columns = emptyAnswers(session.length);
  columns.session.set(session);
  const who = await answererOf(deps, spec, fold, { instrument, now });
  if (who === undefined) {
    columns.failed.fill(1);
    return columns;
  }
  let row = 0;
  const asked = { ...who, instrument, asOf: known };
  for await (const { pkg, answers } of pastAnswers(pastPartsOf(deps), asked)) {
    Context.current().heartbeat();
    if (Context.current().cancellationSignal.aborted) await Context.current().cancelled;
    const reading = pkg
      ? {
          version: pkg.manifest.version,
          preprocessing: pkg.preprocessing,
          trainedThrough: Date.parse(pkg.manifest.trainedThrough),
          horizon: spec.horizon,
        }
      : undefined;
    for (const answer of answers) writeAnswer(columns, row++, answer, reading);
  }
  return columns;
}

interface Answerer {
  readonly model: string;
  readonly version: number | 'then';
}

/** Undefined: the fold's training left no model for the instrument, or nothing serves it. */
async function answererOf(
  { db }: Pick<ActivityDeps, 'db'>,
  { model }: BacktestSpec,
  { experimentId }: PlannedFold,
  { instrument, now }: Pick<Question, 'instrument' | 'now'>,
): Promise<Answerer | undefined> {
  if (experimentId !== undefined) {
    const versions = await versionsOfExperiment(db, experimentId);
    return versions.find(({ instruments }) => instruments.includes(instrument));
  }
  if (model === undefined || !('name' in model)) return undefined;
  const name = modelOfUnit(model.name, [instrument]);
  if (model.version !== 'champion') return { model: name, version: model.version };
  // As of when it was asked for: a repeat asks the same one.
  const champion = await championAt(db, name, new Date(now));
  return champion && { model: name, version: champion.version };
}
