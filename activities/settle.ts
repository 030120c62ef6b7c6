import { Context } from '@temporalio/activity';
import { z } from 'zod';
import {
  changedSteps,
  isRevised,
  mergeCloses,
  outcomeOf,
  settlePrediction,
  SLOT_MS,
  type Closes,
  type HorizonOutcome,
} from '../core/outcomes/index.ts';
import { inTransaction } from '../registry/in-transaction.ts';
import { advanceSettledAsOf, settledAsOf } from '../registry/lifecycle-state.ts';
import {
  changesOfSeries,
  countWaiting,
  duePredictions,
  insertOutcomes,
  markSettled,
  outcomesTouched,
  readCloses,
  versionsWithOutcomes,
  type DuePrediction,
  type NewOutcome,
  type Outcome,
  type Place,
  type SettledMark,
} from '../registry/settling.ts';
import type { AtSlot, SettleResult } from './contracts-lifecycle.ts';
import { seriesName, VersionBooks, type SettleDeps, type VersionBook } from './settle-versions.ts';

/** Predictions of one transaction: some 5 MB of answers, half a second of work. */
const CHUNK = 2_000;

/** How many horizons were given up now: see `UNKNOWN_AFTER_MS`. */
export interface SettledCounts extends SettleResult {
  readonly unknown: number;
}

/** Joins predictions with what happened, by market time: bars that were complete and known at `asOf`. */
export function createSettleActivities(deps: SettleDeps) {
  return {
    async settle({ model, asOf }: AtSlot): Promise<SettledCounts> {
      const run = new Settling(deps, model, Date.parse(asOf));
      const revised = await run.revise();
      const { settled, unknown } = await run.settle();
      await advanceSettledAsOf(deps.db, model, new Date(asOf));
      const waiting = await countWaiting(deps.db, model);
      return { settled: settled + revised, revised, waiting, unknown };
    },
  };
}

/** Reports liveness and throws where the activity was cancelled. */
async function breathe(): Promise<void> {
  const context = Context.current();
  context.heartbeat();
  if (context.cancellationSignal.aborted) await context.cancelled;
}

interface HeldCloses {
  readonly from: number;
  readonly closes: Closes;
}

/** One settling of one model. A repeat finds done what was done, and does the rest. */
class Settling {
  readonly #deps: SettleDeps;
  readonly #model: string;
  readonly #asOf: number;
  readonly #books: VersionBooks;
  readonly #closes = new Map<string, HeldCloses>();

  constructor(deps: SettleDeps, model: string, asOf: number) {
    this.#deps = deps;
    this.#model = model;
    this.#asOf = asOf;
    this.#books = new VersionBooks(deps, model);
  }

  async settle(): Promise<{ settled: number; unknown: number }> {
    let settled = 0;
    let unknown = 0;
    const query = { model: this.#model, asOf: new Date(this.#asOf), limit: CHUNK };
    for (let after: Place | undefined; ;) {
      await breathe();
      const due = await duePredictions(this.#deps.db, { ...query, after });
      const books = await this.#books.of(due.map(({ version }) => version));
      const rows: NewOutcome[] = [];
      const marks: SettledMark[] = [];
      // Oldest first: the first prediction of a series is the one that reaches furthest back.
      for (const prediction of due) {
        const book = books.get(prediction.version);
        if (!book) continue;
        const found = await this.#settleOne(prediction, book);
        rows.push(...found.outcomes);
        marks.push(found.mark);
        unknown += found.newlyUnknown;
      }
      settled += await inTransaction(this.#deps.db, async (trx) => {
        await markSettled(trx, marks);
        return insertOutcomes(trx, rows);
      });
      const last = due.at(-1);
      if (!last || due.length < CHUNK) return { settled, unknown };
      after = { asOf: last.as_of, id: last.id };
    }
  }

  async #settleOne(prediction: DuePrediction, book: VersionBook) {
    const { id, at, instrument } = prediction;
    const parsed = answerSchema.safeParse(prediction.answer);
    if (!parsed.success) {
      const fields = { id, model: this.#model, err: parsed.error };
      this.#deps.log.warn(fields, 'a recorded answer cannot be read; it is not settled');
      const mark = { id, at, settleAfter: null, unknownHorizons: 0 };
      return { outcomes: [], mark, newlyUnknown: 0 };
    }
    const closes = await this.#closesOf(book, instrument, prediction.as_of.getTime());
    const { outcomes, unknown, settleAfter } = settlePrediction(parsed.data, closes, {
      asOf: this.#asOf,
      calendar: book.calendar,
      timeframe: book.timeframe,
      scaleOf: book.scale,
      done: new Set(prediction.settled),
    });
    const mark = {
      ...{ id, at, unknownHorizons: unknown },
      settleAfter: settleAfter === null ? null : new Date(settleAfter),
    };
    const of = {
      ...rowOf(prediction, this.#model, this.#asOf),
      fallback: parsed.data.fallback !== null,
    };
    const rows = outcomes.map((outcome) => ({ ...of, ...columnsOf(outcome), revision: 0 }));
    return {
      outcomes: rows,
      mark,
      newlyUnknown: Math.max(0, unknown - prediction.unknown_horizons),
    };
  }

  /** Looks again at outcomes whose bars or factors changed since the last settling. How many changed. */
  async revise(): Promise<number> {
    const since = (await settledAsOf(this.#deps.db, this.#model))?.getTime();
    if (since === undefined || since >= this.#asOf) return 0;
    const books = await this.#books.of(await versionsWithOutcomes(this.#deps.db, this.#model));
    const groups = new Map<string, { instrument: string; books: VersionBook[] }>();
    for (const book of books.values()) {
      for (const instrument of book.instruments) {
        const key = seriesName(book, instrument);
        const group = groups.get(key) ?? { instrument, books: [] };
        group.books.push(book);
        groups.set(key, group);
      }
    }
    let revised = 0;
    for (const { instrument, books: own } of groups.values()) {
      revised += await this.#reviseSeries(instrument, own, since);
    }
    return revised;
  }

  async #reviseSeries(
    instrument: string,
    own: readonly VersionBook[],
    since: number,
  ): Promise<number> {
    const [first] = own;
    if (!first) return 0;
    const known = { since: since + SLOT_MS, asOf: this.#asOf + SLOT_MS };
    const bars: number[] = [];
    const steps: number[] = [];
    for (const { source } of await this.#books.sources(first, instrument)) {
      const series = { instrument, timeframe: first.timeframe, source };
      const changes = await changesOfSeries(this.#deps.db, series, known);
      bars.push(...changes.bars);
      steps.push(...changedSteps(changes.factors.before, changes.factors.after));
    }
    if (bars.length === 0 && steps.length === 0) return 0;
    const byVersion = new Map(own.map((book) => [book.version, book]));
    const query = { model: this.#model, versions: [...byVersion.keys()], instrument, bars, steps };
    let revised = 0;
    for (let after: { id: string; horizon: number } | undefined; ;) {
      await breathe();
      const touched = await outcomesTouched(this.#deps.db, { ...query, after, limit: CHUNK });
      const from = Math.min(...touched.map((row) => row.as_of.getTime()));
      const rows: NewOutcome[] = [];
      for (const row of touched) {
        const book = byVersion.get(row.version)!;
        const closes = await this.#closesOf(book, instrument, from);
        const now = outcomeOf(forecastOf(row), closes, book.scale(row.horizon));
        if (!now || !isRevised({ actualChange: row.actual_change }, now)) continue;
        const { settled_at: _, classes: __, ...kept } = row;
        const revision = row.revision + 1;
        const settled_as_of = new Date(this.#asOf);
        rows.push({ ...kept, ...columnsOf(now), revision, settled_as_of });
      }
      revised += await insertOutcomes(this.#deps.db, rows);
      const last = touched.at(-1);
      if (!last || touched.length < CHUNK) return revised;
      after = { id: last.prediction_id, horizon: last.horizon };
    }
  }

  /** Closes of an instrument from a bar on, read once unless an earlier bar is asked for later. */
  async #closesOf(book: VersionBook, instrument: string, from: number): Promise<Closes> {
    const key = seriesName(book, instrument);
    const held = this.#closes.get(key);
    if (held && held.from <= from) return held.closes;
    const sources = await this.#books.sources(book, instrument);
    const range = { from, asOf: this.#asOf + SLOT_MS };
    const read = await Promise.all(
      sources.map(({ role, source }) =>
        readCloses(this.#deps.db, { instrument, timeframe: book.timeframe, source, role }, range),
      ),
    );
    const closes = mergeCloses(read);
    this.#closes.set(key, { from, closes });
    return closes;
  }
}

const answerSchema = z.object({
  asOf: z.iso.datetime(),
  lastClose: z.number().positive(),
  fallback: z.string().nullable().default(null),
  abstain: z.boolean().optional(),
  horizons: z.array(
    z.object({
      horizon: z.int().min(1),
      targetDate: z.iso.date().or(z.iso.datetime()),
      change: z.number(),
      direction: z.enum(['up', 'down', 'neutral']),
      interval80: z.tuple([z.number(), z.number()]).nullable(),
      classes: z
        .object({
          class: z.string(),
          probabilities: z.record(z.string(), z.number()),
          threshold: z.number().nullable(),
        })
        .optional(),
    }),
  ),
});

/** What an outcome has of its prediction. */
const rowOf = (prediction: DuePrediction, model: string, asOf: number) => ({
  prediction_id: prediction.id,
  model,
  version: prediction.version,
  role: prediction.role,
  trial_id: prediction.trial_id,
  input: prediction.input,
  instrument: prediction.instrument,
  predicted_at: prediction.at,
  settled_as_of: new Date(asOf),
});

const columnsOf = (outcome: HorizonOutcome) => ({
  horizon: outcome.horizon,
  as_of: new Date(outcome.asOf),
  target_time: new Date(outcome.targetTime),
  last_close: outcome.lastClose,
  actual_close: outcome.actualClose,
  forecast_change: outcome.change,
  actual_change: outcome.actualChange,
  interval_low: outcome.interval?.[0] ?? null,
  interval_high: outcome.interval?.[1] ?? null,
  error: outcome.error,
  naive_error: outcome.naiveError,
  scaled_loss: outcome.scaledLoss,
  classes: outcome.classes ? JSON.stringify(outcome.classes) : null,
  actual_class: outcome.actualClass,
  reference_loss: outcome.referenceLoss,
  actual_direction: outcome.actualDirection,
  direction_hit: outcome.directionHit,
  covered: outcome.covered,
  position: outcome.position,
  signal_return: outcome.signalReturn,
  known_at: new Date(outcome.knownAt),
});

/** The forecast that a stored outcome judged. */
const forecastOf = (row: Outcome) => ({
  horizon: row.horizon,
  asOf: row.as_of.getTime(),
  targetTime: row.target_time.getTime(),
  change: row.forecast_change,
  interval:
    row.interval_low === null || row.interval_high === null
      ? null
      : ([row.interval_low, row.interval_high] as const),
  position: row.position,
  ...(row.classes && { classes: row.classes }),
});
