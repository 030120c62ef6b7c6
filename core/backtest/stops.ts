import type { Book } from './book.ts';
import type { Position } from './position.ts';
import type { BacktestRules } from './rules.ts';
import type { ExitReason } from './trade.ts';

type Stops = BacktestRules['stops'];

/** Does any rule look inside a bar? */
export const hasBarStops = ({ stopLoss, trailing, takeProfit }: Stops): boolean =>
  stopLoss !== undefined || trailing !== undefined || takeProfit !== undefined;

/**
 * Applies the stops to the bar that has just ended, at prices that were inside it.
 *
 * A long's stop level is the higher of `cost (1 - stopLoss)`, `cost` being the average of the units held, and
 * `best (1 - trailing)`, `best` being the highest price of the bars *before* (nobody knows whether this bar's high came
 * before its low); it fills at min(level, open).
 * Shorts mirror it. Where stop and profit target both lie inside one bar the stop counts, the pessimistic case. A bar
 * without an open ends nothing.
 */
export function applyBarStops(book: Book, position: Position, stops: Stops): void {
  const { ledger, bar } = position;
  if (ledger === null) return;
  const side = position.quantity > 0 ? 1 : -1;
  const open = position.open[bar]!;
  const best = side > 0 ? position.high[bar]! : position.low[bar]!;
  // Without an open nobody knows whether the bar began beyond a level: nothing fills in it.
  const exit = Number.isNaN(open) ? null : exitOf(position, ledger.averageCost, side, stops);
  if (exit !== null) leave(book, position, exit.price, exit.reason);
  else if (side * best > side * position.best) position.best = best;
}

interface Exit {
  readonly price: number;
  readonly reason: ExitReason;
}

/** Where the bar that has ended leaves the position; null where it does not. */
function exitOf(position: Position, cost: number, side: 1 | -1, stops: Stops): Exit | null {
  const { bar } = position;
  const open = position.open[bar]!;
  const [high, low] = [position.high[bar]!, position.low[bar]!];
  const { level, reason } = stopLevel(position, cost, side, stops);
  if (side > 0 ? low <= level : high >= level) {
    return { price: side > 0 ? Math.min(level, open) : Math.max(level, open), reason };
  }
  if (stops.takeProfit === undefined) return null;
  const target = cost * (1 + side * stops.takeProfit);
  if (!(side > 0 ? high >= target : low <= target)) return null;
  return {
    price: side > 0 ? Math.max(target, open) : Math.min(target, open),
    reason: 'takeProfit',
  };
}

/** -side x Infinity where there is no stop: no price reaches it. */
function stopLevel(
  position: Position,
  cost: number,
  side: 1 | -1,
  { stopLoss, trailing }: Stops,
): { readonly level: number; readonly reason: ExitReason } {
  const fixed = stopLoss === undefined ? -side * Infinity : cost * (1 - side * stopLoss);
  const moving = trailing === undefined ? -side * Infinity : position.best * (1 - side * trailing);
  return side * moving > side * fixed
    ? { level: moving, reason: 'trailingStop' }
    : { level: fixed, reason: 'stopLoss' };
}

function leave(book: Book, position: Position, price: number, reason: ExitReason): void {
  const { mark } = position;
  // Equity is that at the stop's price: it is what the trade is a share of.
  position.mark = price;
  book.flatten(position, price, book.equity(), reason);
  position.mark = mark;
  position.stop();
}
