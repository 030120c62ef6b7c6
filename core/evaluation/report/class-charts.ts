/** Charts of labels with classes, each one SVG string. */
import type { ClassFigures } from '../class-figures.ts';
import {
  barsText,
  colourOf,
  FRAME,
  INK,
  legend,
  line,
  linearScale,
  MUTED,
  numberTicks,
  path,
  percentText,
  round,
  scalesOf,
  svg,
  text,
  xAxis,
  yAxis,
  type Frame,
} from './svg.ts';

const CELL_HEIGHT = 52;
const FILL = '#1d4ed8';

/** Rows by the class that came (down) and the class answered (across), shaded by the share of those that came. */
export function confusionChart(
  names: readonly string[],
  { horizon, confusion }: ClassFigures,
): string | undefined {
  if (confusion === null) return undefined;
  const k = names.length;
  const frame: Frame = {
    width: 420,
    height: 74 + k * CELL_HEIGHT,
    left: 96,
    right: 12,
    top: 58,
    bottom: 16,
  };
  const width = (frame.width - frame.left - frame.right) / k;
  const heads = names.map((name, c) =>
    text(frame.left + (c + 0.5) * width, frame.top - 10, name, { anchor: 'middle', fill: INK }),
  );
  const rows = confusion.map((counts, came) => {
    const total = counts.reduce((a, b) => a + b, 0);
    const y = frame.top + came * CELL_HEIGHT;
    const cells = counts.map((count, answered) => {
      const share = total > 0 ? count / total : 0;
      const x = frame.left + answered * width;
      const ink = share > 0.55 ? '#ffffff' : INK;
      const middle = x + width / 2;
      return (
        `<rect x="${round(x + 1)}" y="${round(y + 1)}" width="${round(width - 2)}" height="${CELL_HEIGHT - 2}" rx="4" ` +
        `fill="${FILL}" fill-opacity="${round(0.06 + 0.84 * share)}"/>` +
        text(middle, y + 23, count.toLocaleString('en-US'), {
          anchor: 'middle',
          fill: ink,
          size: 13,
          bold: true,
        }) +
        text(middle, y + 40, total > 0 ? `${(100 * share).toFixed(1)} %` : '-', {
          anchor: 'middle',
          fill: ink,
        })
      );
    });
    const name = text(frame.left - 10, y + CELL_HEIGHT / 2 + 4, names[came]!, {
      anchor: 'end',
      fill: INK,
    });
    return name + cells.join('');
  });
  const across = text((frame.left + frame.width) / 2, 20, 'answered', { anchor: 'middle' });
  const down = text(frame.left - 10, frame.top - 10, 'came', { anchor: 'end' });
  return svg(
    `Confusion matrix over ${barsText(horizon)}: class that came by class answered`,
    frame,
    across + down + heads.join('') + rows.join(''),
  );
}

/** A bin with fewer rows is a dot beside the curve: one row of one is 100 %. */
const CURVE_ROWS_MIN = 20;

/** Stated probability of each class against the share of rows where it came; on the diagonal it is calibrated. */
export function calibrationChart({ horizon, calibration }: ClassFigures): string | undefined {
  const points = calibration.flatMap(({ bins }) => bins.map((b) => Math.max(b.stated, b.observed)));
  if (points.length === 0) return undefined;
  const frame: Frame = { ...FRAME, width: 420, height: 300, left: 56, right: 26, bottom: 50 };
  const most = Math.min(1, Math.ceil(10 * Math.max(...points) + 0.2) / 10);
  const { x, y } = scalesOf(frame, [0, most], [0, most]);
  const rows = Math.max(...calibration.flatMap(({ bins }) => bins.map((bin) => bin.rows)));
  const curves = calibration.map(({ bins }, i) => {
    const colour = colourOf(i);
    const places = bins.map((bin) => [x(bin.stated), y(bin.observed)] as const);
    const dots = places.map(
      ([cx, cy], at) =>
        `<circle cx="${round(cx)}" cy="${round(cy)}" r="${round(2 + 7 * Math.sqrt(bins[at]!.rows / rows))}" fill="${colour}" opacity="0.55"/>`,
    );
    const sure = places.filter((_, at) => bins[at]!.rows >= CURVE_ROWS_MIN);
    return path(sure, colour) + dots.join('');
  });
  return svg(
    `Calibration over ${barsText(horizon)}: stated probability against the share that came`,
    frame,
    yAxis(y, frame, percentText) +
      line([x(0), y(0)], [x(most), y(most)], '#9ca3af', 'stroke-dasharray="4 3"') +
      xAxis(numberTicks(x, 5, percentText), frame) +
      text((frame.left + frame.width) / 2, frame.height - 10, 'stated; size of a dot: rows', {
        anchor: 'middle',
        fill: MUTED,
      }) +
      curves.join('') +
      legend(
        calibration.map(({ name }, i) => ({ label: name, colour: colourOf(i) })),
        frame,
      ),
  );
}

export interface ImportanceRow {
  readonly name: string;
  /** Share of the total, 0..1. */
  readonly share: number;
}

/** Features by their share of the gain, the greatest first. */
export function importanceChart(horizon: number, rows: readonly ImportanceRow[]): string {
  const step = 20;
  const frame: Frame = { ...FRAME, left: 210, top: 10, height: 16 + rows.length * step };
  const x = linearScale(
    [0, Math.max(...rows.map(({ share }) => share), 1e-9)],
    [frame.left, frame.width - frame.right - 56],
  );
  const bars = rows.map(({ name, share }, i) => {
    const y = frame.top + i * step;
    return (
      text(frame.left - 10, y + 14, name, { anchor: 'end', fill: INK }) +
      `<rect x="${round(x(0))}" y="${y + 4}" width="${round(Math.max(0.5, x(share) - x(0)))}" height="${step - 7}" fill="#93b4f5"/>` +
      text(x(share) + 6, y + 14, `${(100 * share).toFixed(1)} %`)
    );
  });
  return svg(
    `Features by share of the gain, ${barsText(horizon)}`,
    frame,
    bars.join('') + line([x(0), frame.top], [x(0), frame.top + rows.length * step], MUTED),
  );
}
