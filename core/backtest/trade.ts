/** A trade: from flat (or a change of sign) to flat; adds and cuts in between belong to it. */

export const EXIT_REASONS = [
  'signal',
  'stopLoss',
  'trailingStop',
  'takeProfit',
  'emergency',
  'ruin',
] as const;
/** `signal`: its target went to 0 or to the other side. `ruin`: equity was gone. */
export type ExitReason = (typeof EXIT_REASONS)[number];

export interface Trade {
  readonly instrument: string;
  readonly side: 'long' | 'short';
  /** Open time (ms UTC) of the bar in which it began. */
  readonly entryTime: number;
  /** Of the bar in which it ended; of the newest bar where it is still open. */
  readonly exitTime: number;
  /** Mean price of what was added, slippage and spread in it, fees not. */
  readonly entryPrice: number;
  /** Mean price of what was cut, likewise; an open trade's rest counts at the last close. */
  readonly exitPrice: number;
  /** Most units held, absolute. */
  readonly quantity: number;
  readonly adds: number;
  readonly cuts: number;
  /** At the prices of the bars, quote currency. */
  readonly grossPnl: number;
  /** Fees, slippage, half spread and the borrowing of a short. */
  readonly costs: number;
  /** grossPnl - costs. */
  readonly netPnl: number;
  /** netPnl over the value put in at the bars' prices. */
  readonly netReturn: number;
  /** Bars of the instrument from the one of the entry to the one of the exit. */
  readonly barsHeld: number;
  /** null while it is open. */
  readonly exitReason: ExitReason | null;
  readonly open: boolean;
}

/** The trade of an instrument that is under way: sums from which its record is made. One ledger for all of them. */
export class TradeLedger {
  readonly #instrument: string;
  // Sums begin as NaN, so that they are kept as numbers with a point from the first on.
  #entryBar = 0;
  #entryTime = NaN;
  #side = 0;
  #added = NaN;
  #addedValue = NaN;
  #addedAtBars = NaN;
  #cut = NaN;
  #cutValue = NaN;
  #adds = 0;
  #cuts = 0;
  #most = NaN;
  #held = NaN;
  #heldValue = NaN;
  /** Money taken out at the bars' prices: what was sold less what was bought. */
  #taken = NaN;
  costs = NaN;

  constructor(instrument: string) {
    this.#instrument = instrument;
  }

  /** A trade begins in a bar that opens at `time`; the one before it has been finished. */
  begin(side: 1 | -1, bar: number, time: number): void {
    this.#side = side;
    this.#entryBar = bar;
    this.#entryTime = time;
    this.#added = 0;
    this.#addedValue = 0;
    this.#addedAtBars = 0;
    this.#cut = 0;
    this.#cutValue = 0;
    this.#adds = 0;
    this.#cuts = 0;
    this.#most = 0;
    this.#held = 0;
    this.#heldValue = 0;
    this.#taken = 0;
    this.costs = 0;
  }

  /** Average price of the units that are held: adds move it, cuts do not. What stops are measured from. */
  get averageCost(): number {
    return this.#heldValue / this.#held;
  }

  /** `delta` units (signed) at `price` of the bar, paid at `paid`; `held` units stay, absolute. */
  record(delta: number, price: number, paid: number, held: number): void {
    const units = Math.abs(delta);
    this.#taken -= delta * price;
    this.#most = Math.max(this.#most, held);
    if (delta * this.#side > 0) {
      if (this.#added > 0) this.#adds++;
      this.#added += units;
      this.#addedValue += units * paid;
      this.#addedAtBars += units * price;
      this.#heldValue += units * paid;
    } else {
      this.#heldValue *= held / this.#held;
      this.#cut += units;
      this.#cutValue += units * paid;
      if (held > 0) this.#cuts++;
    }
    this.#held = held;
  }

  /** `held`: units left, signed, worth `mark` each; 0 where the trade is over. */
  finish(
    bar: number,
    time: number,
    exitReason: ExitReason | null,
    held: number,
    mark: number,
  ): Trade {
    const rest = Math.abs(held);
    const grossPnl = this.#taken + (held === 0 ? 0 : held * mark);
    const netPnl = grossPnl - this.costs;
    return {
      instrument: this.#instrument,
      side: this.#side > 0 ? 'long' : 'short',
      entryTime: this.#entryTime,
      exitTime: time,
      entryPrice: this.#addedValue / this.#added,
      exitPrice: (this.#cutValue + (rest > 0 ? rest * mark : 0)) / (this.#cut + rest),
      quantity: this.#most,
      adds: this.#adds,
      cuts: this.#cuts,
      grossPnl,
      costs: this.costs,
      netPnl,
      netReturn: netPnl / this.#addedAtBars,
      barsHeld: bar - this.#entryBar,
      exitReason,
      open: exitReason === null,
    };
  }
}
