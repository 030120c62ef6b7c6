import { barCount } from '../bars/bars.ts';
import { instantsOf } from './instants.ts';
import type { BacktestRules } from './rules.ts';
import { costsOf, type InstrumentSeries } from './series.ts';
import type { TradeLedger } from './trade.ts';

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
  /** Units, signed. */
  quantity = 0;
  /** Last price that is known; NaN before the first. */
  mark = NaN;
  /** Best price since entry, of whole bars: highest for longs, lowest for shorts. */
  best = NaN;
  ledger: TradeLedger | null = null;
  /** What an accepted order asks for, share of equity, and what of it adds to the position (signed value). */
  wanted = NaN;
  adds = 0;

  readonly #targets: Float64Array;
  readonly #scores: Float64Array | undefined;
  readonly #rules: BacktestRules;
  /** An order that no price has filled yet. */
  #pending = NaN;
  /** The last order that came to its fill. */
  #last = NaN;
  #stopped = false;
  /** The score of the last whole bar is one at which nothing long is held, or an exit at it found no price yet. */
  #urgent = false;
  /** The last order was for a long that an emergency ended or kept out. */
  #paused = false;

  constructor(series: InstrumentSeries, rules: BacktestRules) {
    const { bars } = series;
    const { openAt, closeAt } = instantsOf(bars, series.calendar);
    const costs = costsOf(series, rules);
    this.instrument = bars.instrument;
    this.bars = barCount(bars);
    this.openTime = bars.openTime;
    this.openAt = openAt;
    this.closeAt = closeAt;
    this.open = bars.open;
    this.high = bars.high;
    this.low = bars.low;
    this.close = bars.close;
    this.fee = (costs.feeBps * rules.costScale) / 10_000;
    this.slippage = ((costs.slippageBps + costs.halfSpreadBps) * rules.costScale) / 10_000;
    this.#targets = series.targets;
    this.#scores = series.emergencyScore;
    this.#rules = rules;
  }

  /** Instant of its next event; Infinity after its last bar. */
  nextAt(): number {
    if (this.inside) return this.closeAt[this.bar]!;
    return this.bar < this.bars ? this.openAt[this.bar]! : Infinity;
  }

  /** The bar that is open, else the last that was. */
  current(): number {
    return this.inside ? this.bar : this.bar - 1;
  }

  /** Value held at the last price; 0 where nothing is held, also before any price. */
  value(): number {
    return this.quantity === 0 ? 0 : this.quantity * this.mark;
  }

  /** Opens its next bar. */
  begin(): void {
    this.inside = true;
    const open = this.open[this.bar]!;
    if (!Number.isNaN(open)) this.mark = open;
    // Longs end and are kept out in an emergency: one that is still held had no price to leave at.
    const waits = this.#urgent && this.quantity > 0;
    this.#urgent = waits || this.#isEmergency();
  }

  /**
   * Takes the order that fills in this bar, decided `1 + delayBars` bars before, or an older one that found no price.
   * True: `wanted` is to be traded to at `price`. A long waits while there is an emergency.
   */
  takeOrder(price: number): boolean {
    const decided = this.bar - 1 - this.#rules.fill.delayBars;
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

  #isEmergency(): boolean {
    const { emergencyScore } = this.#rules.stops;
    const score = this.bar > 0 ? this.#scores?.[this.bar - 1] : undefined;
    return emergencyScore !== null && score !== undefined && score >= emergencyScore;
  }

  #limited(target: number): number {
    const { allowShort, maxWeight } = this.#rules;
    return Math.min(maxWeight, Math.max(allowShort ? -maxWeight : 0, target));
  }

  #staysOut(order: number): boolean {
    return this.#rules.stops.reentry === 'changedTarget'
      ? order === this.#last
      : Math.sign(order) === Math.sign(this.#last);
  }

  #isRestated(order: number): boolean {
    return this.#rules.rebalance === 'changed' && order === this.#last;
  }
}
