/** What became of predictions: losses by decision time, outcomes of single predictions. Figures: performance.ts. */
import { sql, type RawBuilder } from 'kysely';
import { averageByTime, decisionLosses, type LossRow } from '../core/outcomes/losses.ts';
import type { Db } from './in-transaction.ts';
import { versionScale, type Outcome } from './settling.ts';
import { trialById } from './trials.ts';

/** Decision time: `asOf` of a prediction, when the last bar of its window opens. All times ms UTC. */
export interface LossRange {
  /** Decisions from here on. */
  readonly from?: number | undefined;
  /** Decisions before this. */
  readonly to?: number | undefined;
  /** Outcomes settled by this market time, as they stood then; absent: all, as they stand. */
  readonly settledBy?: number | undefined;
}

export type PairedLossesQuery = LossRange &
  (
    | { readonly trialId: string }
    | { readonly model: string; readonly champion: number; readonly challenger: number }
  );

/** Losses on the same rows, by decision time, ascending; arrays of one length. */
export interface PairedLosses {
  readonly asOf: Float64Array;
  /** sum_h w_h e_h^2 / var_train(h), of classes sum_h w_h (-ln p_h), mean over instruments; scale and weights are the challenger's. */
  readonly champion: Float64Array;
  readonly challenger: Float64Array;
  /** Of the forecast "nothing changes", or of the class shares. */
  readonly naive: Float64Array;
  /** Instrument rows behind them. */
  readonly rows: number;
  /** Longest horizon in bars: how far neighbouring losses overlap. */
  readonly horizon: number;
}

const NO_LOSSES = new Float64Array(0);
const NO_PAIRS: PairedLosses = {
  asOf: NO_LOSSES,
  champion: NO_LOSSES,
  challenger: NO_LOSSES,
  naive: NO_LOSSES,
  rows: 0,
  horizon: 1,
};

/**
 * Losses of champion and challenger on the decisions that both answered from stored bars and that are settled over every
 * horizon of the challenger. Of several answers of a version to one decision the first counts; none of a fallback,
 * and no decision that is not later than everything either version was trained on. Of a trial: its two versions,
 * from its start on. Nothing settled, or a version that is not known: no rows.
 */
export async function pairedLosses(db: Db, query: PairedLossesQuery): Promise<PairedLosses> {
  const pair = await pairOf(db, query);
  const scale = pair && (await versionScale(db, pair.model, pair.challenger));
  if (!pair || !scale) return NO_PAIRS;
  const measure = measureOf(scale);
  const rowsOf = async (version: number) =>
    decisionLosses(await lossRows(db, pair.model, version, pair), measure);
  const [champion, challenger] = await Promise.all([
    rowsOf(pair.champion),
    rowsOf(pair.challenger),
  ]);
  const trained = await trainedThrough(db, pair.model, [pair.champion, pair.challenger]);
  const both = [...challenger].flatMap(([key, ours]) => {
    const theirs = champion.get(key);
    return theirs && ours.asOf > trained
      ? [{ asOf: ours.asOf, champion: theirs.loss, challenger: ours.loss, naive: ours.naive }]
      : [];
  });
  const { asOf, columns, rows } = averageByTime(both, 3, (row) => [
    row.champion,
    row.challenger,
    row.naive,
  ]);
  const [a = NO_LOSSES, b = NO_LOSSES, naive = NO_LOSSES] = columns;
  const horizon = Math.max(...scale.horizons);
  return { asOf, champion: a, challenger: b, naive, rows, horizon };
}

interface Pair extends LossRange {
  readonly model: string;
  readonly champion: number;
  readonly challenger: number;
}

async function pairOf(db: Db, query: PairedLossesQuery): Promise<Pair | undefined> {
  if (!('trialId' in query)) return query;
  const trial = await trialById(db, query.trialId);
  if (!trial || trial.champion_version === null) return undefined;
  const started = trial.started_as_of.getTime();
  return {
    ...query,
    model: trial.model,
    champion: trial.champion_version,
    challenger: trial.version,
    from: Math.max(started, query.from ?? started),
  };
}

export interface RealisedLosses {
  readonly asOf: Float64Array;
  readonly loss: Float64Array;
  readonly naive: Float64Array;
  readonly rows: number;
  readonly horizon: number;
}

/** Losses of one version by decision time, on its own scale; which rows: see `pairedLosses`. */
export async function realisedLosses(
  db: Db,
  query: LossRange & { readonly model: string; readonly version: number },
): Promise<RealisedLosses> {
  const { model, version } = query;
  const scale = await versionScale(db, model, version);
  if (!scale) return { asOf: NO_LOSSES, loss: NO_LOSSES, naive: NO_LOSSES, rows: 0, horizon: 1 };
  const trained = await trainedThrough(db, model, [version]);
  const found = decisionLosses(await lossRows(db, model, version, query), measureOf(scale));
  const later = [...found.values()].filter(({ asOf }) => asOf > trained);
  const { asOf, columns, rows } = averageByTime(later, 2, ({ loss, naive }) => [loss, naive]);
  const [loss = NO_LOSSES, naive = NO_LOSSES] = columns;
  return { asOf, loss, naive, rows, horizon: Math.max(...scale.horizons) };
}

const measureOf = (scale: NonNullable<Awaited<ReturnType<typeof versionScale>>>) => ({
  labelKind: scale.label_kind,
  horizons: scale.horizons,
  variance: scale.label_variance,
  weights: scale.loss_weights,
});

/** Latest bar that any of the versions learnt from, ms UTC. */
async function trainedThrough(db: Db, model: string, versions: readonly number[]): Promise<number> {
  const rows = await db
    .selectFrom('model_version')
    .select('trained_through')
    .where('model', '=', model)
    .where('version', 'in', versions)
    .execute();
  return Math.max(...rows.map(({ trained_through: at }) => at?.getTime() ?? -Infinity));
}

/** Of an answer to one decision counts the first, of an outcome the newest revision. */
export const FIRST = sql`DISTINCT ON (version, instrument, as_of, horizon)`;
export const FIRST_ORDER = sql`
  version, instrument, as_of, horizon, predicted_at, prediction_id, revision DESC`;
/** The version's own answers, from stored bars. */
export const OWN_ANSWERS = sql`input = 'instrument' AND NOT fallback`;

async function lossRows(
  db: Db,
  model: string,
  version: number,
  { from, to, settledBy }: LossRange,
): Promise<LossRow[]> {
  const { rows } = await sql<LossRow>`
    SELECT ${FIRST} instrument, horizon,
           (extract(epoch FROM as_of) * 1000)::float8 AS "asOf",
           forecast_change AS "forecastChange", actual_change AS "actualChange",
           scaled_loss AS loss, reference_loss AS "referenceLoss"
    FROM outcome
    WHERE model = ${model} AND version = ${version} AND ${OWN_ANSWERS}
      AND ${decidedWithin({ from, to })}
      AND ${settledBy === undefined ? sql`TRUE` : sql`settled_as_of <= ${new Date(settledBy)}`}
    ORDER BY ${FIRST_ORDER}`.execute(db);
  return rows;
}

export const decidedWithin = ({ from, to }: LossRange): RawBuilder<unknown> => {
  const least = from === undefined ? sql`TRUE` : sql`as_of >= ${new Date(from)}`;
  return to === undefined ? least : sql`${least} AND as_of < ${new Date(to)}`;
};

/** What happened after one horizon of a prediction, newest revision. */
export type PredictionOutcome = Pick<
  Outcome,
  | 'horizon'
  | 'revision'
  | 'target_time'
  | 'last_close'
  | 'actual_close'
  | 'actual_change'
  | 'error'
  | 'actual_direction'
  | 'direction_hit'
  | 'covered'
  | 'signal_return'
  | 'known_at'
>;

/** Outcomes of some predictions by id, by horizon; those without any are missing. */
export async function outcomesOfPredictions(
  db: Db,
  ids: readonly string[],
): Promise<Map<string, PredictionOutcome[]>> {
  const found = new Map<string, PredictionOutcome[]>();
  if (ids.length === 0) return found;
  const rows = await db
    .selectFrom('outcome')
    .distinctOn(['prediction_id', 'horizon'])
    .select(['prediction_id', 'horizon', 'revision', 'target_time', 'last_close', 'actual_close'])
    .select(['actual_change', 'error', 'actual_direction', 'direction_hit', 'covered'])
    .select(['signal_return', 'known_at'])
    .where('prediction_id', 'in', ids)
    .orderBy('prediction_id')
    .orderBy('horizon')
    .orderBy('revision', 'desc')
    .execute();
  for (const { prediction_id: id, ...outcome } of rows) {
    const own = found.get(id);
    if (own) own.push(outcome);
    else found.set(id, [outcome]);
  }
  return found;
}
