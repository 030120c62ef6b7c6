import type { Book } from './book.ts';
import type { Position } from './position.ts';
import type { BacktestRules } from './rules.ts';

/** A smaller change, as a share of equity, is rounding and no trade. */
const DUST = 1e-9;

/**
 * Fills the first `count` orders, those of one instant, at the positions' last prices (their open or their close).
 *
 * All orders see the same equity, that before any of them; what reduces a position comes first. What adds is scaled by
 * one factor k <= 1, so that after costs the sum of absolute positions is at most `maxLeverage` times equity:
 * `gross + k adds <= L (equity - k costs)`, k = (L equity - gross) / (adds + L costs of adds at k = 1).
 */
export function fillOrders(
  book: Book,
  orders: readonly Position[],
  count: number,
  rules: BacktestRules,
): void {
  const equity = book.equity();
  if (!(equity > 0)) return;
  let adds = 0;
  let costs = 0;
  for (let i = 0; i < count; i++) {
    const order = orders[i]!;
    order.adds = reduce(book, order, equity, rules);
    adds += Math.abs(order.adds);
    costs += Math.abs(order.adds) * order.costOf(order.adds > 0);
  }
  if (adds === 0) return;
  const { maxLeverage } = rules;
  const room = (maxLeverage * book.equity() - book.gross()) / (adds + maxLeverage * costs);
  const scale = Math.min(1, room);
  if (!(scale > 0)) return;
  for (let i = 0; i < count; i++) {
    const order = orders[i]!;
    const value = order.adds * scale;
    if (Math.abs(value) <= DUST * equity) continue;
    book.add(order, value / order.mark, order.mark, equity);
  }
}

/** Trades the part of an order that takes from what is held; gives the value (signed) that is to be added. */
function reduce(book: Book, order: Position, equity: number, rules: BacktestRules): number {
  const price = order.mark;
  const held = order.value();
  const wanted = order.wanted * equity;
  const change = wanted - held;
  const least = Math.max(rules.noTradeBand * equity, rules.minTradeValue, DUST * equity);
  const goesFlat = order.wanted === 0 && order.quantity !== 0;
  if (!goesFlat && Math.abs(change) <= least) return 0;
  if (order.quantity === 0) return wanted;
  if (wanted * held <= 0) {
    book.flatten(order, price, equity, 'signal');
    return wanted;
  }
  if (Math.abs(wanted) > Math.abs(held)) return change;
  book.cut(order, change / price, price, equity);
  return 0;
}
