/** The curves of a result: equity, drawdown, rolling Sharpe ratio, exposure, costs. */
import { ACCENT, MUTED, SERIES_COLOURS } from '../../evaluation/report/svg.ts';
import type { BacktestResult } from '../result.ts';
import { dailyReturns, daysOf, rollingSharpe, ROLLING_DAYS } from './daily.ts';
import type { NamedResult } from './input.ts';
import { timeChart, type Curve, type Drawing } from './time-chart.ts';
import { compact, percent, ratio } from './words.ts';

export const HOLD = 'buy-and-hold';
const HOLD_COLOUR = '#9ca3af';
/** Curves beside the two of the result itself: more cannot be told apart. */
export const BESIDE_CURVES = 5;

/** A colour for each strategy beside the first. */
const besideColour = (i: number): string =>
  SERIES_COLOURS.filter((colour) => colour !== '#0072b2')[i % (SERIES_COLOURS.length - 1)]!;

/** Equity of all, each from its initial equity; logarithmic where it spans much. */
export function equityChart(strategy: NamedResult, beside: readonly NamedResult[]): Drawing {
  const { curve } = strategy.result;
  const curves: Curve[] = [
    { label: HOLD, colour: HOLD_COLOUR, time: curve.time, values: curve.buyAndHold },
    ...beside.slice(0, BESIDE_CURVES).map(({ name, result }, i) => ({
      label: name,
      colour: besideColour(i),
      time: result.curve.time,
      values: result.curve.equity,
    })),
    { label: strategy.name, colour: ACCENT, time: curve.time, values: curve.equity },
  ];
  const title = 'Equity after costs';
  return timeChart({ title, curves, format: compact, mayBeLog: true, height: 320 });
}

/** Equity against its highest value so far. */
export function drawdownChart({ name, result }: NamedResult): Drawing {
  const { time, drawdown, buyAndHold } = result.curve;
  const { initialEquity } = result.rules;
  let highest = initialEquity;
  const held = buyAndHold.map((equity) => {
    highest = Math.max(highest, equity);
    return equity / highest - 1;
  });
  return timeChart({
    title: 'Drawdown: equity against its highest value so far',
    curves: [
      { label: HOLD, colour: HOLD_COLOUR, time, values: held },
      { label: name, colour: ACCENT, time, values: drawdown, filled: true },
    ],
    format: percentTick,
    reaches: [0],
    height: 220,
  });
}

/** undefined where there are fewer days than the window has. */
export function rollingSharpeChart({ name, result }: NamedResult): Drawing | undefined {
  const { curve, daysPerYear, riskFreePerYear } = result;
  const days = daysOf(curve.time);
  if (days.rows.length <= ROLLING_DAYS) return undefined;
  const time = days.time.subarray(1);
  const rolling = (equity: readonly number[]): Float64Array =>
    rollingSharpe(dailyReturns(days, equity), daysPerYear, riskFreePerYear);
  return timeChart({
    title: `Sharpe ratio of the last ${ROLLING_DAYS} days`,
    curves: [
      { label: HOLD, colour: HOLD_COLOUR, time, values: rolling(curve.buyAndHold) },
      { label: name, colour: ACCENT, time, values: rolling(curve.equity) },
    ],
    format: ratioTick,
    reaches: [0],
  });
}

/** Sum of absolute weights. */
export function exposureChart({ name, result }: NamedResult): Drawing {
  const { time, exposure } = result.curve;
  return timeChart({
    title: 'Exposure: sum of absolute weights',
    curves: [{ label: name, colour: ACCENT, time, values: exposure, filled: true, stepped: true }],
    format: percentTick,
    reaches: [0, 1],
    height: 200,
  });
}

/** What was paid so far; undefined where nothing was. */
export function costsChart({ name, result }: NamedResult): Drawing | undefined {
  const { time, costs } = result.curve;
  if (!(costs.at(-1)! > 0)) return undefined;
  const values = costs.map((paid) => paid / result.rules.initialEquity);
  return timeChart({
    title: 'Costs paid so far, of the initial equity',
    curves: [{ label: name, colour: ACCENT, time, values, filled: true }],
    format: percentTick,
    reaches: [0],
    height: 200,
  });
}

export const percentTick = (value: number): string => percent(value).replace(/\.0 %$/, ' %');
const ratioTick = (value: number): string => ratio(value).replace(/\.00$/, '');

/** Several results, each as a multiple of its equity at the first row from `from` on. */
export function rebasedChart(results: readonly NamedResult[], from: number): Drawing {
  const colours = [ACCENT, ...SERIES_COLOURS.slice(1), MUTED];
  const curves = results.map(({ name, result }, i): Curve => {
    const rebased = rebase(result, from);
    return { label: name, colour: colours[i % colours.length]!, ...rebased };
  });
  const title = 'Equity after costs, 1 at the common start';
  return timeChart({ title, curves, format: compact, mayBeLog: true, height: 320 });
}

function rebase({ curve }: BacktestResult, from: number): Pick<Curve, 'time' | 'values'> {
  const first = Math.max(
    0,
    curve.time.findIndex((time) => time >= from),
  );
  const base = curve.equity[first]!;
  return {
    time: curve.time.slice(first),
    values: curve.equity.slice(first).map((equity) => (base > 0 ? equity / base : NaN)),
  };
}
