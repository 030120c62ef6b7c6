/** Axes of charts over years: dates at round steps of the calendar, and money over powers of ten. */
import {
  linearScale,
  padded,
  ticksOf,
  xAxis,
  type Frame,
  type Scale,
} from '../../evaluation/report/svg.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

interface Step {
  readonly unit: 'year' | 'month' | 'ms';
  readonly size: number;
}

const STEPS: readonly Step[] = [
  ...[1, 5, 15, 30].map((size) => ({ unit: 'ms', size: size * MINUTE_MS }) as const),
  ...[1, 3, 6, 12].map((size) => ({ unit: 'ms', size: size * HOUR_MS }) as const),
  ...[1, 2, 7, 14].map((size) => ({ unit: 'ms', size: size * DAY_MS }) as const),
  ...[1, 2, 3, 6].map((size) => ({ unit: 'month', size }) as const),
  ...[1, 2, 5, 10, 20, 50, 100].map((size) => ({ unit: 'year', size }) as const),
];

function timesOf({ unit, size }: Step, from: number, to: number): number[] {
  const times: number[] = [];
  const start = new Date(from);
  const year = start.getUTCFullYear();
  const month = start.getUTCMonth();
  const at = (i: number): number => {
    if (unit === 'ms') return (Math.ceil(from / size) + i) * size;
    if (unit === 'month') return Date.UTC(year, Math.floor(month / size) * size + i * size, 1);
    return Date.UTC(Math.floor(year / size) * size + i * size, 0, 1);
  };
  for (let i = 0; at(i) <= to && times.length < 100; i++) if (at(i) >= from) times.push(at(i));
  return times;
}

function dateText(time: number, { unit, size }: Step): string {
  const iso = new Date(time).toISOString();
  if (unit === 'year') return iso.slice(0, 4);
  if (unit === 'month') return iso.slice(0, 7);
  return size < DAY_MS ? iso.slice(5, 16).replace('T', ' ') : iso.slice(0, 10);
}

const CHARACTER = 6.6;

/** A time axis with as many round dates as stand beside one another; none is cut by the edge. */
export function timeAxis(x: Scale, frame: Frame, most = 9): string {
  const [from, to] = x.domain;
  const step = STEPS.find((one) => timesOf(one, from, to).length <= most) ?? STEPS.at(-1)!;
  const half = (label: string): number => (label.length * CHARACTER) / 2;
  const ticks = timesOf(step, from, to)
    .map((time) => ({ at: x(time), label: dateText(time, step) }))
    .filter(({ at, label }) => at + half(label) <= frame.width && at - half(label) >= 0);
  return xAxis(ticks, frame);
}

/** A scale of values and where its grid lies. */
export interface ValueScale {
  readonly y: Scale;
  readonly ticks: readonly number[];
}

export function linearValues(
  extent: readonly [number, number],
  pixels: readonly [number, number],
): ValueScale {
  const y = linearScale(padded(extent, 0.04), pixels);
  return { y, ticks: ticksOf(y.domain, 4) };
}

/** Of positive values: equal factors are equal distances; ticks at 1, 2 and 5 times powers of ten, or finer. */
export function logValues(
  [low, high]: readonly [number, number],
  pixels: readonly [number, number],
): ValueScale {
  const inner = linearScale(padded([Math.log10(low), Math.log10(high)], 0.04), pixels);
  const [from, to] = inner.domain.map((power) => 10 ** power) as [number, number];
  const y: Scale = Object.assign((value: number) => inner(Math.log10(value)), {
    domain: [from, to] as const,
  });
  const candidates = [[1], [1, 3], [1, 2, 5]].map((steps) => powersOf(steps, from, to));
  const fine = candidates.findLast((ticks) => ticks.length <= 6) ?? candidates[0]!;
  return { y, ticks: fine.length >= 3 ? fine : ticksOf([from, to], 5).filter((t) => t > 0) };
}

function powersOf(steps: readonly number[], from: number, to: number): number[] {
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(from)); 10 ** power <= to; power++) {
    for (const step of steps) {
      const tick = step * 10 ** power;
      if (tick >= from && tick <= to) ticks.push(tick);
    }
  }
  return ticks;
}
