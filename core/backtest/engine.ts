/**
 * The backtest engine: one pass over the bars of one or several instruments, deterministic.
 *
 * Events in the order of their instants, closes before opens where both fall together:
 * 1. close of bar t: stops inside the bar; then fills at the close (rule `nextClose`) of what was decided at the close
 *    of bar t - 1 or before; then equity is marked and a row written. What is decided at this close waits.
 * 2. open of bar t + 1: longs are left in an emergency; then fills at the open (rule `nextOpen`) of what was decided at
 *    the close of t.
 * What is known of a bar only a while after its close waits as `known.ts` says.
 * A decision at the last bar of an instrument never fills. A row is an instant at which any bar closes.
 *
 * Nothing reads a bar before its instant: dropping all bars that close after an instant leaves the rows up to it, and
 * the trades that ended by then, the same bit for bit (where no bar was open at that instant).
 * Equity at or below 0 at a close ends the run's trading: everything is closed there (`ruin`).
 */
import { rowTimes } from './instants.ts';
import { Book } from './book.ts';
import { fillOrders } from './fill.ts';
import { asKnown } from './known.ts';
import { Position } from './position.ts';
import type { BacktestRules } from './rules.ts';
import { checkedSeries, type InstrumentSeries } from './series.ts';
import { applyBarStops, hasBarStops } from './stops.ts';
import type { Trade } from './trade.ts';

/** What a run leaves; columns have one entry a row, money in quote currency. */
export interface BacktestRun {
  /** Ids, rising; the columns of `weights`. */
  readonly instruments: readonly string[];
  readonly initialEquity: number;
  /** When the first bar opens, ms UTC. */
  readonly from: number;
  /** Instant of each row, ms UTC: a close of at least one instrument. */
  readonly time: Float64Array;
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
  /** Ended trades in the order in which they ended, then those still open. */
  readonly trades: readonly Trade[];
  readonly ruined: boolean;
}

/** Runs a backtest. Throws `backtest.*` on series that do not fit together (see `checkedSeries`). */
export function runBacktest(given: readonly InstrumentSeries[], rules: BacktestRules): BacktestRun {
  const positions = checkedSeries(given).map(
    (series) => new Position(asKnown(series, rules), rules),
  );
  const engine = new Engine(positions, rules);
  for (let now = engine.nextAt(); now < Infinity; now = engine.nextAt()) engine.step(now);
  return engine.finish();
}

const YEAR_MS = 365.25 * 86_400_000;

class Engine {
  readonly #positions: readonly Position[];
  readonly #rules: BacktestRules;
  readonly #book: Book;
  readonly #run: Omit<BacktestRun, 'trades' | 'ruined'>;
  readonly #stops: boolean;
  readonly #carries: boolean;
  readonly #orders: Position[];
  #ordered = 0;
  #row = 0;
  #ruined = false;
  #before = NaN;

  constructor(positions: readonly Position[], rules: BacktestRules) {
    this.#positions = positions;
    this.#orders = [...positions];
    this.#rules = rules;
    this.#book = new Book(positions, rules.initialEquity);
    this.#stops = hasBarStops(rules.stops);
    this.#carries = rules.borrowBpsPerYear > 0 || rules.financingBpsPerYear > 0;
    const time = rowTimes(positions.map(({ closeAt }) => closeAt));
    const column = (): Float64Array => new Float64Array(time.length);
    this.#run = {
      instruments: positions.map(({ instrument }) => instrument),
      initialEquity: rules.initialEquity,
      from: Math.min(...positions.map(({ openAt }) => openAt[0]!)),
      time,
      equity: column(),
      cash: column(),
      exposure: column(),
      netExposure: column(),
      traded: column(),
      costs: column(),
      weights: new Float64Array(time.length * positions.length),
    };
  }

  nextAt(): number {
    let next = Infinity;
    for (const position of this.#positions) next = Math.min(next, position.nextAt());
    return next;
  }

  step(now: number): void {
    if (this.#carries && !this.#ruined) this.#carry(now);
    this.#closeBars(now);
    this.#openBars(now);
  }

  finish(): BacktestRun {
    const trades = [...this.#book.closed, ...this.#book.openTrades()];
    return { ...this.#run, trades, ruined: this.#ruined };
  }

  #closeBars(now: number): void {
    let closing = false;
    for (const position of this.#positions) {
      if (!position.inside || position.closeAt[position.bar] !== now) continue;
      closing = true;
      if (this.#stops) applyBarStops(this.#book, position, this.#rules.stops);
      const close = position.close[position.bar]!;
      if (!Number.isNaN(close)) position.mark = close;
    }
    if (!closing) return;
    if (this.#rules.fill.at === 'nextClose') this.#fillAtClose(now);
    if (!this.#ruined && this.#book.equity() <= 0) this.#ruin();
    this.#writeRow();
    for (const position of this.#positions) {
      if (!position.inside || position.closeAt[position.bar] !== now) continue;
      position.inside = false;
      position.bar++;
    }
  }

  #fillAtClose(now: number): void {
    for (const position of this.#positions) {
      if (!position.inside || position.closeAt[position.bar] !== now) continue;
      if (position.takeOrder(position.close[position.bar]!)) this.#order(position);
    }
    this.#fill();
  }

  #openBars(now: number): void {
    const atOpen = this.#rules.fill.at === 'nextOpen';
    for (const position of this.#positions) {
      if (position.inside || position.bar === position.bars) continue;
      if (position.openAt[position.bar] !== now) continue;
      position.begin();
      if (atOpen && position.takeOrder(position.open[position.bar]!)) this.#order(position);
    }
    this.#leaveInEmergency(now);
    this.#fill();
  }

  /** Longs only; after all marks of the instant are known, so that each exit is a share of the same equity. */
  #leaveInEmergency(now: number): void {
    for (const position of this.#positions) {
      if (!position.inside || position.openAt[position.bar] !== now) continue;
      if (!position.leavesAtOpen()) continue;
      this.#book.flatten(position, position.mark, this.#book.equity(), 'emergency');
      position.pause();
    }
  }

  #order(position: Position): void {
    this.#orders[this.#ordered++] = position;
  }

  #fill(): void {
    if (this.#ordered === 0) return;
    if (!this.#ruined) fillOrders(this.#book, this.#orders, this.#ordered, this.#rules);
    this.#ordered = 0;
  }

  #ruin(): void {
    this.#ruined = true;
    for (const position of this.#positions) {
      this.#book.flatten(position, position.mark, this.#rules.initialEquity, 'ruin');
    }
  }

  /** Borrowing and financing of what was held since the event before, by calendar time. */
  #carry(now: number): void {
    const years = (now - this.#before) / YEAR_MS;
    this.#before = now;
    if (!(years > 0)) return;
    const book = this.#book;
    const { borrowBpsPerYear, financingBpsPerYear, costScale } = this.#rules;
    const financed = Math.max(0, -book.cash);
    for (const position of this.#positions) {
      const short = -position.value();
      if (short <= 0) continue;
      book.borrow(position, (short * borrowBpsPerYear * costScale * years) / 10_000);
    }
    const interest = (financed * financingBpsPerYear * costScale * years) / 10_000;
    book.cash -= interest;
    book.costs += interest;
  }

  #writeRow(): void {
    const run = this.#run;
    const book = this.#book;
    const row = this.#row++;
    const equity = book.equity();
    const at = row * this.#positions.length;
    let exposure = 0;
    let net = 0;
    for (let i = 0; i < this.#positions.length; i++) {
      const weight = equity > 0 ? this.#positions[i]!.value() / equity : 0;
      run.weights[at + i] = weight;
      exposure += Math.abs(weight);
      net += weight;
    }
    run.equity[row] = equity;
    run.cash[row] = book.cash;
    run.exposure[row] = exposure;
    run.netExposure[row] = net;
    run.traded[row] = book.traded;
    run.costs[row] = book.costs;
    book.traded = 0;
    book.costs = 0;
  }
}
