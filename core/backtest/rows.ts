import type { Book } from './book.ts';
import type { Position } from './position.ts';

/** What figures are made of, of each row; money in quote currency. */
export interface RunFigures {
  readonly equity: Float64Array;
  /** Sum of absolute weights. */
  readonly exposure: Float64Array;
  /** Absolute value traded since the row before, over equity at the fill; a full rotation is 2. */
  readonly traded: Float64Array;
  /** Fees, slippage, spread, borrowing and financing since the row before. */
  readonly costs: Float64Array;
}

/** All that a run can leave of each row. */
export interface RunColumns extends RunFigures {
  readonly cash: Float64Array;
  /** Sum of signed weights. */
  readonly netExposure: Float64Array;
  /** [rows x instruments]: value held over equity; 0 of no equity. */
  readonly weights: Float64Array;
}

export function runFigures(rows: number): RunFigures {
  const column = (): Float64Array => new Float64Array(rows);
  return { equity: column(), exposure: column(), traded: column(), costs: column() };
}

export const runColumns = (rows: number, instruments: number): RunColumns => ({
  ...runFigures(rows),
  cash: new Float64Array(rows),
  netExposure: new Float64Array(rows),
  weights: new Float64Array(rows * instruments),
});

/** Values that are held before rows are made of them: few enough to stay near. */
const VALUES_AT_ONCE = 2_048;

/** Writes the rows of a run, one after the other, from what its book holds. */
export class Rows {
  /** The row that is written next. */
  next = 0;
  readonly #figures: RunFigures;
  readonly #rest: RunColumns | undefined;
  readonly #time: Float64Array;
  readonly #book: Book;
  /** [rows at once x instruments]: values, then weights. */
  readonly #values: Float64Array;
  readonly #atOnce: number;

  /** `rest`: the same columns, where more than figures is wanted. */
  constructor(time: Float64Array, book: Book, figures: RunFigures, rest?: RunColumns) {
    const width = book.positions.length;
    this.#time = time;
    this.#book = book;
    this.#figures = figures;
    this.#rest = rest;
    this.#atOnce = Math.max(1, Math.floor(VALUES_AT_ONCE / width));
    this.#values = new Float64Array(this.#atOnce * width);
    // They may have been another run's, and most rows trade nothing.
    figures.traded.fill(0);
    figures.costs.fill(0);
  }

  /** Writes the row of an instant at which all last prices are those of now. */
  write(): void {
    const { positions } = this.#book;
    for (let i = 0; i < positions.length; i++) this.#values[i] = positions[i]!.value();
    this.#end(this.next + 1, true);
  }

  /**
   * Writes all rows before `until`, through which nothing trades; but for those that were ruined before, up to the
   * first at which no equity is left. Gives the instant of that one, else `until`.
   */
  writeBefore(until: number, ruined: boolean): number {
    const time = this.#time;
    const [only] = this.#book.positions;
    // The rows of one instrument are its closes.
    if (this.#rest === undefined && only?.closeAt === time) {
      return this.#writeOnly(only, until, ruined);
    }
    for (let begun = false; this.next < time.length && time[this.next]! < until; begun = true) {
      const from = this.next;
      const most = Math.min(time.length, from + this.#atOnce);
      let to = from + 1;
      while (to < most && time[to]! < until) to++;
      this.#value(from, to, begun);
      this.#end(to, ruined);
      if (this.next < to) return time[this.next]!;
    }
    return until;
  }

  /** The same of the only instrument, of whose rows nothing but figures is wanted: in one pass. */
  #writeOnly(position: Position, until: number, ruined: boolean): number {
    const { cash } = this.#book;
    const { equity, exposure } = this.#figures;
    const { quantity, open, close } = position;
    const time = this.#time;
    const from = this.next;
    let mark = position.mark + 0;
    let row = from;
    for (; row < time.length && time[row]! < until; row++) {
      const last = close[row]!;
      const price = last === last ? last : open[row]!;
      if (price === price) mark = price;
      // Nothing is held before any price is known.
      const value = quantity === 0 ? 0 : quantity * mark;
      const worth = cash + value;
      if (worth <= 0 && !ruined) break;
      equity[row] = worth;
      exposure[row] = worth > 0 ? Math.abs(value / worth) : 0;
    }
    if (row > from) {
      this.#tellTraded(from);
      this.next = row;
    }
    return row < time.length && time[row]! < until ? time[row]! : until;
  }

  /** The values of all positions in some rows; `moves`: they stand where the rows before began. */
  #value(from: number, to: number, moves: boolean): void {
    const { positions } = this.#book;
    const time = this.#time;
    for (let i = 0; i < positions.length; i++) {
      const position = positions[i]!;
      if (moves) position.pass(time[from]!);
      position.valuesAt(time, from, to, this.#values, i, positions.length);
    }
  }

  /** Ends rows of which the values are known; but for `ruined` only those before equity is gone. */
  #end(to: number, ruined: boolean): void {
    const { cash, positions } = this.#book;
    const { equity, exposure } = this.#figures;
    const from = this.next;
    const values = this.#values;
    const width = positions.length;
    let row = from;
    for (let at = 0; row < to; row++) {
      const end = at + width;
      let worth = cash;
      for (let i = at; i < end; i++) worth += values[i]!;
      if (worth <= 0 && !ruined) break;
      let gross = 0;
      for (; at < end; at++) {
        const weight = worth > 0 ? values[at]! / worth : 0;
        values[at] = weight;
        gross += Math.abs(weight);
      }
      equity[row] = worth;
      exposure[row] = gross;
    }
    if (row === from) return;
    if (this.#rest !== undefined) this.#endRest(this.#rest, from, row);
    this.#tellTraded(from);
    this.next = row;
  }

  #endRest({ cash, netExposure, weights }: RunColumns, from: number, to: number): void {
    const width = this.#book.positions.length;
    const values = this.#values;
    for (let row = from, at = 0; row < to; row++) {
      let net = 0;
      for (const end = at + width; at < end; at++) net += values[at]!;
      netExposure[row] = net;
    }
    weights.set(values.subarray(0, (to - from) * width), from * width);
    cash.fill(this.#book.cash, from, to);
  }

  /** What was traded since the row before `row`. */
  #tellTraded(row: number): void {
    const book = this.#book;
    this.#figures.traded[row] = book.traded;
    this.#figures.costs[row] = book.costs;
    book.traded = 0;
    book.costs = 0;
  }
}
