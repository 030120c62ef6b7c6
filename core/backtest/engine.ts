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
 * Most bars change prices and nothing else. Each position says in which bar it trades next, as things stand with it
 * (`Position.wakesAt`); the clock stops there, and the rows up to it are written together. That is no other result: with
 * borrowing or financing, which are taken at every event, it stops at each of them.
 *
 * Nothing that happens rests on a later bar: dropping all bars that close after an instant leaves the rows up to it, and
 * the trades that ended by then, the same bit for bit (where no bar was open at that instant).
 * Equity at or below 0 at a close ends the run's trading: everything is closed there (`ruin`).
 */
import { Book } from './book.ts';
import { fillOrders } from './fill.ts';
import { asKnown } from './known.ts';
import { Position } from './position.ts';
import { prepare, type Prepared } from './prepared.ts';
import { Rows, runColumns, runFigures, type RunColumns, type RunFigures } from './rows.ts';
import type { BacktestRules } from './rules.ts';
import type { InstrumentSeries } from './series.ts';
import { applyBarStops, hasBarStops } from './stops.ts';
import type { Trade } from './trade.ts';

/** What is known of a run besides its columns. */
export interface RunOutcome {
  /** Ids, rising; the columns of `weights`. */
  readonly instruments: readonly string[];
  readonly initialEquity: number;
  /** When the first bar opens, ms UTC. */
  readonly from: number;
  /** Instant of each row, ms UTC: a close of at least one instrument. */
  readonly time: Float64Array;
  /** Ended trades in the order in which they ended, then those still open. */
  readonly trades: readonly Trade[];
  readonly ruined: boolean;
}

/** A run of which nothing but figures is wanted; columns have one entry a row. */
export interface FiguresRun extends RunOutcome, RunFigures {}

/** What a run leaves; columns have one entry a row. */
export interface BacktestRun extends RunOutcome, RunColumns {}

/** Runs a backtest. Throws `backtest.*` on series that do not fit together (see `checkedSeries`). */
export const runBacktest = (
  given: readonly InstrumentSeries[],
  rules: BacktestRules,
): BacktestRun => runWhole(prepare(given), rules);

/** With every column. */
export function runWhole(prepared: Prepared, rules: BacktestRules): BacktestRun {
  const columns = runColumns(prepared.time.length, prepared.series.length);
  return { ...new Engine(prepared, rules, columns, columns).run(), ...columns };
}

/** With figures only. Columns of a run over the same bars that nobody reads any more are overwritten and become those of this one. */
export function runPrepared(
  prepared: Prepared,
  rules: BacktestRules,
  { equity, exposure, traded, costs }: RunFigures = runFigures(prepared.time.length),
): FiguresRun {
  const figures = { equity, exposure, traded, costs };
  return { ...new Engine(prepared, rules, figures).run(), ...figures };
}

const YEAR_MS = 365.25 * 86_400_000;

class Engine {
  readonly #positions: readonly Position[];
  readonly #rules: BacktestRules;
  readonly #book: Book;
  readonly #rows: Rows;
  readonly #time: Float64Array;
  readonly #stops: boolean;
  readonly #carries: boolean;
  readonly #fillsAtOpen: boolean;
  readonly #orders: Position[];
  #ordered = 0;
  #ruined = false;
  #before = NaN;

  constructor(
    { series, time }: Prepared,
    rules: BacktestRules,
    figures: RunFigures,
    rest?: RunColumns,
  ) {
    const positions = series.map((one) => new Position(asKnown(one, rules), rules));
    this.#positions = positions;
    this.#orders = [...positions];
    this.#rules = rules;
    this.#book = new Book(positions, rules.initialEquity);
    this.#rows = new Rows(time, this.#book, figures, rest);
    this.#time = time;
    this.#stops = hasBarStops(rules.stops);
    this.#carries = rules.borrowBpsPerYear > 0 || rules.financingBpsPerYear > 0;
    this.#fillsAtOpen = rules.fill.at === 'nextOpen';
  }

  run(): RunOutcome {
    const from = this.#nextAt();
    for (;;) {
      const now = this.#rows.writeBefore(this.#wakesAt(), this.#ruined);
      for (const position of this.#positions) position.pass(now);
      if (now === Infinity) break;
      this.#step(now);
    }
    return {
      instruments: this.#positions.map(({ instrument }) => instrument),
      initialEquity: this.#rules.initialEquity,
      from,
      time: this.#time,
      trades: [...this.#book.closed, ...this.#book.openTrades()],
      ruined: this.#ruined,
    };
  }

  #nextAt(): number {
    let next = Infinity;
    for (const position of this.#positions) if (position.next < next) next = position.next;
    return next;
  }

  /** The next instant at which anything but prices may change: between two of them rows are written as one. */
  #wakesAt(): number {
    if (this.#ruined) return Infinity;
    if (this.#carries) return this.#nextAt();
    let next = Infinity;
    for (const position of this.#positions) next = Math.min(next, position.wakesAt());
    return next;
  }

  #step(now: number): void {
    if (this.#carries) this.#carry(now);
    if (this.#closeBars(now)) this.#endRow(now);
    if (!this.#ruined) this.#openBars(now);
  }

  /** Stops and last prices of the bars that close now; false where none does. */
  #closeBars(now: number): boolean {
    let closing = false;
    for (const position of this.#positions) {
      if (!position.inside || position.next !== now) continue;
      closing = true;
      if (this.#stops && position.ledger !== null && !position.rests()) {
        applyBarStops(this.#book, position, position.ledger, this.#rules.stops);
      }
      const close = position.close[position.bar]!;
      if (!Number.isNaN(close)) position.mark = close;
    }
    return closing;
  }

  /** What else happens at a close, once all prices of it are known. */
  #endRow(now: number): void {
    if (!this.#fillsAtOpen) this.#fillAtClose(now);
    if (this.#book.equity() <= 0) this.#ruin();
    this.#rows.write();
    for (const position of this.#positions) {
      if (position.inside && position.next === now) position.end();
    }
  }

  #fillAtClose(now: number): void {
    for (const position of this.#positions) {
      if (!position.inside || position.next !== now) continue;
      if (position.takeOrder(position.close[position.bar]!)) this.#order(position);
    }
    this.#fill();
  }

  #openBars(now: number): void {
    let emergency = false;
    for (const position of this.#positions) {
      if (position.inside || position.next !== now) continue;
      position.begin();
      if (this.#fillsAtOpen && position.takeOrder(position.open[position.bar]!)) {
        this.#order(position);
      }
      if (position.leavesAtOpen()) emergency = true;
    }
    if (emergency) this.#leaveInEmergency(now);
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
    fillOrders(this.#book, this.#orders, this.#ordered, this.#rules);
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
}
