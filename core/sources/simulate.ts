import { createHash } from 'node:crypto';
import type { Bars, Timeframe } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { calendarFor } from '../calendar/index.ts';
import { seededUniform } from '../seeded-uniform.ts';
import type { SimulatedParams } from './simulated.ts';

const HOUR_MS = 3_600_000;
/** The turbulent regime's SD is this many times the calm one's; a bar leaves its regime with 1 %. */
const TURBULENCE = 3;
const LEAVE = 0.01;
/** GARCH(1,1) inside a regime, unit variance. */
const ARCH = 0.05;
const GARCH = 0.9;
/** Degrees of freedom of the shocks. */
const FREEDOM = 5;
/** Bars whose shocks make the planted signal. */
const MOMENTUM_BARS = 5;
/** E tanh(n)^2 of a standard normal n: turns a share of variance into an amplitude. */
const TANH_VARIANCE = 0.3943;
/** No return is larger than this many calm SDs: trading halts keep real markets from it too. */
const LIMIT = 8;
/** Share of a session's variance that falls before its open. */
const OVERNIGHT = 0.2;

/**
 * Simulated bars of `[params.start, to)` (ms UTC of open times) on the calendar of `params`.
 *
 * Log return r = limit(sigma x), sigma = calm SD x regime (1 or 3, mean stay 100 bars) x sqrt(g) x hour of day, g a
 * GARCH(1,1) of the shocks, x = a tanh(sum of the last five x / sqrt 5) + sqrt(1 - a^2 E tanh^2) z with z Student t(5)
 * of unit variance, a^2 E tanh^2 = momentum. With momentum 0 the log price is a martingale. A bar takes a fixed number
 * of draws from one stream and reads nothing that comes later, so any shorter run is a prefix of a longer one.
 */
export function simulateBars(
  params: SimulatedParams,
  instrument: string,
  timeframe: Timeframe,
  to: number,
): Bars {
  const calendar = calendarFor(params.calendar);
  const openTime = calendar.between(Date.parse(params.start), to - 1, timeframe);
  const next = simulator(params, calendar, instrument, timeframe);
  const column = (): Float64Array => new Float64Array(openTime.length);
  const bars = {
    open: column(),
    high: column(),
    low: column(),
    close: column(),
    volume: column(),
    value: column(),
  };
  for (let i = 0; i < openTime.length; i++) {
    const bar = next(openTime[i]!);
    bars.open[i] = bar.open;
    bars.high[i] = bar.high;
    bars.low[i] = bar.low;
    bars.close[i] = bar.close;
    bars.volume[i] = bar.volume;
    // The mean price of a bar lies inside its range.
    bars.value[i] = (bar.volume * (bar.open + bar.high + bar.low + bar.close)) / 4;
  }
  return { instrument, timeframe, openTime, ...bars, valueDerived: false };
}

interface SimulatedBar {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
}

/** One bar after the other; the state is that after the last bar given. */
function simulator(
  params: SimulatedParams,
  calendar: Calendar,
  instrument: string,
  timeframe: Timeframe,
): (openTime: number) => SimulatedBar {
  const draw = drawsOf(`${params.seed}/${instrument}/${timeframe}`);
  // Half of the bars are calm, half turbulent.
  const meanVariance = (1 + TURBULENCE ** 2) / 2;
  const calm = params.volatility / Math.sqrt(meanVariance * calendar.barsPerYear(timeframe));
  const shockOf = momentumShocks();
  let close = 50 * Math.exp(draw.normal() * 0.5);
  const usualVolume = 2e6 * Math.exp(draw.normal() * 0.5);
  let turbulent = draw.uniform() < 0.5;
  let cluster = 1;
  let interest = 0;
  return (openTime) => {
    const now = settingsAt(params, openTime);
    if (draw.uniform() < LEAVE) turbulent = !turbulent;
    const hour = timeframe === '1h' ? hourFactor(openTime) : 1;
    const size = now.volatility * calm;
    const sd = size * (turbulent ? TURBULENCE : 1) * Math.sqrt(cluster) * hour;
    const shock = shockOf(now.momentum, draw.student());
    cluster = 1 - ARCH - GARCH + ARCH * Math.min(shock * shock, 25) + GARCH * cluster;
    const change = limited(sd * shock, LIMIT * size);
    const before = draw.normal();
    const gap = calendar.alwaysOpen
      ? 0
      : OVERNIGHT * change + Math.sqrt(OVERNIGHT * (1 - OVERNIGHT)) * 0.5 * sd * before;
    const open = gap === 0 ? close : close * Math.exp(gap);
    close *= Math.exp(change);
    const wick = 0.4 * now.noise * sd;
    const high = Math.max(open, close) * Math.exp(wick * draw.exponential());
    const low = Math.min(open, close) * Math.exp(-wick * draw.exponential());
    interest = 0.8 * interest + 0.12 * draw.normal();
    const activity =
      0.3 * Math.log(sd / size) + 0.12 * Math.min(Math.abs(shock), 4) + now.noise * interest;
    const volume = Math.max(
      1,
      Math.round(usualVolume * hour * weekendFactor(openTime) * Math.exp(activity)),
    );
    return { open, high, low, close, volume };
  };
}

interface Settings {
  readonly momentum: number;
  readonly noise: number;
  readonly volatility: number;
}

function settingsAt({ momentum, change }: SimulatedParams, openTime: number): Settings {
  if (!change || openTime < Date.parse(change.at)) return { momentum, noise: 1, volatility: 1 };
  return { ...change, momentum: change.momentum ?? momentum };
}

/** Unit-variance shocks of which `share` of the variance follows from the five before. */
function momentumShocks(): (share: number, fresh: number) => number {
  const last = new Float64Array(MOMENTUM_BARS);
  let at = 0;
  return (share, fresh) => {
    const past = last.reduce((sum, x) => sum + x, 0) / Math.sqrt(MOMENTUM_BARS);
    const amplitude = Math.sign(share) * Math.sqrt(Math.abs(share) / TANH_VARIANCE);
    const shock = amplitude * Math.tanh(past) + Math.sqrt(1 - Math.abs(share)) * fresh;
    last[at++ % MOMENTUM_BARS] = shock;
    return shock;
  };
}

/** Nearly x for small x, never beyond the limit: x / (1 + (x / limit)^4)^(1/4). */
function limited(x: number, limit: number): number {
  const share = x / limit;
  return x / Math.sqrt(Math.sqrt(1 + share * share * share * share));
}

/** Trading is busiest at 15 UTC. */
function hourFactor(openTime: number): number {
  const hour = (openTime / HOUR_MS) % 24;
  return 1 + 0.3 * Math.cos((2 * Math.PI * (hour - 15)) / 24);
}

/** Fewer trade at the weekend, where the market is open then. */
function weekendFactor(openTime: number): number {
  const day = new Date(openTime).getUTCDay();
  return day === 0 || day === 6 ? 0.7 : 1;
}

interface Draws {
  uniform(): number;
  /** Box and Muller 1958; two uniforms. */
  normal(): number;
  /** Student t of unit variance: Bailey 1994, polar form; two uniforms. */
  student(): number;
  exponential(): number;
}

function drawsOf(name: string): Draws {
  const uniform = seededUniform(createHash('sha256').update(name).digest().readUIntBE(0, 6));
  const cosine = (): number => Math.cos(2 * Math.PI * uniform());
  return {
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * cosine(),
    student: () => {
      const radius = Math.expm1((-2 / FREEDOM) * Math.log(1 - uniform()));
      return Math.sqrt((FREEDOM - 2) * radius) * cosine();
    },
    exponential: () => -Math.log(1 - uniform()),
  };
}
