/** What a monitored model forecast, and what came of it: rows as evaluation, serving and settling write them. */
import { type Bars } from '../../core/bars/index.ts';
import { encodeTestRows } from '../../core/evaluation/index.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { insertPredictions } from '../../registry/predictions.ts';

export const INSTRUMENT = 'SIM-A';
/** First decision time that is answered; the test part ends before it. */
export const SERVED_FROM = Date.parse('2023-09-04');
/** Wall time of everything that is written: a month with a partition of its own. */
export const WALL = new Date('2026-01-10T00:00:00Z');
const HOUR = 3_600_000;

/** Trends go on: what the planted momentum says of the next hour, in units of the newest SDs. */
export function momentumForecast(bars: Bars): Float64Array {
  const { close } = bars;
  const returns = close.map((price, i) => (i === 0 ? 0 : Math.log(price / close[i - 1]!)));
  return returns.map((_, row) => {
    if (row < 48) return NaN;
    let squares = 0;
    for (let i = row - 47; i <= row; i++) squares += returns[i]! ** 2;
    const sd = Math.sqrt(squares / 48);
    let past = 0;
    for (let i = row - 4; i <= row; i++) past += returns[i]!;
    return 0.75 * sd * Math.tanh(past / (sd * Math.sqrt(5)));
  });
}

export function testRowsOf(
  model: string,
  bars: Bars,
  forecast: Float64Array,
  from: number,
): Uint8Array {
  const { openTime, close } = bars;
  const rows = [...openTime.keys()].filter(
    (row) => openTime[row]! >= from && openTime[row]! < SERVED_FROM,
  );
  const column = (value: (row: number) => number): Float64Array => Float64Array.from(rows, value);
  return encodeTestRows({
    model,
    seed: 1,
    timeframe: '1h',
    labelKind: 'forwardLogReturn',
    horizons: [1],
    lossWeights: [1],
    trainLabelVariance: [1],
    instruments: [INSTRUMENT],
    openTime: column((row) => openTime[row]!),
    instrument: new Int32Array(rows.length),
    labels: column((row) => Math.log(close[row + 1]! / close[row]!)),
    predictions: column((row) => forecast[row]!),
    weightedLoss: new Float64Array(rows.length),
  });
}

export interface Served {
  readonly model: string;
  readonly version: number;
  readonly bars: Bars;
  readonly forecast: Float64Array;
  /** ms UTC. */
  readonly asOf: number;
}

/** Answers of every hour since serving began, and the outcomes that are known at `asOf`. */
export async function settleServed(db: Db, served: Served): Promise<void> {
  const { model, version, bars, forecast, asOf } = served;
  const { openTime, close } = bars;
  const last = await db
    .selectFrom('outcome')
    .select((eb) => eb.fn.max('as_of').as('as_of'))
    .where('model', '=', model)
    .where('version', '=', version)
    .executeTakeFirst();
  const from = last?.as_of ? last.as_of.getTime() + HOUR : SERVED_FROM;
  // A bar is known a minute after its close.
  const rows = [...openTime.keys()].filter(
    (row) => openTime[row]! >= from && openTime[row]! + 2 * HOUR + 60_000 <= asOf,
  );
  const facts = rows.map((row) => ({
    id: `${model}-${version}-${openTime[row]!}`,
    asOf: new Date(openTime[row]!),
    forecastChange: Math.expm1(forecast[row]!),
    actualChange: close[row + 1]! / close[row]! - 1,
    row,
  }));
  for (let at = 0; at < facts.length; at += 500) {
    await insertAnswers(db, served, facts.slice(at, at + 500));
  }
  await db
    .updateTable('model_state')
    .set({ settled_as_of: new Date(asOf) })
    .where('model', '=', model)
    .execute();
}

interface Answer {
  readonly id: string;
  readonly asOf: Date;
  readonly forecastChange: number;
  readonly actualChange: number;
  readonly row: number;
}

async function insertAnswers(
  db: Db,
  { model, version, bars, asOf }: Served,
  answers: readonly Answer[],
): Promise<void> {
  const { close } = bars;
  const common = { model, version, role: 'champion' as const, input: 'instrument' as const };
  await insertPredictions(
    db,
    answers.map((answer) => ({
      ...common,
      id: answer.id,
      at: WALL,
      batch_id: 'batch',
      generation: 1,
      package_digest: 'digest',
      instrument: INSTRUMENT,
      as_of: answer.asOf,
      request_id: 'request',
      key_id: 'key',
      replica_id: 'replica',
      answer: JSON.stringify({
        fallback: null,
        horizons: [{ horizon: 1, change: answer.forecastChange }],
      }),
      duration_ms: 1,
    })),
  );
  const outcomes = answers.map((answer) => ({
    ...common,
    prediction_id: answer.id,
    horizon: 1,
    revision: 0,
    fallback: false,
    instrument: INSTRUMENT,
    as_of: answer.asOf,
    target_time: new Date(answer.asOf.getTime() + HOUR),
    predicted_at: WALL,
    last_close: close[answer.row]!,
    actual_close: close[answer.row + 1]!,
    forecast_change: answer.forecastChange,
    actual_change: answer.actualChange,
    error: answer.forecastChange - answer.actualChange,
    naive_error: -answer.actualChange,
    actual_direction: 'neutral' as const,
    direction_hit: false,
    position: 0,
    signal_return: 0,
    known_at: new Date(answer.asOf.getTime() + 2 * HOUR + 60_000),
    settled_as_of: new Date(asOf),
  }));
  await db.insertInto('outcome').values(outcomes).execute();
}
