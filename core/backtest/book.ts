import type { Position } from './position.ts';
import type { ExitReason, Trade, TradeLedger } from './trade.ts';

/** Cash, positions and the trades made of them. Every unit that changes hands passes `execute`. */
export class Book {
  readonly positions: readonly Position[];
  readonly closed: Trade[] = [];
  cash = NaN;
  /** Costs paid, and absolute value traded over equity, since they were last read. */
  costs = 0;
  traded = 0;

  constructor(positions: readonly Position[], cash: number) {
    this.positions = positions;
    this.cash = cash;
  }

  /** Cash and all positions at their last prices. */
  equity(): number {
    let sum = this.cash;
    for (const position of this.positions) sum += position.value();
    return sum;
  }

  /** Sum of the absolute values held. */
  gross(): number {
    let sum = 0;
    for (const position of this.positions) sum += Math.abs(position.value());
    return sum;
  }

  /** Adds to a position (or opens it): `units` signed, at `price` of the bar. */
  add(position: Position, units: number, price: number, equity: number): void {
    let { ledger } = position;
    if (ledger === null) {
      ledger = position.openLedger(units > 0 ? 1 : -1);
      position.best = price;
    }
    this.#execute(position, ledger, units, position.quantity + units, price, equity);
  }

  /** Cuts a position without ending it: `units` signed, against what is held. */
  cut(position: Position, units: number, price: number, equity: number): void {
    if (position.ledger === null) return;
    this.#execute(position, position.ledger, units, position.quantity + units, price, equity);
  }

  /** Ends a position; nothing where none is held. */
  flatten(position: Position, price: number, equity: number, reason: ExitReason): void {
    const { ledger, openTime } = position;
    if (ledger === null) return;
    const bar = position.current();
    this.#execute(position, ledger, -position.quantity, 0, price, equity);
    this.closed.push(ledger.finish(bar, openTime[bar]!, reason, 0, price));
    position.ledger = null;
    position.best = NaN;
  }

  /** Takes `amount` for borrowed units of a short. */
  borrow(position: Position, amount: number): void {
    this.cash -= amount;
    this.costs += amount;
    if (position.ledger !== null) position.ledger.costs += amount;
  }

  /** Trades that never ended, valued at the last price. */
  openTrades(): Trade[] {
    return this.positions.flatMap(({ ledger, bars, openTime, quantity, mark }) =>
      ledger === null ? [] : [ledger.finish(bars - 1, openTime[bars - 1]!, null, quantity, mark)],
    );
  }

  #execute(
    position: Position,
    ledger: TradeLedger,
    units: number,
    held: number,
    price: number,
    equity: number,
  ): void {
    const paid = price * (units > 0 ? 1 + position.slippage : 1 - position.slippage);
    const fee = Math.abs(units * paid) * position.fee;
    const cost = Math.abs(units) * Math.abs(paid - price) + fee;
    this.cash -= units * paid + fee;
    position.quantity = held;
    ledger.record(units, price, paid, Math.abs(held));
    ledger.costs += cost;
    this.costs += cost;
    if (equity > 0) this.traded += Math.abs(units * price) / equity;
  }
}
