/** Trades on the closes of their instrument. */
import { extentOf, INK, line, round, type Frame, type Scale } from '../../evaluation/report/svg.ts';
import { lowerBound } from '../../bars/build.ts';
import type { BacktestResult } from '../result.ts';
import type { InstrumentCloses } from './input.ts';
import { timeChart, type Curve, type Drawing } from './time-chart.ts';
import { compact } from './words.ts';

type Trade = BacktestResult['trades'][number];

/** More marks than this hide one another and the price. */
export const MARKED_TRADES_MAX = 120;
/** Instruments with a price chart of their own in a report. */
export const PRICE_CHARTS_MAX = 12;

const LONG = '#0072b2';
const SHORT = '#d55e00';
const STOP = '#b91c1c';
const STRIP = 7;

const STOPS: ReadonlySet<Trade['exitReason']> = new Set([
  'stopLoss',
  'trailingStop',
  'takeProfit',
  'emergency',
  'ruin',
]);
export const wasStopped = ({ exitReason }: Trade): boolean => STOPS.has(exitReason);

/**
 * The trades that get marks, in order of entry: all, or of each of equal stretches of time as many, those that won
 * or lost most.
 */
export function markedTrades(trades: readonly Trade[], most = MARKED_TRADES_MAX): readonly Trade[] {
  const sorted = trades.toSorted((a, b) => a.entryTime - b.entryTime);
  if (sorted.length <= most) return sorted;
  const [from, to] = [sorted[0]!.entryTime, sorted.at(-1)!.entryTime];
  const stretches = Math.ceil(most / 2);
  const stretchOf = ({ entryTime }: Trade): number =>
    Math.min(stretches - 1, Math.floor(((entryTime - from) / Math.max(1, to - from)) * stretches));
  const groups = Array.from({ length: stretches }, (): Trade[] => []);
  for (const trade of sorted) groups[stretchOf(trade)]!.push(trade);
  return groups.flatMap((group) =>
    group
      .toSorted((a, b) => Math.abs(b.netPnl) - Math.abs(a.netPnl))
      .slice(0, 2)
      .sort((a, b) => a.entryTime - b.entryTime),
  );
}

/** The closes, the marks of trades, and below them a strip of when it was long and when short: of all trades. */
export function priceChart(
  { instrument, time, close }: InstrumentCloses,
  trades: readonly Trade[],
): Drawing {
  const own = trades.filter((trade) => trade.instrument === instrument);
  const marked = markedTrades(own);
  const closes: Curve = { label: `close of ${instrument}`, colour: '#9ca3af', time, values: close };
  const sides = new Set(own.map(({ side }) => side));
  return timeChart({
    title: `Trades on the closes of ${instrument}`,
    curves: [closes],
    alsoNamed: [
      ...(sides.has('long') ? [{ label: 'long ▲', colour: LONG }] : []),
      ...(sides.has('short') ? [{ label: 'short ▼', colour: SHORT }] : []),
      ...(own.length > 0 ? [{ label: 'exit ○', colour: INK }] : []),
      ...(own.some(wasStopped) ? [{ label: 'stopped ✕', colour: STOP }] : []),
    ],
    format: compact,
    mayBeLog: true,
    reaches: extentOfPrices(marked),
    height: 320,
    over: (x, y, frame) =>
      strip(own, x, frame) + marked.map((trade) => marksOf(trade, x, y)).join(''),
  });
}

const extentOfPrices = (trades: readonly Trade[]): readonly number[] =>
  trades.length === 0
    ? []
    : extentOf(trades.flatMap(({ entryPrice, exitPrice }) => [entryPrice, exitPrice]));

function marksOf(trade: Trade, x: Scale, y: Scale): string {
  const { side, entryTime, exitTime, entryPrice, exitPrice, open } = trade;
  const colour = side === 'long' ? LONG : SHORT;
  const [ax, ay] = [x(entryTime), y(entryPrice)];
  const [bx, by] = [x(exitTime), y(exitPrice)];
  if (![ax, ay, bx, by].every(Number.isFinite)) return '';
  const tip = side === 'long' ? -5 : 5;
  const entry =
    `<path d="M${round(ax)} ${round(ay + tip)}L${round(ax - 4.5)} ${round(ay - tip * 0.8)}L${round(ax + 4.5)} ` +
    `${round(ay - tip * 0.8)}Z" fill="${colour}" stroke="#fff" stroke-width="0.8"/>`;
  const way = line([ax, ay], [bx, by], colour, 'stroke-width="1" opacity="0.35"');
  if (open) return way + entry;
  const exit = wasStopped(trade)
    ? `<path d="M${round(bx - 3.5)} ${round(by - 3.5)}l7 7m0 -7l-7 7" stroke="${STOP}" stroke-width="1.8" fill="none"/>`
    : `<circle cx="${round(bx)}" cy="${round(by)}" r="3" fill="#fff" stroke="${INK}" stroke-width="1.2"/>`;
  return way + entry + exit;
}

/** By pixel column, whether any trade was under way; where both sides were, the later one shows. */
function strip(trades: readonly Trade[], x: Scale, frame: Frame): string {
  const from = frame.left;
  const columns = frame.width - frame.right - from + 1;
  const side = new Int8Array(columns);
  for (const trade of trades) {
    const a = Math.max(0, Math.floor(x(trade.entryTime)) - from);
    const b = Math.min(columns - 1, Math.floor(x(trade.exitTime)) - from);
    side.fill(trade.side === 'long' ? 1 : -1, a, b + 1);
  }
  const y = frame.height - frame.bottom - STRIP;
  let drawn = '';
  for (let start = 0; start < columns;) {
    let end = start + 1;
    while (end < columns && side[end] === side[start]) end++;
    if (side[start] !== 0) {
      const colour = side[start]! > 0 ? LONG : SHORT;
      drawn += `<rect x="${from + start}" y="${y}" width="${end - start}" height="${STRIP}" fill="${colour}" fill-opacity="0.55"/>`;
    }
    start = end;
  }
  return drawn;
}

/** The closes of the run's own bars: not those that warmed a strategy up, none of instruments it does not have. */
function within(
  { instrument, time, close }: InstrumentCloses,
  period: { readonly from: number; readonly to: number } | undefined,
): InstrumentCloses {
  const { from, to } = period ?? { from: Infinity, to: Infinity };
  const start = lowerBound(time, from);
  const end = lowerBound(time, to + 1);
  return { instrument, time: time.subarray(start, end), close: close.subarray(start, end) };
}

/** Which instruments get a chart: those with the most trades; in order of ids. */
export function chartedInstruments(
  result: BacktestResult,
  closes: readonly InstrumentCloses[],
): readonly InstrumentCloses[] {
  const trades = new Map<string, number>();
  for (const { instrument } of result.trades) {
    trades.set(instrument, (trades.get(instrument) ?? 0) + 1);
  }
  const countOf = ({ instrument }: InstrumentCloses): number => trades.get(instrument) ?? 0;
  const periods = new Map(result.instruments.map((one) => [one.instrument, one]));
  return closes
    .map((one) => within(one, periods.get(one.instrument)))
    .filter(({ time }) => time.length > 0)
    .toSorted((a, b) => countOf(b) - countOf(a) || (a.instrument < b.instrument ? -1 : 1))
    .slice(0, PRICE_CHARTS_MAX)
    .sort((a, b) => (a.instrument < b.instrument ? -1 : 1));
}
