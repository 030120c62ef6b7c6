import type { Book } from './book.ts';
import type { Position } from './position.ts';
import type { BacktestRules } from './rules.ts';
import type { ExitReason, TradeLedger } from './trade.ts';

export type BarStops = Pick<BacktestRules['stops'], 'stopLoss' | 'trailing' | 'takeProfit'>;

/** Does any rule look inside a bar? */
export const hasBarStops = ({ stopLoss, trailing, takeProfit }: BarStops): boolean =>
  stopLoss !== undefined || trailing !== undefined || takeProfit !== undefined;

/** Applies the stops to the bar that has just ended, at prices that were inside it. */
export function applyBarStops(
  book: Book,
  position: Position,
  ledger: TradeLedger,
  stops: BarStops,
): void {
  const { bar } = position;
  const side = position.quantity > 0 ? 1 : -1;
  const cost = ledger.averageCost;
  if (reachesStop(position, bar, cost, side, stops)) stopOut(book, position, cost, side, stops);
  else position.seeBest(bar, side);
}

/**
 * Does a bar reach a level at which what is held of it is left?
 *
 * A long's stop level is the higher of `cost (1 - stopLoss)`, `cost` being the average of the units held, and
 * `best (1 - trailing)`, `best` being the highest price of the bars *before* (nobody knows whether this bar's high came
 * before its low); it fills at min(level, open).
 * Shorts mirror it. Where stop and profit target both lie inside one bar the stop counts, the pessimistic case. A bar
 * without an open ends nothing: nobody knows whether it began beyond a level.
 */
export function reachesStop(
  position: Position,
  bar: number,
  cost: number,
  side: 1 | -1,
  stops: BarStops,
): boolean {
  if (Number.isNaN(position.open[bar])) return false;
  const worst = side > 0 ? position.low[bar]! : position.high[bar]!;
  if (side * worst <= side * stopLevel(position.best, cost, side, stops)) return true;
  if (stops.takeProfit === undefined) return false;
  const best = side > 0 ? position.high[bar]! : position.low[bar]!;
  return side * best >= side * profitTarget(cost, side, stops.takeProfit);
}

/**
 * The first bar from the current one on, before `until`, that reaches a level, else `until`; the bars before it are lived
 * through. What `reachesStop` says of each bar; levels that no bar moves are computed once.
 */
export function liveThrough(
  position: Position,
  cost: number,
  stops: BarStops,
  until: number,
): number {
  const side = position.quantity > 0 ? 1 : -1;
  const { open } = position;
  const worst = side > 0 ? position.low : position.high;
  const best = side > 0 ? position.high : position.low;
  const trails = stops.trailing !== undefined;
  const takes = stops.takeProfit !== undefined;
  const target = side * profitTarget(cost, side, stops.takeProfit ?? Infinity);
  let level = side * stopLevel(position.best, cost, side, stops);
  let { bar } = position;
  for (; bar < until; bar++) {
    const price = open[bar]!;
    // NaN: nobody knows where it began.
    const began = price === price;
    if (began && side * worst[bar]! <= level) break;
    if (began && takes && side * best[bar]! >= target) break;
    if (trails && side * best[bar]! > side * position.best) {
      position.best = best[bar]!;
      level = side * stopLevel(position.best, cost, side, stops);
    }
  }
  return bar;
}

const profitTarget = (cost: number, side: 1 | -1, share: number): number =>
  cost * (1 + side * share);

/** -side x Infinity where there is no such stop: no price reaches it. */
const fixedLevel = (cost: number, side: 1 | -1, { stopLoss }: BarStops): number =>
  stopLoss === undefined ? -side * Infinity : cost * (1 - side * stopLoss);

const movingLevel = (best: number, side: 1 | -1, { trailing }: BarStops): number =>
  trailing === undefined ? -side * Infinity : best * (1 - side * trailing);

function stopLevel(best: number, cost: number, side: 1 | -1, stops: BarStops): number {
  const fixed = fixedLevel(cost, side, stops);
  const moving = movingLevel(best, side, stops);
  return side * moving > side * fixed ? moving : fixed;
}

/** Leaves a position in the current bar, which reaches a level. */
function stopOut(
  book: Book,
  position: Position,
  cost: number,
  side: 1 | -1,
  stops: BarStops,
): void {
  const { bar, best } = position;
  const open = position.open[bar]!;
  const worst = side > 0 ? position.low[bar]! : position.high[bar]!;
  const level = stopLevel(best, cost, side, stops);
  if (side * worst <= side * level) {
    const reason = level === fixedLevel(cost, side, stops) ? 'stopLoss' : 'trailingStop';
    return leave(book, position, side > 0 ? Math.min(level, open) : Math.max(level, open), reason);
  }
  const target = profitTarget(cost, side, stops.takeProfit ?? Infinity);
  const price = side > 0 ? Math.max(target, open) : Math.min(target, open);
  leave(book, position, price, 'takeProfit');
}

function leave(book: Book, position: Position, price: number, reason: ExitReason): void {
  const { mark } = position;
  // Equity is that at the stop's price: it is what the trade is a share of.
  position.mark = price;
  book.flatten(position, price, book.equity(), reason);
  position.mark = mark;
  position.stop();
}
