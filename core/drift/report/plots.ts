/** The charts of a drift report, each one SVG string. */
import type { Plot } from '../../evaluation/report/plots.ts';
import {
  ACCENT,
  FRAME,
  GRID,
  histogram,
  INK,
  legend,
  line,
  linearScale,
  numberTicks,
  path,
  plotWidth,
  round,
  scalesOf,
  SERIES_COLOURS,
  svg,
  text,
  tickText,
  timeTicks,
  xAxis,
  yAxis,
  type Frame,
} from '../../evaluation/report/svg.ts';
import type { Calibration, CusumPoint, DriftReport, InputDrift } from '../schemas.ts';

const ALARM = SERIES_COLOURS[1];
const USUAL = '#93b4f5';
const REFERENCE = '#9ca3af';

type Reference = NonNullable<NonNullable<DriftReport['performance']>['reference']>;

/** All charts: the path of the loss monitor, its calibration, then what each instrument's inputs did. */
export function driftPlots(report: DriftReport): Plot[] {
  const plots: Plot[] = [];
  const { performance } = report;
  if (performance?.calibration.status === 'calibrated') {
    const { calibration, path: points } = performance;
    if (points.length > 1) {
      plots.push({
        name: 'cusum',
        title: `Sum of the losses above what is usual, its threshold, and alarms (one value a ${performance.unit})`,
        svg: cusumChart(points, calibration, performance.reference),
      });
    }
    plots.push({
      name: 'calibration',
      title: `Largest sum in each of ${calibration.paths} bootstrapped years without a change`,
      svg: calibrationChart(calibration, performance.state.s),
    });
  }
  const kinds = [
    ['inputs', 'Features that changed most, against their own history', report.inputs],
    ['predictions', 'Forecasts, against their own history', report.predictions],
  ] as const;
  for (const [name, title, entries] of kinds) {
    for (const { instrument, drift } of entries) {
      if (drift.histories.length === 0) continue;
      plots.push({
        name: `${name}-${instrument}`,
        title: entries.length > 1 ? `${instrument}: ${title}` : title,
        svg: historyChart(drift.histories),
      });
    }
  }
  return plots;
}

/**
 * S over time with the threshold c; a dot marks each alarm, after which the sum begins anew. Of the reference, drawn
 * below, the sum is scaled so that its own threshold lies at c.
 */
export function cusumChart(
  points: readonly CusumPoint[],
  { c }: Pick<Calibration, 'c'>,
  reference?: Reference,
): string {
  const times = points.map(({ time }) => Date.parse(time));
  const others = (reference?.path ?? [])
    .filter(({ time }) => Date.parse(time) >= times[0]!)
    .map(({ time, s }) => [Date.parse(time), (s / reference!.c) * c] as const);
  const top = Math.max(c, ...[...points.map(({ s }) => s), ...others.map(([, s]) => s)]) * 1.08;
  const { x, y } = scalesOf(FRAME, [times[0]!, times.at(-1)!], [0, top]);
  const alarms = points.flatMap(({ alarm, s }, i) =>
    alarm
      ? [`<circle cx="${round(x(times[i]!))}" cy="${round(y(s))}" r="4.5" fill="${ALARM}"/>`]
      : [],
  );
  return svg(
    'Path of the loss monitor with its threshold',
    FRAME,
    yAxis(y, FRAME, tickText) +
      xAxis(timeTicks(x), FRAME) +
      line([FRAME.left, y(c)], [FRAME.width - FRAME.right, y(c)], ALARM, 'stroke-dasharray="6 4"') +
      (others.length > 1
        ? path(
            others.map(([time, s]) => [x(time), y(s)] as const),
            REFERENCE,
            'stroke-width="1.2"',
          )
        : '') +
      path(
        points.map(({ s }, i) => [x(times[i]!), y(s)] as const),
        ACCENT,
      ) +
      alarms.join('') +
      legend(
        [
          { label: 'sum of the losses above usual', colour: ACCENT },
          { label: 'threshold', colour: ALARM, dashed: true },
          ...(reference ? [{ label: `the same of ${reference.name}`, colour: REFERENCE }] : []),
        ],
        FRAME,
      ),
  );
}

/** Histogram of the bootstrapped maxima, the threshold that a tenth of them passes, and where the sum stands now. */
export function calibrationChart({ histogram: maxima, c, rate }: Calibration, s: number): string {
  const { edges, counts } = maxima;
  const high = Math.max(edges.at(-1)!, s);
  const { x, y } = scalesOf(FRAME, [0, high], [0, Math.max(1, ...counts) * 1.08]);
  const bars = histogram({ x, y }, edges, counts, (bin) => (edges[bin]! >= c ? '#f0b27a' : USUAL));
  const upright = (value: number, colour: string, extra: string): string =>
    line([x(value), FRAME.top], [x(value), y(0)], colour, `stroke-width="2" ${extra}`);
  return svg(
    'Calibration of the loss monitor',
    FRAME,
    yAxis(y, FRAME, tickText) +
      bars +
      xAxis(numberTicks(x, 8, tickText), FRAME) +
      upright(c, ALARM, 'stroke-dasharray="6 4"') +
      upright(s, INK, '') +
      legend(
        [
          { label: 'bootstrapped years', colour: USUAL },
          {
            label: `threshold: ${tickText(100 * rate)} % of unchanged years pass it`,
            colour: ALARM,
            dashed: true,
          },
          { label: 'the sum now', colour: INK },
        ],
        FRAME,
      ),
  );
}

const ROW = 24;

/**
 * One line a feature: its distance in each earlier window (small dots) and in the newest (large), in units of the
 * largest of all, so that distances of several tests share an axis.
 */
export function historyChart(histories: InputDrift['histories']): string {
  const frame: Frame = { ...FRAME, left: 220, top: 34, height: 76 + histories.length * ROW };
  const x = linearScale([0, 1], plotWidth(frame));
  const bottom = frame.height - frame.bottom;
  const rows = histories.map(({ name, test, earlier, newest }, i) => {
    const y = frame.top + 18 + i * ROW;
    const largest = Math.max(newest, ...earlier) || 1;
    const unusual = earlier.every((value) => value < newest);
    const dots = earlier.map(
      (value) =>
        `<circle cx="${round(x(value / largest))}" cy="${y}" r="2.6" fill="${USUAL}" opacity="0.75"/>`,
    );
    const now = `<circle cx="${round(x(newest / largest))}" cy="${y}" r="5" fill="${unusual ? ALARM : ACCENT}"/>`;
    const label = text(frame.left - 14, y + 4, `${name} (${test})`, { anchor: 'end', fill: INK });
    return (
      line([frame.left, y], [frame.width - frame.right, y], GRID) + label + dots.join('') + now
    );
  });
  return svg(
    'Distances of the newest window among those of earlier windows',
    frame,
    rows.join('') +
      xAxis(
        [
          { at: x(0), label: 'no distance' },
          { at: x(1) - 40, label: 'largest ever' },
        ],
        frame,
      ) +
      line([x(0), frame.top], [x(0), bottom], '#9ca3af') +
      legend(
        [
          { label: 'earlier windows', colour: USUAL },
          { label: 'newest', colour: ACCENT },
          { label: 'newest, beyond all', colour: ALARM },
        ],
        frame,
      ),
  );
}
