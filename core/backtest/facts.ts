import { DAY_MS } from '../calendar/day.ts';
import type { Calendar } from '../calendar/calendar.ts';
import type { Timeframe } from '../bars/bars.ts';
import type { FiguresRun } from './engine.ts';
import { momentsOf, type Moments } from './metrics/moments.ts';
import { regress, type Regression } from './metrics/newey-west.ts';
import { lowest } from './metrics/lowest.ts';
import { totalsOf, type Totals } from './metrics/totals.ts';
import {
  dailyEquity,
  dayOfClose,
  drawdownSpans,
  returnsOf,
  type DrawdownSpans,
} from './returns.ts';

const DAYS_PER_YEAR = 365.25;
/** Of the sessions of a calendar year: markets rest up to five days around the new year. */
const YEAR_DAYS_MIN = 360;

/** How many strategies were tried before this one was shown. */
export interface Tries {
  /** 1: this one alone. */
  readonly count: number;
  /** SD (ddof 1) over the tries of their Sharpe ratio a bar, not annualised; needed for more than one. */
  readonly sharpeSd?: number;
}

export interface FactOptions {
  /** Rows a year of one calendar; see `yearOf`. */
  readonly barsPerYear: number;
  readonly daysPerYear: number;
  /** Simple return a year of what is free of risk; 0 by default. */
  readonly riskFreePerYear?: number;
  readonly tries?: Tries;
  /** Buy-and-hold of the same bars: equal rows. */
  readonly benchmark?: FiguresRun | BacktestFacts;
  /** Where returns are put: as long as they are, and nobody else's while these facts are read. */
  readonly returns?: Float64Array;
}

/** What a metric is computed from; each part once, when first asked for. */
export class BacktestFacts {
  readonly run: FiguresRun;
  readonly returns: Float64Array;
  readonly barsPerYear: number;
  readonly daysPerYear: number;
  readonly riskFreePerYear: number;
  readonly tries: Tries;
  readonly #benchmark: FiguresRun | BacktestFacts | undefined;
  #totals: Totals | undefined;
  #moments: Moments | undefined;
  #daily: Float64Array | undefined;
  #tail: Float64Array | undefined;
  #drawdowns: DrawdownSpans | undefined;
  #endedPnls: Float64Array | undefined;
  #regression: Regression | undefined;

  constructor(run: FiguresRun, options: FactOptions) {
    this.run = run;
    this.returns = returnsOf(run.equity, options.returns);
    this.barsPerYear = options.barsPerYear;
    this.daysPerYear = options.daysPerYear;
    this.riskFreePerYear = options.riskFreePerYear ?? 0;
    this.tries = options.tries ?? { count: 1 };
    this.#benchmark = options.benchmark;
  }

  /** Equity at the end over that at the start. */
  get growth(): number {
    return (this.run.equity.at(-1) ?? NaN) / this.run.initialEquity;
  }

  /** Calendar days from the first row to the last. */
  get days(): number {
    const { time } = this.run;
    return ((time.at(-1) ?? NaN) - (time[0] ?? NaN)) / DAY_MS;
  }

  get years(): number {
    return this.days / DAYS_PER_YEAR;
  }

  /** Are the bars those of a year, from the first one's open on? */
  get coversYear(): boolean {
    const { from, time } = this.run;
    return (time.at(-1) ?? NaN) - from >= YEAR_DAYS_MIN * DAY_MS;
  }

  get totals(): Totals {
    return (this.#totals ??= totalsOf(this.run));
  }

  get moments(): Moments {
    return (this.#moments ??= momentsOf(this.returns));
  }

  /** Returns from one UTC day's last row to the next one's. */
  get dailyReturns(): Float64Array {
    return (this.#daily ??= returnsOf(dailyEquity(this.run.time, this.run.equity)));
  }

  /** The lowest returns in rising order, at least a twentieth of all and one more. */
  get tail(): Float64Array {
    return (this.#tail ??= lowest(this.returns, Math.floor(this.returns.length / 20) + 2));
  }

  get drawdowns(): DrawdownSpans {
    return (this.#drawdowns ??= drawdownSpans(this.run.equity, this.run.initialEquity));
  }

  /** Net profit of each ended trade. */
  get endedPnls(): Float64Array {
    return (this.#endedPnls ??= pnlsOf(this.run.trades));
  }

  /** On the benchmark's returns; NaN without a benchmark. */
  get regression(): Regression {
    return (this.#regression ??= this.#regress());
  }

  #regress(): Regression {
    const nothing = new Float64Array(0);
    const against = this.#benchmark;
    if (against === undefined) return regress(nothing, nothing);
    if (against === this.run) return regress(this.returns, this.returns);
    const { mean } = this.moments;
    return 'returns' in against
      ? regress(this.returns, against.returns, mean, against.moments.mean)
      : regress(this.returns, returnsOf(against.equity), mean);
  }
}

function pnlsOf(trades: FiguresRun['trades']): Float64Array {
  const out = new Float64Array(trades.length);
  let ended = 0;
  for (const { open, netPnl } of trades) if (!open) out[ended++] = netPnl;
  return out.subarray(0, ended);
}

/**
 * Rows and days a year: the calendar's where all instruments share one and a timeframe (252 daily, 24x7 365 and 8,760
 * hourly), else as many as the run has by calendar time.
 */
export function yearOf(
  of: readonly { readonly calendar: Calendar; readonly timeframe: Timeframe }[],
  time: Float64Array,
): { readonly barsPerYear: number; readonly daysPerYear: number } {
  const [first, ...rest] = of;
  const same = rest.every(
    ({ calendar, timeframe }) =>
      calendar.name === first?.calendar.name && timeframe === first.timeframe,
  );
  if (first !== undefined && same) {
    return {
      barsPerYear: first.calendar.barsPerYear(first.timeframe),
      daysPerYear: first.calendar.barsPerYear('1d'),
    };
  }
  const years = ((time.at(-1) ?? NaN) - (time[0] ?? NaN)) / DAY_MS / DAYS_PER_YEAR;
  let days = 0;
  for (let t = 0; t < time.length; t++) {
    if (t === 0 || dayOfClose(time[t]!) !== dayOfClose(time[t - 1]!)) days++;
  }
  return { barsPerYear: (time.length - 1) / years, daysPerYear: (days - 1) / years };
}
