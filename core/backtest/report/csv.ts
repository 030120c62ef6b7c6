/** A backtest as tables for other programs: RFC 4180, times in ISO 8601 (UTC), every figure with all its digits. */
import { calendarFor } from '../../calendar/index.ts';
import type { BacktestResult } from '../result.ts';

type Value = string | number | boolean | null;

export const TRADE_COLUMNS = [
  'instrument',
  'side',
  'entryTime',
  'exitTime',
  'entryPrice',
  'exitPrice',
  'quantity',
  'adds',
  'cuts',
  'grossPnl',
  'costs',
  'netPnl',
  'netReturn',
  'barsHeld',
  'exitReason',
  'open',
  'entryRow',
  'exitRow',
] as const;
export const EQUITY_COLUMNS = [
  'time',
  'equity',
  'drawdown',
  'exposure',
  'costs',
  'turnover',
  'buyAndHold',
] as const;

const iso = (time: number): string => new Date(time).toISOString();

/**
 * All trades in the order of the result, a row each; `exitReason` is empty while a trade is open. `entryTime` and
 * `exitTime` are the open times that name their bars; `entryRow` and `exitRow` are the `time` of the rows of the equity
 * CSV that have them first: the closes of these bars, empty for an instrument that the result does not tell of.
 */
export function tradesCsv({
  trades,
  instruments,
}: Pick<BacktestResult, 'trades' | 'instruments'>): string {
  const kinds = new Map(instruments.map((one) => [one.instrument, one]));
  const rowOf = (instrument: string, openTime: number): string | null => {
    const kind = kinds.get(instrument);
    return kind ? iso(calendarFor(kind.calendar).closeTime(openTime, kind.timeframe)) : null;
  };
  const rows = trades.map((trade) => {
    const shown = {
      ...trade,
      entryTime: iso(trade.entryTime),
      exitTime: iso(trade.exitTime),
      entryRow: rowOf(trade.instrument, trade.entryTime),
      exitRow: rowOf(trade.instrument, trade.exitTime),
    };
    return TRADE_COLUMNS.map((column) => shown[column]);
  });
  return csv(TRADE_COLUMNS, rows);
}

/** The curve of the result, a row a close. */
export function equityCsv({ curve }: Pick<BacktestResult, 'curve'>): string {
  const rows = curve.time.map((time, row) => [
    iso(time),
    curve.equity[row]!,
    curve.drawdown[row]!,
    curve.exposure[row]!,
    curve.costs[row]!,
    curve.turnover[row]!,
    curve.buyAndHold[row]!,
  ]);
  return csv(EQUITY_COLUMNS, rows);
}

const csv = (head: readonly string[], rows: readonly (readonly Value[])[]): string =>
  [head, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('');

function cell(value: Value): string {
  const text = value === null ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
