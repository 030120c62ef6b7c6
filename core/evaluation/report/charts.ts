/** The charts of an evaluation, each one SVG string. */
import type { Reliability, SeedForecast } from '../input.ts';
import {
  ACCENT,
  barsText,
  colourOf,
  extentOf,
  FRAME,
  GRID,
  histogram,
  INK,
  legend,
  line,
  linearScale,
  MUTED,
  numberTicks,
  padded,
  path,
  percentText,
  plotWidth,
  round,
  scalesOf,
  SERIES_COLOURS,
  svg,
  text,
  ticksOf,
  tickText,
  timeTicks,
  xAxis,
  yAxis,
  type Frame,
} from './svg.ts';

/** Training (dashed) and validation loss of each seed by epoch; losses span decades, so the axis is logarithmic. */
export function lossCurves(seeds: readonly SeedForecast[]): string | undefined {
  const shown = seeds.filter((seed) => seed.history.length > 1);
  if (shown.length === 0) return undefined;
  const log = (value: number): number => Math.log10(value);
  const losses = shown.flatMap((s) => s.history.flatMap((e) => [e.loss, e.validLoss ?? e.loss]));
  const epochs = Math.max(...shown.map((s) => s.history.at(-1)!.epoch));
  const first = Math.min(...shown.map((s) => s.history[0]!.epoch));
  const range = padded(extentOf(losses.filter((l) => l > 0).map(log)));
  const { x, y } = scalesOf(FRAME, [first, epochs], range);
  const curves = shown.map((seed, i) => {
    const through = (of: 'loss' | 'validLoss', extra: string): string =>
      path(
        seed.history.flatMap((event) => {
          const value = event[of];
          return value === undefined ? [] : [[x(event.epoch), y(log(value))] as const];
        }),
        colourOf(i),
        extra,
      );
    const best = seed.history.find((event) => event.epoch === seed.bestEpoch);
    const mark =
      best?.validLoss !== undefined
        ? `<circle cx="${round(x(best.epoch))}" cy="${round(y(log(best.validLoss)))}" r="4" fill="#fff" stroke="${colourOf(i)}" stroke-width="2"/>`
        : '';
    return (
      through('loss', 'stroke-dasharray="4 3" opacity="0.6"') + through('validLoss', '') + mark
    );
  });
  const ticks = ticksOf(x.domain, 8).filter(Number.isInteger);
  const entries = [
    ...shown.map((seed, i) => ({ label: `seed ${seed.seed}`, colour: colourOf(i) })),
    { label: 'validation', colour: MUTED },
    { label: 'training', colour: MUTED, dashed: true },
  ];
  return svg(
    'Loss by epoch and seed, logarithmic; a circle marks the epoch that was kept',
    FRAME,
    yAxis(y, FRAME, (t) => tickText(Number((10 ** t).toPrecision(2)))) +
      xAxis(
        ticks.map((tick) => ({ at: x(tick), label: String(tick) })),
        FRAME,
      ) +
      curves.join('') +
      legend(entries, FRAME),
  );
}

/** Points a chart can show; more would only overlap. */
const MAX_POINTS = 600;

export interface MovesOfHorizon {
  readonly horizon: number;
  /** ms UTC, rising. */
  readonly time: Float64Array;
  /** Moves as fractions. */
  readonly actual: Float64Array;
  readonly predicted: Float64Array;
}

function thinned(length: number): number[] {
  const step = Math.max(1, Math.ceil(length / MAX_POINTS));
  return Array.from({ length: Math.ceil(length / step) }, (_, i) => i * step);
}

/** What was forecast and what came, on one axis: how small forecasts are beside moves is part of the truth. */
export function forecastChart({ horizon, time, actual, predicted }: MovesOfHorizon): string {
  const at = thinned(time.length);
  const range = padded(extentOf([...actual, ...predicted, 0]));
  const { x, y } = scalesOf(FRAME, [time[0]!, time.at(-1)!], range);
  const through = (values: Float64Array, colour: string, extra = ''): string =>
    path(
      at.map((i) => [x(time[i]!), y(values[i]!)] as const),
      colour,
      extra,
    );
  return svg(
    `Forecast and actual move over ${barsText(horizon)}`,
    FRAME,
    yAxis(y, FRAME, percentText) +
      line([FRAME.left, y(0)], [FRAME.width - FRAME.right, y(0)], '#9ca3af') +
      xAxis(timeTicks(x), FRAME) +
      through(actual, '#9ca3af', 'stroke-width="1.1"') +
      through(predicted, ACCENT) +
      legend(
        [
          { label: `actual move, ${barsText(horizon)}`, colour: '#9ca3af' },
          { label: 'forecast', colour: ACCENT },
        ],
        FRAME,
      ),
  );
}

const BINS = 41;

/** How forecasts missed: histogram of actual minus forecast, as fractions. */
export function residualChart({ horizon, actual, predicted }: MovesOfHorizon): string {
  const residuals = actual.map((value, i) => value - predicted[i]!).filter(Number.isFinite);
  const reach = Math.max(...extentOf(residuals).map(Math.abs), 1e-9);
  const counts = new Float64Array(BINS);
  for (const residual of residuals) {
    const bin = Math.floor(((residual + reach) / (2 * reach)) * BINS);
    counts[Math.min(BINS - 1, Math.max(0, bin))]! += 1;
  }
  const { x, y } = scalesOf(FRAME, [-reach, reach], [0, Math.max(1, ...counts) * 1.05]);
  const edges = Array.from({ length: BINS + 1 }, (_, i) => -reach + (i * 2 * reach) / BINS);
  const bars = histogram({ x, y }, edges, counts, () => '#93b4f5');
  const mean = residuals.reduce((a, b) => a + b, 0) / residuals.length;
  const [meanLine, meanEntry] = Number.isFinite(mean)
    ? [
        line([x(mean), FRAME.top], [x(mean), y(0)], SERIES_COLOURS[1], 'stroke-width="2"'),
        [
          {
            label: `mean ${percentText(Number(mean.toPrecision(2)))}`,
            colour: SERIES_COLOURS[1],
          },
        ],
      ]
    : ['', []];
  return svg(
    `Residuals over ${barsText(horizon)}`,
    FRAME,
    yAxis(y, FRAME, tickText) +
      bars +
      xAxis(numberTicks(x, 8, percentText), FRAME) +
      line([x(0), FRAME.top], [x(0), y(0)], INK, 'stroke-dasharray="2 3"') +
      meanLine +
      legend(
        [
          { label: `actual - forecast, ${barsText(horizon)} (rows)`, colour: '#93b4f5' },
          ...meanEntry,
        ],
        FRAME,
      ),
  );
}

export interface SkillRow {
  readonly label: string;
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

/** Skill against each reference with its interval; right of the line is better. */
export function skillChart(rows: readonly SkillRow[]): string {
  const frame: Frame = { ...FRAME, left: 220, top: 12, height: 46 + rows.length * 26 };
  const values = rows.flatMap((row) => [row.value, row.low, row.high]);
  const x = linearScale(
    padded(extentOf([0, ...values.filter((v) => v !== null)]), 0.06),
    plotWidth(frame),
  );
  const bottom = frame.height - frame.bottom;
  const marks = rows.map((row, i) => {
    const y = frame.top + 14 + i * 26;
    const name = text(frame.left - 14, y + 4, row.label, { anchor: 'end', fill: INK });
    if (row.value === null) return `${name}${text(x(0) + 8, y + 4, 'not defined')}`;
    const colour = row.low !== null && row.low > 0 ? '#009e73' : row.value < 0 ? '#b45309' : MUTED;
    const whisker =
      row.low !== null && row.high !== null
        ? line(
            [x(row.low), y],
            [x(row.high), y],
            colour,
            'stroke-width="2.4" stroke-linecap="round"',
          )
        : '';
    return `${name}${whisker}<circle cx="${round(x(row.value))}" cy="${y}" r="4.5" fill="${colour}"/>`;
  });
  const ticks = ticksOf(x.domain, 6);
  const grid = ticks.map((tick) => line([x(tick), frame.top], [x(tick), bottom], GRID)).join('');
  return svg(
    'Skill with 95 % intervals',
    frame,
    grid +
      line([x(0), frame.top], [x(0), bottom], INK) +
      marks.join('') +
      xAxis(numberTicks(x, 6, percentText), frame),
  );
}

/** Stated confidence against the observed hit rate; on the diagonal it can be taken at its word. */
export function reliabilityChart(horizons: readonly Reliability[]): string {
  const frame: Frame = { ...FRAME, width: 420, height: 360 };
  const { x, y } = scalesOf(frame, [0, 1], [0, 1]);
  const curves = horizons.map(({ bins }, i) => {
    const points = bins.map((bin) => [x(bin.stated), y(bin.observed)] as const);
    const dots = points.map(
      ([cx, cy], at) =>
        `<circle cx="${round(cx)}" cy="${round(cy)}" r="${round(2 + Math.sqrt(bins[at]!.rows) / 4)}" fill="${colourOf(i)}" opacity="0.6"/>`,
    );
    return path(points, colourOf(i)) + dots.join('');
  });
  return svg(
    'Stated confidence against the observed hit rate',
    frame,
    yAxis(y, frame, percentText) +
      line([x(0), y(0)], [x(1), y(1)], '#9ca3af', 'stroke-dasharray="4 3"') +
      xAxis(
        [0, 0.25, 0.5, 0.75, 1].map((tick) => ({ at: x(tick), label: percentText(tick) })),
        frame,
      ) +
      curves.join('') +
      legend(
        horizons.map(({ horizon }, i) => ({ label: barsText(horizon), colour: colourOf(i) })),
        frame,
      ),
  );
}
