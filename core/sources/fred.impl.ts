import { z } from 'zod';
import type { SeriesPoint } from '../bars/series.ts';
import { DAY_MS } from '../calendar/day.ts';
import { askJson } from './ask-json.ts';
import { SourceError } from './errors.ts';
import type { FredFrequency, FredParams } from './fred.ts';
import type { SeriesPage, SeriesRequest, SeriesSource } from './series-source.ts';
import type { SourceContext } from './source.ts';

const HOUR_MS = 3_600_000;
/** The vendor's own bounds of real time: "the earliest" and "the latest available". */
const EARLIEST_DAY = '1776-07-04';
const LATEST_DAY = '9999-12-31';
/** Before it a window holds every vintage: the archive has few of them until then. */
const FIRST_WINDOW_YEAR = 2000;
/** A page that never ends is broken: 100 pages of 100,000 values are more than any series has. */
const MAX_PAGES = 100;

const answerSchema = z.object({
  count: z.number(),
  observations: z.array(
    z.object({ realtime_start: z.iso.date(), date: z.iso.date(), value: z.string() }),
  ),
});
const errorSchema = z.object({ error_code: z.number(), error_message: z.string() });

/** Days of real time, both inclusive. */
interface Window {
  readonly from: string;
  readonly to: string;
}

export function create(params: FredParams): SeriesSource {
  async function* fetchSeries(
    request: SeriesRequest,
    ctx: SourceContext,
  ): AsyncGenerator<SeriesPage> {
    for (const [name, { id, frequency, delayDays = 0 }] of Object.entries(params.series)) {
      const points: SeriesPoint[] = [];
      let missing = 0;
      let archived = !params.vintages;
      for (const window of params.vintages ? windowsUntil(request.to, params) : [undefined]) {
        for await (const rows of pagesOf(params, id, window, ctx)) {
          archived = true;
          for (const { realtime_start: published, date, value } of rows) {
            const time = Date.parse(date);
            const number = Number(value);
            // A dot says that there is no value, such as on a holiday.
            if (value.trim() === '.' || !Number.isFinite(number)) missing++;
            else {
              const knownAt = window
                ? Date.parse(published) + params.vintageHours * HOUR_MS
                : periodEnd(time, frequency) + delayDays * DAY_MS;
              points.push({ time, knownAt, value: number });
            }
          }
        }
      }
      if (!archived) throw notArchived(id);
      const notes = missing > 0 ? [`${id}: ${missing} periods without a value`] : [];
      yield { points: { [name]: points }, notes };
    }
  }
  return { isAvailable: () => Promise.resolve(true), fetchSeries };
}

/**
 * Windows of real time that each hold fewer vintage days than the vendor gives at once. A value that a window begins with is
 * dated by the vendor as of the window's first day, though it is older; it repeats the vintage before, so it is
 * no change where points are put in order.
 */
function windowsUntil(to: number, { windowYears }: FredParams): readonly Window[] {
  const lastYear = new Date(to).getUTCFullYear();
  const windows: Window[] = [];
  let from = EARLIEST_DAY;
  for (let year = FIRST_WINDOW_YEAR; year <= lastYear; year += windowYears) {
    windows.push({ from, to: `${year - 1}-12-31` });
    from = `${year}-01-01`;
  }
  return [...windows, { from, to: LATEST_DAY }];
}

async function* pagesOf(
  params: FredParams,
  id: string,
  window: Window | undefined,
  ctx: SourceContext,
): AsyncGenerator<z.infer<typeof answerSchema>['observations']> {
  for (let page = 0; page < MAX_PAGES; page++) {
    const url = new URL('/fred/series/observations', params.baseUrl);
    const query = {
      series_id: id,
      api_key: ctx.secret(),
      file_type: 'json',
      limit: String(params.pageRows),
      offset: String(page * params.pageRows),
      ...(window && { realtime_start: window.from, realtime_end: window.to }),
    };
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const { status, body } = await askJson(url, params, ctx);
    const parsed = answerSchema.safeParse(body);
    if (!parsed.success) {
      if (nothingThen(status, body)) return;
      throw refused(id, status, body);
    }
    yield parsed.data.observations;
    if ((page + 1) * params.pageRows >= parsed.data.count) return;
  }
  throw new SourceError('source.pages', `${id} has more than ${MAX_PAGES} pages`);
}

/** The series did not exist in that window of real time: an error for the vendor, nothing for us. */
const nothingThen = (status: number, body: unknown): boolean => {
  const error = errorSchema.safeParse(body);
  return status === 400 && error.success && /not exist in ALFRED/i.test(error.data.error_message);
};

const notArchived = (id: string): SourceError =>
  new SourceError(
    'source.refused',
    `series ${id} has no vintages at the vendor; set params.vintages: false and delayDays`,
  );

/** The vendor's words, which name no key. */
function refused(id: string, status: number, body: unknown): SourceError {
  const error = errorSchema.safeParse(body);
  const words = error.success ? error.data.error_message : `${status}, not in the known shape`;
  return new SourceError('source.refused', `series ${id}: ${words.slice(0, 300)}`);
}

/** The first instant after a period (ms UTC). A week is dated by its last day, the others by their first. */
function periodEnd(time: number, frequency: FredFrequency): number {
  const date = new Date(time);
  const months = { daily: 0, weekly: 0, monthly: 1, quarterly: 3, annual: 12 }[frequency];
  return months === 0
    ? time + DAY_MS
    : Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1);
}
