import { RatchetError } from '../../errors.ts';
import type { ScalerState } from '../../scaling/scaler.ts';
import type { Episode, Market, OpenEpisode, TradingRules } from '../market.ts';
import type { Samples } from '../model.ts';
import { scaleLastRows } from '../scaled.ts';

/** A stretch of consecutive bars of one instrument, at each of which but the last something is decided. */
export interface Piece {
  /** Row-major [decisions x features], scaled: what is known at the close of each bar that is decided at. */
  readonly x: Float64Array;
  readonly decisions: number;
  /** [decisions + 1]: the last bar is the one in which the last decision fills. */
  readonly close: Float64Array;
  readonly play: Episode;
}

export interface PieceRules {
  readonly scaler: ScalerState;
  readonly rules: TradingRules;
  readonly openEpisode: OpenEpisode;
  /** A longer stretch is cut into equal parts of at most this many decisions. */
  readonly decisionsMax: number;
}

/**
 * The market of some samples; throws `training.no-market` where nobody said what a bar cost, which data that other
 * families were fitted on do not.
 */
export function marketOf(samples: Samples): Market {
  const { market, classes } = samples;
  if (market && market.positions.length === classes && classes > 0) return market;
  throw new RatchetError(
    'training.no-market',
    'a family that learns by trading needs a label of classes and the bars of its rows',
  );
}

/**
 * The samples as episodes: each run of samples that end at consecutive recorded bars of an instrument, cut into equal
 * parts. An episode sees no bar but those of its samples and the one after them, which is inside the label window of the
 * last: no bar of the next part of a split that its labels do not know of, and none of what lies in a gap.
 */
export function piecesOf(samples: Samples, plan: PieceRules): readonly Piece[] {
  const market = marketOf(samples);
  const x = scaleLastRows(samples, plan.scaler);
  const sampleAt = new Map(Array.from(samples.endRow, (row, i) => [row, i]));
  const pieces: Piece[] = [];
  for (const { id, from, to } of market.instruments) {
    const bars = recordedRows(market, from, to);
    for (const [first, decisions] of runsOf(bars, sampleAt)) {
      const parts = Math.max(1, Math.ceil(decisions / plan.decisionsMax));
      for (let part = 0; part < parts; part++) {
        const start = first + Math.floor((part * decisions) / parts);
        const end = first + Math.floor(((part + 1) * decisions) / parts);
        const rows = bars.subarray(start, end + 1);
        pieces.push(pieceOf(rows, { id, market, x, sampleAt, width: samples.featureCount }, plan));
      }
    }
  }
  if (pieces.length > 0) return pieces;
  throw new RatchetError('training.no-samples', 'no bar follows a sample: nothing can be traded');
}

function recordedRows({ open, close }: Market, from: number, to: number): Int32Array {
  const rows: number[] = [];
  for (let row = from; row < to; row++) {
    if (Number.isFinite(open[row]!) && Number.isFinite(close[row]!)) rows.push(row);
  }
  return Int32Array.from(rows);
}

/** [first bar, number of decisions] of each run of samples among these bars that a bar follows. */
function runsOf(
  bars: Int32Array,
  sampleAt: ReadonlyMap<number, number>,
): readonly (readonly [number, number])[] {
  const runs: [number, number][] = [];
  let from = -1;
  for (let bar = 0; bar < bars.length; bar++) {
    if (sampleAt.has(bars[bar]!) && from < 0) from = bar;
    const last = bar === bars.length - 1;
    if (from < 0 || (sampleAt.has(bars[bar]!) && !last)) continue;
    // `bar` is the first without a sample, or the last there is: the one in which the last decision fills.
    if (bar > from) runs.push([from, bar - from]);
    from = -1;
  }
  return runs;
}

interface Of {
  readonly id: string;
  readonly market: Market;
  readonly x: Float64Array;
  readonly sampleAt: ReadonlyMap<number, number>;
  readonly width: number;
}

function pieceOf(
  rows: Int32Array,
  { id, market, x, sampleAt, width }: Of,
  { openEpisode, rules }: PieceRules,
): Piece {
  const decisions = rows.length - 1;
  const own = new Float64Array(decisions * width);
  for (let i = 0; i < decisions; i++) {
    const at = sampleAt.get(rows[i]!)! * width;
    own.set(x.subarray(at, at + width), i * width);
  }
  const column = (values: Float64Array): Float64Array =>
    Float64Array.from(rows, (row) => values[row]!);
  const close = column(market.close);
  const bars = {
    ...{ instrument: id, timeframe: market.timeframe, calendar: market.calendar },
    ...{ openTime: column(market.openTime), open: column(market.open), close },
  };
  return { x: own, decisions, close, play: openEpisode(bars, rules) };
}

/** SD (about 0) of the log change of a bar over these pieces: the unit of rewards; 1 where nothing moves. */
export function barDeviation(pieces: readonly Piece[]): number {
  let [squares, bars] = [0, 0];
  for (const { close } of pieces) {
    for (let t = 1; t < close.length; t++) {
      squares += Math.log(close[t]! / close[t - 1]!) ** 2;
      bars++;
    }
  }
  return squares > 0 ? Math.sqrt(squares / bars) : 1;
}
