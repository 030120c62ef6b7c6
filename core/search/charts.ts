/** Charts of a search, each one SVG string. */
import {
  ACCENT,
  extentOf,
  INK,
  line,
  linearScale,
  MUTED,
  path,
  round,
  svg,
  text,
  tickText,
  type Frame,
} from '../evaluation/report/svg.ts';
import type { Importance } from './importance.ts';
import { shareOf, type Point } from './point.ts';
import type { Dimension, Space } from './space.ts';

/** A trial as a line of the chart. */
export interface ChartTrial {
  readonly point: Point;
  /** Only trials trained to their end have a place on the axis of losses. */
  readonly state: 'running' | 'completed' | 'pruned' | 'failed' | 'cancelled';
  readonly loss: number | null;
  readonly best: boolean;
}

/** Lines that a chart can show; of more, the first. */
const LINES_MAX = 300;
const AXIS_WIDTH = 130;
const LABEL_CHARS = 18;

/**
 * Parallel coordinates: one axis a hyperparameter (numbers on their scale, choices in their order), the last one the
 * validation loss, lower is better. Blue from light to dark is from the worst to the best trial, grey dashes are trials
 * that did not reach their end.
 */
export function parallelCoordinates(space: Space, trials: readonly ChartTrial[]): string {
  const width = Math.max(480, AXIS_WIDTH * (space.length + 1));
  const frame: Frame = { width, height: 320, left: 70, right: 70, top: 48, bottom: 40 };
  const x = linearScale([0, space.length], [frame.left, frame.width - frame.right]);
  const y = linearScale([0, 1], [frame.height - frame.bottom, frame.top]);
  const ended = trials.flatMap(({ state, loss }) =>
    state === 'completed' && loss !== null ? [loss] : [],
  );
  const range = linearScale(extentOf(ended), [0, 1]);
  const drawn = trials
    .slice(0, LINES_MAX)
    .toSorted((a, b) => Number(a.best) - Number(b.best))
    .map((trial) => lineOf(trial, { space, x, y, range }));
  const axes = space.map((dimension, i) =>
    axisOf(x(i), frame, dimension.path, labelsOf(dimension)),
  );
  const [low, high] = range.domain;
  const lossLabels = [
    { at: 0, label: tickText(Number(low.toPrecision(4))) },
    { at: 1, label: tickText(Number(high.toPrecision(4))) },
  ];
  const last = axisOf(x(space.length), frame, 'validation loss', lossLabels);
  const title = 'Trials of the search: hyperparameters and validation loss, the best one thick';
  return svg(title, frame, drawn.join('') + axes.join('') + last);
}

interface Scales {
  readonly space: Space;
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly range: (value: number) => number;
}

function lineOf({ point, state, loss, best }: ChartTrial, { space, x, y, range }: Scales): string {
  const points = space.map((dimension, i) => {
    return [x(i), y(heightOf(dimension, point[dimension.path]))] as const;
  });
  if (state !== 'completed' || loss === null) {
    return path(points, '#d1d5db', 'stroke-width="1" stroke-dasharray="3 3"');
  }
  const through = [...points, [x(space.length), y(range(loss))] as const];
  if (best) return path(through, ACCENT, 'stroke-width="3.2"');
  const opacity = (0.15 + 0.65 * (1 - range(loss))).toFixed(2);
  return path(through, ACCENT, `stroke-width="1.2" opacity="${opacity}"`);
}

/** Of a choice the middle of its part of the axis. */
function heightOf(dimension: Dimension, value: unknown): number {
  if (dimension.kind === 'number') return shareOf(dimension, value as number);
  const key = JSON.stringify(value);
  const at = dimension.choices.findIndex((choice) => JSON.stringify(choice) === key);
  return (at + 0.5) / dimension.choices.length;
}

interface AxisLabel {
  /** Share of the axis, from below. */
  readonly at: number;
  readonly label: string;
}

function labelsOf(dimension: Dimension): readonly AxisLabel[] {
  if (dimension.kind === 'choice') {
    return dimension.choices.map((choice, i) => ({
      at: (i + 0.5) / dimension.choices.length,
      label: JSON.stringify(choice),
    }));
  }
  return [
    { at: 0, label: tickText(dimension.low) },
    { at: 1, label: tickText(dimension.high) },
  ];
}

const shortened = (label: string): string =>
  label.length > LABEL_CHARS ? `${label.slice(0, LABEL_CHARS - 1)}…` : label;

function axisOf(x: number, frame: Frame, name: string, labels: readonly AxisLabel[]): string {
  const [bottom, top] = [frame.height - frame.bottom, frame.top];
  const y = (share: number): number => bottom + share * (top - bottom);
  // Many choices: every n-th, so that labels do not lie on each other.
  const step = Math.ceil(labels.length / 12);
  const texts = labels
    .filter((_, i) => i % step === 0)
    .map(({ at, label }) =>
      text(x + 6, y(at) + (at === 0 ? 14 : at === 1 ? -4 : 4), shortened(label), { size: 10 }),
    );
  return (
    line([x, top], [x, bottom], MUTED) +
    text(x, frame.top - 24, shortened(name), { anchor: 'middle', fill: INK, bold: true }) +
    texts.join('')
  );
}

/** Bars of the shares, the largest first; undefined where there is none to show. */
export function importanceChart(importances: readonly Importance[]): string | undefined {
  const known = importances.flatMap(({ path: name, share }) =>
    share === null ? [] : [{ name, share }],
  );
  if (known.length === 0) return undefined;
  const sorted = known.toSorted((a, b) => b.share - a.share);
  const frame: Frame = {
    width: 760,
    height: 40 + 28 * sorted.length,
    left: 190,
    right: 70,
    top: 16,
    bottom: 24,
  };
  const x = linearScale([0, 1], [frame.left, frame.width - frame.right]);
  const bars = sorted.map(({ name, share }, i) => {
    const top = frame.top + 28 * i;
    const width = Math.max(1, x(share) - frame.left);
    return (
      text(frame.left - 8, top + 15, shortened(name), { anchor: 'end', fill: INK }) +
      `<rect x="${frame.left}" y="${top + 3}" width="${round(width)}" height="16" fill="${ACCENT}"/>` +
      text(frame.left + width + 6, top + 15, `${Math.round(100 * share)} %`)
    );
  });
  const title = 'Share of the ranking of trials that each hyperparameter alone explains';
  return svg(title, frame, bars.join(''));
}
