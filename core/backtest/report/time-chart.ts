/** A chart of curves over time, whatever they are. */
import {
  extentOf,
  FRAME,
  GRID,
  legend,
  line,
  linearScale,
  path,
  plotHeight,
  plotWidth,
  round,
  svg,
  text,
  withLegendRoom,
  type Frame,
  type LegendEntry,
  type Scale,
} from '../../evaluation/report/svg.ts';
import { DAY_MS } from '../../calendar/day.ts';
import { linearValues, logValues, timeAxis, type ValueScale } from './axes.ts';
import { rowsByPixel, type Series } from './downsample.ts';
import { shortName } from './words.ts';

/** A logarithmic axis from this factor between the highest and the lowest value on. */
const LOG_FACTOR = 3;

export interface Curve {
  readonly label: string;
  readonly colour: string;
  readonly dashed?: boolean;
  /** ms UTC, rising. */
  readonly time: Series;
  readonly values: Series;
  /** Fills what lies between the curve and 0. */
  readonly filled?: boolean;
  /** Each value holds until the next one. */
  readonly stepped?: boolean;
}

export interface TimeChart {
  readonly title: string;
  readonly curves: readonly Curve[];
  readonly format: (value: number) => string;
  /** Logarithmic where values are positive and span much. */
  readonly mayBeLog?: boolean;
  /** Values that the axis reaches whatever the curves do. */
  readonly reaches?: readonly number[];
  readonly height?: number;
  /** Entries of the legend besides the curves. */
  readonly alsoNamed?: readonly LegendEntry[];
  /** Drawn over the curves. */
  readonly over?: (x: Scale, y: Scale, frame: Frame) => string;
}

/** Room at the right of charts over time: half a date. */
const TIME_FRAME: Frame = { ...FRAME, right: 22 };
export const CURVE_PIXELS = TIME_FRAME.width - TIME_FRAME.left - TIME_FRAME.right;

/** A drawing and what it shows; the title tells of a logarithmic axis. */
export interface Drawing {
  readonly title: string;
  readonly svg: string;
}

function isLogarithmic(curves: readonly Curve[]): boolean {
  const [low, high] = extentOfCurves(curves);
  return low > 0 && high / low >= LOG_FACTOR;
}

function extentOfCurves(curves: readonly Curve[]): [number, number] {
  const ends = curves.map(({ values }) => extentOf(Array.from(values)));
  return extentOf(ends.flat());
}

export function timeChart(chart: TimeChart): Drawing {
  const {
    curves,
    format,
    mayBeLog = false,
    reaches = [],
    height = 260,
    alsoNamed = [],
    over,
  } = chart;
  const entries = [...curves, ...alsoNamed].map((entry) => ({
    ...entry,
    label: shortName(entry.label),
  }));
  const frame = withLegendRoom({ ...TIME_FRAME, height }, entries);
  const times = curves.flatMap(({ time }) => [time[0]!, time[time.length - 1]!]);
  const x = linearScale(widened(extentOf(times)), plotWidth(frame));
  const log = mayBeLog && isLogarithmic(curves);
  const reached = log ? reaches.filter((value) => value > 0) : reaches;
  const extent = extentOf([...extentOfCurves(curves), ...reached]);
  const scale = (log ? logValues : linearValues)(extent, plotHeight(frame));
  const drawn = curves.map((curve) => curveOf(curve, x, scale.y));
  const [low, high] = scale.y.domain;
  const zero =
    low < 0 && high > 0
      ? line([frame.left, scale.y(0)], [frame.width - frame.right, scale.y(0)], '#9ca3af')
      : '';
  const title = log ? `${chart.title}, logarithmic` : chart.title;
  const drawing = svg(
    title,
    frame,
    grid(scale, frame, format) +
      zero +
      drawn.join('') +
      timeAxis(x, frame) +
      (over?.(x, scale.y, frame) ?? '') +
      legend(entries, frame),
  );
  return { title, svg: drawing };
}

/** One instant alone stands in the middle of its day. */
const widened = ([from, to]: readonly [number, number]): readonly [number, number] =>
  from < to ? [from, to] : [from - DAY_MS, to + DAY_MS];

function grid({ y, ticks }: ValueScale, frame: Frame, format: (value: number) => string): string {
  return ticks
    .map(
      (tick) =>
        line([frame.left, y(tick)], [frame.width - frame.right, y(tick)], GRID) +
        text(frame.left - 8, y(tick) + 4, format(tick), { anchor: 'end' }),
    )
    .join('');
}

function curveOf(curve: Curve, x: Scale, y: Scale): string {
  const { time, values, colour, dashed, filled, stepped } = curve;
  const rows = rowsByPixel(values, (row) => x(time[row]!), CURVE_PIXELS);
  const places = rows.map((row) => [x(time[row]!), y(values[row]!)] as const);
  const points = stepped === true ? stepsOf(places) : places;
  // One point is no line.
  const [only] = points;
  const dot =
    points.length === 1 && only && only.every(Number.isFinite)
      ? `<circle cx="${round(only[0])}" cy="${round(only[1])}" r="3" fill="${colour}"/>`
      : '';
  const area = filled === true ? areaOf(points, y(0), colour) : '';
  return area + path(points, colour, dashed ? 'stroke-dasharray="4 3"' : '') + dot;
}

type Points = readonly (readonly [number, number])[];

const stepsOf = (points: Points): Points =>
  points.flatMap((point, i) => {
    const before = points[i - 1];
    return before === undefined ? [point] : [[point[0], before[1]] as const, point];
  });

function areaOf(points: Points, base: number, colour: string): string {
  const finite = points.filter(([, y]) => Number.isFinite(y));
  if (finite.length < 2) return '';
  const along = finite.map(([x, y]) => `L${round(x)} ${round(y)}`).join('');
  const start = `M${round(finite[0]![0])} ${round(base)}`;
  const end = `L${round(finite.at(-1)![0])} ${round(base)}Z`;
  return `<path d="${start}${along}${end}" fill="${colour}" fill-opacity="0.16"/>`;
}
