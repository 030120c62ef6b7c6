import type { FallbackReason } from '../predict/answer.ts';
import type { Forecast, RangeAnswer } from '../predict/index.ts';
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
  readonly problemOf: (problem: Error, at: string) => RowProblem;
}

export function rowOf(of: RowOf, version: number | null, answer: RangeAnswer): RangeRow {
  const { version: asked, knownBy, question } = of;
  const place = { version: asked, knownBy, question, instrument: of.position, at: answer.asOf };
  const at = new Date(answer.asOf).toISOString();
  const facts = { cursor: cursorOf(place), instrument: of.instrument, at, version };
  if ('problem' in answer) return { ...facts, problem: of.problemOf(answer.problem, at) };
  const { fallback, fallbackReason } = answer;
  const {
    model: _m,
    version: _v,
    instrument: _i,
    packageDigest: _p,
    confidenceFailed: _c,
    ...said
  } = answer.forecast;
  return { ...facts, prediction: { ...said, fallback, fallbackReason } };
}
