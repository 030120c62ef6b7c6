/** How daily returns are spread, and what the order of them could have brought. */
import {
  ACCENT,
  FRAME,
  GRID,
  INK,
  legend,
  line,
  linearScale,
  MUTED,
  padded,
  plotHeight,
  plotWidth,
  round,
  svg,
  text,
  ticksOf,
  withLegendRoom,
  xAxis,
  yAxis,
  type Frame,
} from '../../evaluation/report/svg.ts';
import { quantileOfSorted } from '../../metrics/bootstrap.ts';
import { MIN_RETURNS } from '../metrics/moments.ts';
import type { BacktestResult } from '../result.ts';
import type { Band } from '../monte-carlo.ts';
import { dailyReturns, daysOf } from './daily.ts';
import { percentTick } from './result-charts.ts';
import { compact, money, percent, ratio } from './words.ts';

const TAIL = 0.05;
const BINS = 60;
/** What lies beyond this share at either end is gathered in the outermost bars. */
const BEYOND = 0.002;

/** Losses are positive, as in the catalogue of metrics. */
export interface DailySpread {
  readonly returns: Float64Array;
  readonly valueAtRisk: number;
  readonly expectedShortfall: number;
  readonly best: number;
  readonly worst: number;
  /** Days without any return: nothing was held. */
  readonly still: number;
}

/** undefined below 20 daily returns, and where none moved. */
export function dailySpread({ curve }: BacktestResult): DailySpread | undefined {
  const returns = dailyReturns(daysOf(curve.time), curve.equity);
  if (returns.length < MIN_RETURNS || returns.every((r) => r === 0)) return undefined;
  const sorted = returns.toSorted();
  const quantile = quantileOfSorted(sorted, TAIL);
  const tail = sorted.filter((r) => r <= quantile);
  return {
    returns,
    valueAtRisk: -quantile,
    expectedShortfall: -tail.reduce((a, b) => a + b, 0) / tail.length,
    best: sorted.at(-1)!,
    worst: sorted[0]!,
    still: returns.filter((r) => r === 0).length,
  };
}

export function returnsChart(spread: DailySpread): string {
  const { returns, valueAtRisk, expectedShortfall } = spread;
  const sorted = returns.toSorted();
  const ends = [BEYOND, 1 - BEYOND].map((q) => Math.abs(quantileOfSorted(sorted, q)));
  const reach = 1.1 * Math.max(...ends, Math.abs(expectedShortfall), 1e-9);
  const counts = new Float64Array(BINS);
  for (const r of returns) {
    if (r === 0) continue;
    const bin = Math.floor(((r + reach) / (2 * reach)) * BINS);
    counts[Math.min(BINS - 1, Math.max(0, bin))]! += 1;
  }
  const entries = [
    { label: 'days with a return', colour: '#93b4f5' },
    { label: `VaR 95 % ${percent(valueAtRisk)}`, colour: '#d55e00' },
    { label: `CVaR 95 % ${percent(expectedShortfall)}`, colour: '#b91c1c', dashed: true },
  ];
  const frame = withLegendRoom(FRAME, entries);
  const x = linearScale([-reach, reach], plotWidth(frame));
  const y = linearScale([0, Math.max(...counts) * 1.05], plotHeight(frame));
  const bars = [...counts].map((days, i) => {
    if (days === 0) return '';
    const left = x(-reach + (i * 2 * reach) / BINS);
    const width = x(-reach + ((i + 1) * 2 * reach) / BINS) - left;
    return `<rect x="${round(left + 0.5)}" y="${round(y(days))}" width="${round(width - 1)}" height="${round(y(0) - y(days))}" fill="#93b4f5"/>`;
  });
  const mark = (at: number, colour: string, extra = ''): string =>
    line([x(at), frame.top], [x(at), y(0)], colour, `stroke-width="2"${extra}`);
  return svg(
    'Daily returns after costs, with VaR and CVaR at 95 %',
    frame,
    yAxis(y, frame, compact) +
      bars.join('') +
      xAxis(
        ticksOf(x.domain, 8).map((tick) => ({ at: x(tick), label: percentTick(tick) })),
        frame,
      ) +
      line([x(0), frame.top], [x(0), y(0)], INK, 'stroke-dasharray="2 3"') +
      mark(-valueAtRisk, '#d55e00') +
      mark(-expectedShortfall, '#b91c1c', ' stroke-dasharray="4 3"') +
      legend(entries, frame),
  );
}

interface BandRow {
  readonly label: string;
  readonly band: Band;
  readonly actual: number | null;
  /** In a table, and at an axis. */
  readonly show: (value: number) => string;
  readonly tick: (value: number) => string;
}

/** What the table and the drawing of the Monte Carlo show. */
export function bandRows(result: BacktestResult): readonly BandRow[] {
  const { monteCarlo, finalEquity, metrics } = result;
  if (monteCarlo === null) return [];
  const { sharpeByBar } = monteCarlo;
  return [
    {
      label: 'Final equity',
      band: monteCarlo.finalEquity,
      actual: finalEquity,
      show: money,
      tick: compact,
    },
    {
      label: 'Maximum drawdown',
      band: monteCarlo.maxDrawdown,
      actual: metrics['maxDrawdown'] ?? null,
      show: percent,
      tick: percentTick,
    },
    ...(sharpeByBar === null
      ? []
      : [
          {
            label: 'Sharpe ratio by bar',
            band: sharpeByBar,
            actual: metrics['sharpeByBar'] ?? null,
            show: ratio,
            tick: ratio,
          },
        ]),
  ];
}

const BAND_HEIGHT = 64;

/** A row a figure, each on its own axis: 5 to 95 % (line), 25 to 75 % (box), median (bar), the run itself (circle). */
export function monteCarloChart(rows: readonly BandRow[]): string {
  const frame: Frame = {
    ...FRAME,
    left: 160,
    right: 30,
    height: FRAME.top + rows.length * BAND_HEIGHT,
  };
  const entries = [
    { label: '90 % of paths', colour: MUTED },
    { label: 'half of paths', colour: '#93b4f5' },
    { label: 'this run', colour: '#d55e00' },
  ];
  const drawn = rows.map((row, i) => bandOf(row, frame.top + i * BAND_HEIGHT, frame));
  return svg('Bands of resampled paths', frame, drawn.join('') + legend(entries, frame));
}

function bandOf({ label, band, actual, tick: format }: BandRow, top: number, frame: Frame): string {
  const { p5, p25, p50, p75, p95 } = band;
  const known = actual ?? p50;
  const extent: [number, number] = [Math.min(p5, known), Math.max(p95, known)];
  const x = linearScale(padded(extent, 0.05), plotWidth(frame));
  const y = top + 18;
  const ticks = ticksOf(x.domain, 5).map(
    (tick) =>
      line([x(tick), top + 2], [x(tick), top + 34], GRID) +
      text(x(tick), top + 48, format(tick), { anchor: 'middle', size: 11 }),
  );
  const box =
    `<rect x="${round(x(p25))}" y="${y - 8}" width="${round(Math.max(1, x(p75) - x(p25)))}" height="16" rx="2" ` +
    'fill="#93b4f5"/>';
  const run =
    actual === null
      ? ''
      : `<circle cx="${round(x(actual))}" cy="${y}" r="5" fill="#d55e00" stroke="#fff" stroke-width="1.5"/>`;
  return (
    text(frame.left - 14, y + 4, label, { anchor: 'end', fill: INK }) +
    ticks.join('') +
    line([x(p5), y], [x(p95), y], MUTED, 'stroke-width="2"') +
    box +
    line([x(p50), y - 8], [x(p50), y + 8], ACCENT, 'stroke-width="2.4"') +
    run
  );
}
