import { TIMEFRAME_MS } from '../bars/bars.ts';
import type { Calendar } from './calendar.ts';

/**
 * Markets that never close. Position = whole bars since 1970-01-01T00:00:00Z.
 * Edge: an instant inside a bar belongs to the bar that opened before it.
 */
export const alwaysOpen: Calendar = Object.freeze({
  name: '24x7',
  alwaysOpen: true,
  isOpen: (openTime, timeframe) => openTime % TIMEFRAME_MS[timeframe] === 0,
  indexOf: (openTime, timeframe) => Math.floor(openTime / TIMEFRAME_MS[timeframe]),
  openTimeAt: (index, timeframe) => index * TIMEFRAME_MS[timeframe],
  addBars: (openTime, bars, timeframe) =>
    (Math.floor(openTime / TIMEFRAME_MS[timeframe]) + bars) * TIMEFRAME_MS[timeframe],
  between: (from, to, timeframe) => {
    const step = TIMEFRAME_MS[timeframe];
    const first = Math.ceil(from / step);
    const count = Math.max(0, Math.floor(to / step) - first + 1);
    return Float64Array.from({ length: count }, (_, i) => (first + i) * step);
  },
  closeTime: (openTime, timeframe) => openTime + TIMEFRAME_MS[timeframe],
  barsPerYear: (timeframe) => (timeframe === '1h' ? 8_760 : 365),
} satisfies Calendar);
