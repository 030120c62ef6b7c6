import { barCount } from '../bars/bars.ts';
import type { PreparedSeries } from './prepared.ts';
import type { BacktestRules } from './rules.ts';
import { costsOf } from './series.ts';
import { hasBarStops, liveThrough, type BarStops } from './stops.ts';
import { TradeLedger } from './trade.ts';

/** One instrument while a backtest runs: where its clock stands, what is held, what is wanted. */
export class Position {
  readonly instrument: string;
  readonly bars: number;
  readonly openTime: Float64Array;
  readonly openAt: Float64Array;
  readonly closeAt: Float64Array;
  readonly open: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly close: Float64Array;
  /** Fractions of the traded value. */
  readonly fee: number;
  readonly slippage: number;

  /** The bar that is open, or that opens next. */
  bar = 0;
  inside = false;
  /** Instant at which that bar closes, or opens; Infinity after the last one. */
  next = NaN;
  /** Units, signed. */
  quantity = 0;
  /** Last price that is known; NaN before the first. */
  mark = NaN;
  /** Best price since entry, of whole bars: highest for longs, lowest for shorts. */
  best = NaN;
  /** Of the trade under way; null: none is. */
  ledger: TradeLedger | null = null;
  /** What an accepted order asks for, share of equity, and what of it adds to the position (signed value). */
  wanted = NaN;
  adds = 0;

  readonly #ledger: TradeLedger;
  readonly #stops: BarStops | undefined;
  readonly #targets: Float64Array;
  /** undefined: no score is an emergency. */
  readonly #scores: Float64Array | undefined;
  readonly #emergencyAt: number;
  /** Bars from a decision to the bar in which it fills. */
  readonly #delay: number;
  readonly #lowest: number;
  readonly #highest: number;
  readonly #onlyChanged: boolean;
  readonly #anyTarget: boolean;
  /** An order that no price has filled yet. */
  #pending = NaN;
  /** The last order that came to its fill. */
  #last = NaN;
  #stopped = false;
  /** The score of the last whole bar is one at which nothing long is held, or an exit at it found no price yet. */
  #urgent = false;
  /** The last order was for a long that an emergency ended or kept out. */
  #paused = false;
  /** A bar before which nothing happens to it; see `wakesAt`. */
  #wakes = -1;

  constructor(series: PreparedSeries, rules: BacktestRules) {
    const { bars } = series;
    const costs = costsOf(series, rules);
    this.instrument = bars.instrument;
    this.#ledger = new TradeLedger(bars.instrument);
    this.bars = barCount(bars);
    this.openTime = bars.openTime;
    this.open = bars.open;
    this.high = bars.high;
    this.low = bars.low;
    this.close = bars.close;
    this.fee = (costs.feeBps * rules.costScale) / 10_000;
    this.slippage = ((costs.slippageBps + costs.halfSpreadBps) * rules.costScale) / 10_000;
    this.openAt = series.openAt;
    this.closeAt = series.closeAt;
    this.next = series.openAt[0]!;
    this.#targets = series.targets;
    const { emergencyScore, reentry } = rules.stops;
    this.#stops = hasBarStops(rules.stops) ? rules.stops : undefined;
    this.#scores = emergencyScore === null ? undefined : series.emergencyScore;
    this.#emergencyAt = emergencyScore ?? Infinity;
    this.#delay = 1 + rules.fill.delayBars;
    this.#highest = rules.maxWeight;
    this.#lowest = rules.allowShort ? -rules.maxWeight : 0;
    this.#onlyChanged = rules.rebalance === 'changed';
    this.#anyTarget = reentry === 'changedTarget';
  }

  /** The bar that is open, else the last that was. */
  current(): number {
    return this.inside ? this.bar : this.bar - 1;
  }

  /** Value held at the last price; 0 where nothing is held, also before any price. */
  value(): number {
    return this.quantity === 0 ? 0 : this.quantity * this.mark;
  }

  /**
   * Its next event in a bar in which it may trade, as things stand with it: the bars before only change its price.
   * Infinity where there is none.
   */
  wakesAt(): number {
    if (this.bar > this.#wakes) this.#wakes = this.#restsUntil();
    if (this.inside && this.bar === this.#wakes) return this.next;
    return this.#wakes < this.bars ? this.openAt[this.#wakes]! : Infinity;
  }

  /** Does it live through the current bar without trading, its best price seen? */
  rests(): boolean {
    return this.bar < this.#wakes;
  }

  /** The first bar from the current one on in which a stop lies or an order may fill. */
  #restsUntil(): number {
    if (!Number.isNaN(this.#pending) || this.#paused || this.#urgent) return this.bar;
    const until = Math.min(this.#nextAsked(), this.#nextEmergency());
    return this.ledger === null || this.#stops === undefined
      ? until
      : liveThrough(this, this.ledger.averageCost, this.#stops, until);
  }

  /** The first bar from the current one on with an order unlike the last one. */
  #nextAsked(): number {
    const delay = this.#delay;
    const last = this.#last;
    const repeats = this.#onlyChanged || this.#stopped;
    const targets = this.#targets;
    const end = this.bars - delay;
    let known = NaN;
    for (let at = Math.max(0, this.bar - delay); at < end; at++) {
      const target = targets[at]!;
      // NaN is none.
      if (target !== target || target === known) continue;
      if (!repeats || this.#limited(target) !== last) return at + delay;
      known = target;
    }
    return this.bars;
  }

  #nextEmergency(): number {
    if (this.#scores === undefined) return this.bars;
    let { bar } = this;
    while (bar < this.bars && !this.#isEmergency(bar)) bar++;
    return bar;
  }

  /** A trade begins in the current bar. */
  openLedger(side: 1 | -1): TradeLedger {
    this.#ledger.begin(side, this.bar, this.openTime[this.bar]!);
    this.ledger = this.#ledger;
    return this.#ledger;
  }

  /** A bar was lived through: trailing stops are measured from the best price so far. */
  seeBest(bar: number, side: 1 | -1): void {
    const best = side > 0 ? this.high[bar]! : this.low[bar]!;
    if (side * best > side * this.best) this.best = best;
  }

  /** Lives through all that happens before `until`, where it only changes its price. */
  pass(until: number): void {
    let { bar } = this;
    while (bar < this.bars && this.closeAt[bar]! < until) bar++;
    const inside = bar < this.bars && this.openAt[bar]! < until;
    if (bar === this.bar && inside === this.inside) return;
    this.mark = this.#markAt(inside ? bar : bar - 1, inside);
    this.bar = bar;
    this.inside = inside;
    this.next = inside ? this.closeAt[bar]! : bar < this.bars ? this.openAt[bar]! : Infinity;
  }

  /** The last price known in a bar; while it is open, that is not its close. */
  #markAt(bar: number, open: boolean): number {
    for (let at = bar; at >= this.bar; at--) {
      const close = open && at === bar ? NaN : this.close[at]!;
      const price = Number.isNaN(close) ? this.open[at]! : close;
      if (!Number.isNaN(price)) return price;
    }
    return this.mark;
  }

  /** Its value at the instants `time[from]` to `time[to - 1]`, all before it trades, to `out[offset]`, a `stride` each. */
  valuesAt(
    time: Float64Array,
    from: number,
    to: number,
    out: Float64Array,
    offset: number,
    stride: number,
  ): void {
    let at = offset;
    if (this.quantity === 0) {
      for (let row = from; row < to; row++, at += stride) out[at] = 0;
      return;
    }
    let { bar, mark } = this;
    const { bars, quantity, open, close, openAt, closeAt } = this;
    if (time === closeAt) {
      // The only instrument: a row is a close of it.
      for (let row = from; row < to; row++, at += stride) {
        const price = Number.isNaN(close[row]) ? open[row]! : close[row]!;
        if (!Number.isNaN(price)) mark = price;
        out[at] = quantity * mark;
      }
      return;
    }
    for (let row = from; row < to; row++, at += stride) {
      if (bar < bars) {
        const closes = closeAt[bar] === time[row];
        if (closes && !Number.isNaN(close[bar])) mark = close[bar]!;
        else if (openAt[bar]! < time[row]! && !Number.isNaN(open[bar])) mark = open[bar]!;
        if (closes) bar++;
      }
      out[at] = quantity * mark;
    }
  }

  /** Opens its next bar. */
  begin(): void {
    this.inside = true;
    this.next = this.closeAt[this.bar]!;
    const open = this.open[this.bar]!;
    if (!Number.isNaN(open)) this.mark = open;
    // Longs end and are kept out in an emergency: one that is still held had no price to leave at.
    const waits = this.#urgent && this.quantity > 0;
    this.#urgent = waits || this.#isEmergency(this.bar);
  }

  #isEmergency(bar: number): boolean {
    if (this.#scores === undefined || bar === 0) return false;
    return this.#scores[bar - 1]! >= this.#emergencyAt;
  }

  /** Closes the bar that is open. */
  end(): void {
    this.inside = false;
    this.bar++;
    this.next = this.bar < this.bars ? this.openAt[this.bar]! : Infinity;
  }

  /**
   * Takes the order that fills in this bar, decided `1 + delayBars` bars before, or an older one that found no price.
   * True: `wanted` is to be traded to at `price`. A long waits while there is an emergency.
   */
  takeOrder(price: number): boolean {
    const decided = this.bar - this.#delay;
    const target = decided >= 0 ? this.#targets[decided]! : NaN;
    if (!Number.isNaN(target)) this.#pending = this.#limited(target);
    if (Number.isNaN(price)) return false;
    const resumes = this.#paused && !this.#urgent;
    const order = Number.isNaN(this.#pending) && resumes ? this.#last : this.#pending;
    if (Number.isNaN(order)) return false;
    this.#pending = NaN;
    const same = this.#stopped ? this.#staysOut(order) : !resumes && this.#isRestated(order);
    this.#last = order;
    if (same) return false;
    this.#stopped = false;
    this.#paused = this.#urgent && order > 0;
    this.wanted = this.#paused ? 0 : order;
    return !this.#paused || this.quantity < 0;
  }

  /** Flat from now on, until a target says something new. */
  stop(): void {
    this.#stopped = true;
  }

  /** Is a long to be left at the open of this bar? */
  leavesAtOpen(): boolean {
    return this.#urgent && this.quantity > 0 && !Number.isNaN(this.open[this.bar]!);
  }

  /** A long was left: what it was held for is wanted again once the emergency is over. */
  pause(): void {
    this.#paused = this.#last > 0;
  }

  /** What one unit of value costs when bought or sold, as a fraction of it. */
  costOf(buy: boolean): number {
    return buy
      ? (1 + this.slippage) * (1 + this.fee) - 1
      : 1 - (1 - this.slippage) * (1 - this.fee);
  }

  #limited(target: number): number {
    return Math.min(this.#highest, Math.max(this.#lowest, target));
  }

  #staysOut(order: number): boolean {
    return this.#anyTarget ? order === this.#last : Math.sign(order) === Math.sign(this.#last);
  }

  #isRestated(order: number): boolean {
    return this.#onlyChanged && order === this.#last;
  }
}
