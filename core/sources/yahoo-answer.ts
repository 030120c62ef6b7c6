import { z } from 'zod';
import { barsBetween, barsFromRows, sortBars, type BarRow } from '../bars/build.ts';
import { DAY_MS } from '../calendar/day.ts';
import { SourceError } from './errors.ts';
import { factorsFromEvents } from './factors.ts';
import type { BarPage, BarRequest } from './source.ts';
import { zoneOffsets } from './time.ts';

const cells = z.array(z.number().nullable());
const answerSchema = z.object({
  chart: z.object({
    error: z.object({ code: z.string(), description: z.string() }).nullish(),
    result: z
      .array(
        z.object({
          meta: z.object({ exchangeTimezoneName: z.string().default('UTC') }),
          timestamp: z.array(z.number()).default([]),
          events: z
            .object({
              dividends: z
                .record(z.string(), z.object({ amount: z.number(), date: z.number() }))
                .default({}),
              splits: z.record(z.string(), z.object({ date: z.number() })).default({}),
            })
            .prefault({}),
          indicators: z.object({
            // Without rows the vendor sends [{}].
            quote: z
              .array(
                z.object({
                  open: cells.default([]),
                  high: cells.default([]),
                  low: cells.default([]),
                  close: cells.default([]),
                  volume: cells.default([]),
                }),
              )
              .min(1),
          }),
        }),
      )
      .nullish(),
  }),
});
type Result = NonNullable<z.infer<typeof answerSchema>['chart']['result']>[number];

/**
 * Bars of one chart answer. Rows with a null price are left out and counted in the notes; a second row
 * of one session (the running one) replaces the first. Prices contain splits, not dividends.
 * Errors: `source.instrument` (the vendor does not know it), `source.answer` (another shape).
 */
export function pageOfAnswer(answer: unknown, request: BarRequest, dividends: boolean): BarPage {
  const parsed = answerSchema.safeParse(answer);
  if (!parsed.success) {
    throw new SourceError('source.answer', `unexpected answer: ${z.prettifyError(parsed.error)}`);
  }
  const { error, result } = parsed.data.chart;
  const first = result?.[0];
  if (!first) {
    const unknown = error?.code === 'Not Found';
    throw new SourceError(
      unknown ? 'source.instrument' : 'source.answer',
      `${request.instrument}: ${error?.description ?? 'an answer without a result'}`,
    );
  }
  const openTimeOf = stampReader(first.meta.exchangeTimezoneName, request.timeframe);
  const { rows, empty } = rowsOf(first, openTimeOf);
  const notes: string[] = [];
  if (empty > 0) notes.push(`${empty} rows without prices left out`);
  const bars = sortBars(barsFromRows(request.instrument, request.timeframe, rows), {
    unique: true,
  });
  const repeated = rows.length - bars.openTime.length;
  if (repeated > 0) notes.push(`${repeated} rows replaced by a later one of the same session`);
  const splits = Object.values(first.events.splits).length;
  if (splits > 0) notes.push(`prices contain ${splits} splits`);
  const events = Object.values(first.events.dividends).map((d) => ({
    time: openTimeOf(d.date),
    dividend: d.amount,
    split: 1,
  }));
  return {
    bars: barsBetween(bars, request.from, request.to),
    factors: dividends ? factorsFromEvents(bars, events) : [],
    notes,
  };
}

/** Epoch seconds to open time: midnight UTC of the exchange's date for daily bars. */
function stampReader(zone: string, timeframe: BarRequest['timeframe']): (s: number) => number {
  const offsetAt = zoneOffsets(zone);
  return (seconds) => {
    const ms = seconds * 1000;
    if (timeframe !== '1d') return ms;
    return Math.floor((ms + offsetAt(ms) * 60_000) / DAY_MS) * DAY_MS;
  };
}

function rowsOf(
  result: Result,
  openTimeOf: (seconds: number) => number,
): { rows: BarRow[]; empty: number } {
  const quote = result.indicators.quote[0]!;
  const n = result.timestamp.length;
  for (const [name, column] of Object.entries(quote)) {
    if (column.length !== n && column.length !== 0) {
      throw new SourceError('source.answer', `${name} has ${column.length} rows, not ${n}`);
    }
  }
  const rows: BarRow[] = [];
  for (let i = 0; i < n; i++) {
    const [open, high, low, close] = [quote.open[i], quote.high[i], quote.low[i], quote.close[i]];
    if (open == null || high == null || low == null || close == null) continue;
    const volume = quote.volume[i] ?? 0;
    rows.push({ openTime: openTimeOf(result.timestamp[i]!), open, high, low, close, volume });
  }
  return { rows, empty: n - rows.length };
}
