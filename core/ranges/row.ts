import type { FallbackReason } from '../predict/answer.ts';
import type { Forecast, RangeAnswer } from '../predict/index.ts';
import type { RatchetError } from '../errors.ts';
import type { RowProblem } from '../problems.ts';
import { cursorOf, type RangeIdentity } from './cursor.ts';

/** What a prediction says, without what is the same in every row. */
export type RowPrediction = Omit<
  Forecast,
  'model' | 'version' | 'instrument' | 'packageDigest' | 'confidenceFailed'
> & {
  readonly fallback: 'naive' | null;
  readonly fallbackReason: FallbackReason | null;
};

/** An answer of a range, as it is written. */
export interface RangeRow {
  /** Asked with it, the range goes on behind this row. */
  readonly cursor: string;
  readonly instrument: string;
  /** When it could be asked first, ISO. */
  readonly at: string;
  /** Who answers; null: nothing served then. */
  readonly version: number | null;
  readonly prediction?: RowPrediction;
  readonly problem?: RowProblem;
}

export interface RowOf extends RangeIdentity {
  /** Of the instrument among those of the range. */
  readonly position: number;
  readonly instrument: string;
  /** What is told of a problem of a row. */
  readonly problemOf: (problem: RatchetError, at: string) => RowProblem;
}

export function rowOf(of: RowOf, version: number | null, answer: RangeAnswer): RangeRow {
  const { version: asked, knownBy, question } = of;
  const place = { version: asked, knownBy, question, instrument: of.position, at: answer.asOf };
  const at = new Date(answer.asOf).toISOString();
  const { instrument } = of;
  const cursor = cursorOf(place);
  if ('problem' in answer) {
    return { cursor, instrument, at, version, problem: of.problemOf(answer.problem, at) };
  }
  return { cursor, instrument, at, version, prediction: predictionOf(answer) };
}

/** Field by field, as in core/predict/predict.ts: what is spread would wait for a full collection. */
const predictionOf = ({
  forecast,
  fallback,
  fallbackReason,
}: Exclude<RangeAnswer, { readonly problem: Error }>): RowPrediction => ({
  asOf: forecast.asOf,
  lastClose: forecast.lastClose,
  horizons: forecast.horizons,
  consistency: forecast.consistency,
  beatsNaive: forecast.beatsNaive,
  dissimilarity: forecast.dissimilarity,
  outlier: forecast.outlier,
  abstain: forecast.abstain,
  abstainReasons: forecast.abstainReasons,
  stale: forecast.stale,
  staleBars: forecast.staleBars,
  fallback,
  fallbackReason,
});
