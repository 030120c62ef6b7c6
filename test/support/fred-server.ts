import { startChartServer, type ChartAnswer, type ChartServer } from './chart-server.ts';

/** A value of a period as it was from one day of publication to the next one of its revisions. */
export interface FredVintage {
  /** Days, ISO. */
  readonly date: string;
  readonly published: string;
  /** `.` where there is none. */
  readonly value: string;
}

const DAY_MS = 86_400_000;
const dayBefore = (day: string): string =>
  new Date(Date.parse(day) - DAY_MS).toISOString().slice(0, 10);

/**
 * Plays `fred/series/observations` (https://fred.stlouisfed.org/docs/api/fred/series_observations.html; real-time periods:
 * https://fred.stlouisfed.org/docs/api/fred/realtime_period.html), with these oddities:
 * - values are text, and "." stands where there is none;
 * - more than `mostVintages` vintage days in the asked real time are refused with 400
 *   (https://github.com/mortada/fredapi/issues/48);
 * - real time is clipped: a value that was there before the asked start gets that start as its `realtime_start`
 *   (https://github.com/mortada/fredapi/pull/52);
 * - asked without real time it gives what it knows today, dated today;
 * - a window of real time without any vintage is refused like a series that has none (our assumption: the page of the
 *   API does not say);
 * - the key stands in the query, and a missing one is 400 with a JSON error.
 */
export function startFredServer(options: {
  /** By series id; may be changed between requests. */
  readonly series: Readonly<Record<string, readonly FredVintage[]>>;
  readonly today: string;
  readonly mostVintages?: number;
  /** Answers given before all others, such as a 429. */
  readonly first?: ChartAnswer[];
}): Promise<ChartServer> {
  const { mostVintages = 2000 } = options;
  const bad = (message: string): ChartAnswer => ({
    status: 400,
    body: { error_code: 400, error_message: `Bad Request.  ${message}` },
  });
  return startChartServer((url) => {
    const first = options.first?.shift();
    if (first) return first;
    const asked = (name: string, otherwise: string): string =>
      url.searchParams.get(name) ?? otherwise;
    if (url.pathname !== '/fred/series/observations') return { status: 404, body: 'Not Found' };
    if (asked('api_key', '') !== 'played-key') return bad('Variable api_key is not set.');
    const all = options.series[asked('series_id', '')];
    if (!all) return bad('The series does not exist.');
    const from = asked('realtime_start', options.today);
    const to = asked('realtime_end', options.today);
    const days = new Set(all.map(({ published }) => published));
    const within = [...days].filter((day) => day >= from && day <= to);
    if (within.length > mostVintages) {
      return bad(
        `There are ${within.length} vintage dates in the specified real-time period: ${from} to ${to}.` +
          `  This exceeds the maximum number of vintage dates allowed (${mostVintages}).`,
      );
    }
    const rows = realtimeRows(all, from, to);
    if (rows.length === 0) return bad('The series does not exist in ALFRED but may exist in FRED.');
    const [limit, offset] = [Number(asked('limit', '100000')), Number(asked('offset', '0'))];
    const page = rows.slice(offset, offset + limit);
    return {
      body: {
        ...{ realtime_start: from, realtime_end: to, units: 'lin', output_type: 1 },
        ...{ file_type: 'json', order_by: 'observation_date', sort_order: 'asc' },
        ...{ count: rows.length, offset, limit, observations: page },
      },
    };
  });
}

function realtimeRows(all: readonly FredVintage[], from: string, to: string): object[] {
  const rows = all.flatMap(({ date, published, value }) => {
    const next = all
      .filter((other) => other.date === date && other.published > published)
      .map((other) => dayBefore(other.published))
      .sort()[0];
    const end = next ?? '9999-12-31';
    if (published > to || end < from) return [];
    const start = published < from ? from : published;
    return [{ realtime_start: start, realtime_end: end < to ? end : to, date, value }];
  });
  return rows.sort((a, b) => (a.date + a.realtime_start < b.date + b.realtime_start ? -1 : 1));
}
