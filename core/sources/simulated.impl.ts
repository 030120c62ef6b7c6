import { barCount, sliceBars } from '../bars/bars.ts';
import { barsBetween, emptyBars, lowerBound } from '../bars/build.ts';
import { calendarFor } from '../calendar/index.ts';
import { SourceError } from './errors.ts';
import { simulateBars } from './simulate.ts';
import type { SimulatedParams } from './simulated.ts';
import type { BarPage, BarRequest, Source, SourceContext } from './source.ts';

const DAY_MS = 86_400_000;

/** Ids that cannot be taken for those of a real market. */
const INSTRUMENT = /^SIM-[A-Za-z0-9._=-]+$/;

export function create(params: SimulatedParams): Source {
  async function* fetch(
    request: BarRequest,
    cursor: string | undefined,
    ctx: SourceContext,
  ): AsyncGenerator<BarPage> {
    ctx.signal.throwIfAborted();
    const { instrument, timeframe } = request;
    if (!params.standIn && !INSTRUMENT.test(instrument)) {
      throw new SourceError(
        'source.instrument',
        `no simulated bars of ${instrument}: simulated instruments are called SIM-A, SIM-B or SIM-...`,
      );
    }
    const from = cursor === undefined ? request.from : Number(cursor);
    const end = params.end === undefined ? Infinity : Date.parse(params.end) + DAY_MS;
    const all = simulateBars(params, instrument, timeframe, Math.min(request.to, ctx.clock(), end));
    // What has not closed yet has not happened.
    const calendar = calendarFor(params.calendar);
    let closed = barCount(all);
    while (closed > 0 && calendar.closeTime(all.openTime[closed - 1]!, timeframe) > ctx.clock()) {
      closed--;
    }
    const bars = barsBetween(sliceBars(all, 0, closed), from, request.to);
    if (barCount(bars) === 0) {
      yield { bars: emptyBars(instrument, timeframe) };
      return;
    }
    for (let at = lowerBound(bars.openTime, from); at < barCount(bars); at += params.pageBars) {
      ctx.signal.throwIfAborted();
      const page = sliceBars(bars, at, Math.min(at + params.pageBars, barCount(bars)));
      const next = bars.openTime[at + params.pageBars];
      yield next === undefined ? { bars: page } : { bars: page, cursor: String(next) };
    }
  }
  return { isAvailable: () => Promise.resolve(true), fetch };
}
