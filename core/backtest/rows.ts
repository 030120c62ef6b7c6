import type { Book } from './book.ts';

/** What a run leaves of each row; money in quote currency. */
export interface RunColumns {
  readonly equity: Float64Array;
  readonly cash: Float64Array;
  /** Sum of absolute weights, and of signed ones. */
  readonly exposure: Float64Array;
  readonly netExposure: Float64Array;
  /** Absolute value traded since the row before, over equity at the fill; a full rotation is 2. */
  readonly traded: Float64Array;
  /** Fees, slippage, spread, borrowing and financing since the row before. */
  readonly costs: Float64Array;
  /** [rows x instruments]: value held over equity; 0 of no equity. */
  readonly weights: Float64Array;
}

export function runColumns(rows: number, instruments: number): RunColumns {
  const column = (): Float64Array => new Float64Array(rows);
  return {
    ...{ equity: column(), cash: column(), exposure: column(), netExposure: column() },
    ...{ traded: column(), costs: column(), weights: new Float64Array(rows * instruments) },
  };
}

/** Writes the rows of a run, one after the other, from what its book holds. */
export class Rows {
  /** The row that is written next. */
  next = 0;
  readonly columns: RunColumns;
  readonly #time: Float64Array;
  readonly #book: Book;

  constructor(time: Float64Array, book: Book, columns: RunColumns) {
    this.#time = time;
    this.#book = book;
    this.columns = columns;
  }

  /** Writes the row of an instant at which all last prices are those of now. */
  write(): void {
    const { positions } = this.#book;
    const at = this.next * positions.length;
    for (let i = 0; i < positions.length; i++) {
      this.columns.weights[at + i] = positions[i]!.value();
    }
    this.#end(this.next + 1, true);
  }

  /**
   * Writes all rows before `until`, through which nothing trades; but for those that were ruined before, up to the
   * first at which no equity is left. Gives the instant of that one, else `until`.
   */
  writeBefore(until: number, ruined: boolean): number {
    const { positions } = this.#book;
    const from = this.next;
    const time = this.#time;
    let to = from;
    while (to < time.length && time[to]! < until) to++;
    if (to === from) return until;
    for (let i = 0; i < positions.length; i++) {
      positions[i]!.valuesAt(time, from, to, this.columns.weights, i, positions.length);
    }
    this.#end(to, ruined);
    return this.next < to ? time[this.next]! : until;
  }

  /** Ends rows that have values in the place of weights; but for `ruined` only those before equity is gone. */
  #end(to: number, ruined: boolean): void {
    const { cash, positions } = this.#book;
    const { columns: of } = this;
    const { weights } = of;
    const width = positions.length;
    let row = this.next;
    for (; row < to; row++) {
      const [from, end] = [row * width, (row + 1) * width];
      let equity = cash;
      for (let at = from; at < end; at++) equity += weights[at]!;
      if (equity <= 0 && !ruined) break;
      let gross = 0;
      let net = 0;
      for (let at = from; at < end; at++) {
        const weight = equity > 0 ? weights[at]! / equity : 0;
        weights[at] = weight;
        gross += Math.abs(weight);
        net += weight;
      }
      of.equity[row] = equity;
      of.cash[row] = cash;
      of.exposure[row] = gross;
      of.netExposure[row] = net;
      of.traded[row] = 0;
      of.costs[row] = 0;
    }
    if (row > this.next) this.#tellTraded(this.next);
    this.next = row;
  }

  /** What was traded since the row before `row`. */
  #tellTraded(row: number): void {
    const book = this.#book;
    this.columns.traded[row] = book.traded;
    this.columns.costs[row] = book.costs;
    book.traded = 0;
    book.costs = 0;
  }
}
