import { barCount, sliceBars, type Bars, type Timeframe } from '../../../core/bars/bars.ts';
import type { Calendar } from '../../../core/calendar/calendar.ts';
import { calendarFor, calendars } from '../../../core/calendar/index.ts';
import { isoTime } from '../../../core/calendar/day.ts';
import { shortBarName } from '../bar-times.ts';
import { frozenFile, newestVersions } from '../frozen-versions.ts';
import { openClient } from '../http.ts';
import { CliError, EXIT, type CliContext } from '../output.ts';
import type { AskedBars, Plan } from './plan.ts';
import { seededBars, withStandIns } from './stand-in.ts';

/** Bars that are asked unless more are needed: some years of days, a quarter of hours. */
const BARS = 2000;

export interface BarsOptions {
  /** Frozen bars of it; absent: simulated ones. */
  readonly instrument?: string;
  readonly timeframe?: Timeframe;
  readonly calendar?: string;
  readonly bars?: number;
  readonly seed: number;
}

/** Where the bars come from, for `--json`. */
export interface BarsFacts {
  readonly source: 'simulated' | 'frozen';
  /** The hash of the frozen version. */
  readonly dataset?: string;
  readonly instrument: string;
  readonly timeframe: Timeframe;
  readonly calendar: string;
  readonly bars: number;
  readonly from: string;
  readonly to: string;
  readonly seed: number;
  /** Columns of exogenous sources that seeded ones stand in for. */
  readonly standIns: readonly string[];
}

/**
 * The bars that plans are checked on: the newest frozen ones of an instrument, else seeded ones, as many as the plan that
 * needs most. Throws `CliError` where there are too few.
 */
export async function askedBars(
  ctx: CliContext,
  options: BarsOptions,
  plans: readonly Plan[],
  needed: (plan: Plan) => number,
): Promise<AskedBars & { readonly facts: BarsFacts }> {
  const least = Math.max(...plans.map(needed));
  const count = options.bars ?? Math.max(BARS, 2 * least);
  const from = options.instrument === undefined ? simulated : frozen;
  const { calendar, dataset, ...found } = await from(ctx, options, count);
  const there = barCount(found.bars);
  if (there < least) {
    throw new CliError(EXIT.usage, `${there} bars are too few: these need at least ${least}`, {
      hint: 'so far back reaches what is checked; --bars takes more, where there are more',
    });
  }
  const named = plans.flatMap(({ exogenous }) => exogenous);
  const bars = withStandIns(found.bars, named, options.seed);
  const facts: BarsFacts = {
    source: dataset === undefined ? 'simulated' : 'frozen',
    ...(dataset !== undefined && { dataset }),
    instrument: bars.instrument,
    timeframe: bars.timeframe,
    calendar: calendar.name,
    bars: there,
    from: isoTime(bars.openTime[0]!),
    to: isoTime(bars.openTime[there - 1]!),
    seed: options.seed,
    standIns: [...new Set(named)].filter((name) => found.bars.exogenous?.[name] === undefined),
  };
  return { bars, calendar, seed: options.seed, facts };
}

interface Found {
  readonly bars: Bars;
  readonly calendar: Calendar;
  readonly dataset?: string;
}

/** Days of a stock exchange, hours of a market that never closes. */
const USUAL_CALENDAR: Readonly<Record<Timeframe, string>> = { '1d': 'nyse', '1h': '24x7' };

function simulated(_ctx: CliContext, options: BarsOptions, count: number): Promise<Found> {
  const { timeframe = '1d', seed } = options;
  const calendar = calendarFor(options.calendar ?? USUAL_CALENDAR[timeframe]);
  return Promise.resolve({ bars: seededBars({ timeframe, calendar, count, seed }), calendar });
}

async function frozen(ctx: CliContext, options: BarsOptions, count: number): Promise<Found> {
  const { instrument = '', timeframe } = options;
  const client = await openClient(ctx);
  const versions = await newestVersions(client, [instrument]);
  const version = versions.find((each) => timeframe === undefined || each.timeframe === timeframe);
  if (!version) {
    throw new CliError(EXIT.notFound, `no ${timeframe} bars of ${instrument} were frozen yet`);
  }
  const { decodeBars } = await import('../../../registry/datasets.impl.ts');
  const all = await decodeBars(await frozenFile(client, version.hash));
  const bars = sliceBars(all, Math.max(0, barCount(all) - count));
  const calendar =
    options.calendar === undefined ? calendarOf(bars) : calendarFor(options.calendar);
  return { bars, calendar, dataset: version.hash };
}

/** The first calendar of the catalogue that is open at every bar. */
function calendarOf({ openTime, timeframe }: Bars): Calendar {
  const known = [...calendars.values()];
  const open = known.find((each) => openTime.every((time) => each.isOpen(time, timeframe)));
  return open ?? known.find(({ alwaysOpen }) => alwaysOpen)!;
}

/** The bars in words. */
export function barsWords(facts: BarsFacts): string {
  const { source, bars, timeframe, instrument, calendar, seed, dataset = '', standIns } = facts;
  const length = timeframe === '1d' ? 'daily' : 'hourly';
  const of = source === 'simulated' ? `simulated ${length} bars (seed ${seed})` : `${length} bars`;
  const version = dataset === '' ? '' : `, dataset ${dataset.slice(0, 12)}`;
  const span = `${shortBarName(facts.from)} to ${shortBarName(facts.to)}`;
  const added = standIns.length === 0 ? '' : `; seeded columns stand in for ${standIns.join(', ')}`;
  return `${bars} ${of} of ${instrument}, ${calendar}, ${span}${version}${added}`;
}
