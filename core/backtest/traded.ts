/** Instruments that have bars in a period. */
import { barCount, type Bars } from '../bars/bars.ts';
import { lowerBound } from '../bars/build.ts';
import { isoDate } from '../calendar/day.ts';
import { RatchetError } from '../errors.ts';

export interface Traded<T> {
  readonly traded: readonly T[];
  /** What is to be said of those that were left out. */
  readonly notes: readonly string[];
}

/**
 * Those with a bar that opens from `from` to `to` (ms UTC): the others can be neither bought nor held, and get no share.
 * Throws `backtest.period` where there is none.
 */
export function tradedIn<T extends { readonly bars: Bars }>(
  instruments: readonly T[],
  { from, to }: { readonly from: number; readonly to: number },
): Traded<T> {
  const isTraded = ({ bars: { openTime } }: T): boolean =>
    lowerBound(openTime, from) < lowerBound(openTime, to + 1);
  const traded = instruments.filter(isTraded);
  const period = `from ${isoDate(from)}${to === Infinity ? ' on' : ` to ${isoDate(to)}`}`;
  if (traded.length === 0) {
    const last = Math.max(...instruments.map(lastOpen));
    const known = Number.isFinite(last) ? `the last bar is of ${isoDate(last)}` : 'there are none';
    const names = instruments.map(({ bars }) => bars.instrument).join(', ');
    throw new RatchetError('backtest.period', `no bars of ${names} ${period}: ${known}`);
  }
  const left = instruments.filter((one) => !isTraded(one));
  return {
    traded,
    notes: left.map((one) => {
      const { instrument } = one.bars;
      return `No bars of ${instrument} ${period} (the last one is of ${lastDay(one)}): it was left out, and the others share the money.`;
    }),
  };
}

const lastOpen = ({ bars }: { readonly bars: Bars }): number =>
  barCount(bars) === 0 ? -Infinity : bars.openTime[barCount(bars) - 1]!;

const lastDay = (one: { readonly bars: Bars }): string => {
  const last = lastOpen(one);
  return Number.isFinite(last) ? isoDate(last) : 'no day';
};
