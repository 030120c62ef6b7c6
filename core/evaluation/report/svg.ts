/** Small pieces of SVG charts: scales, ticks, axes, paths. Charts are strings, drawn the same everywhere. */

export const INK = '#1f2937';
export const MUTED = '#6b7280';
export const GRID = '#e5e7eb';
export const ACCENT = '#1d4ed8';
/** Told apart in grey print and by colour-blind readers (Okabe and Ito 2008). */
export const SERIES_COLOURS = [
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#56b4e9',
  '#e69f00',
] as const;
export const FONT = "'Inter', 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif";

export function escapeMarkup(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export const FRAME: Frame = { width: 760, height: 260, left: 64, right: 16, top: 34, bottom: 34 };

export interface Scale {
  (value: number): number;
  readonly domain: readonly [number, number];
}

/** Linear map of a domain to pixels; a domain without width is widened, so that nothing divides by 0. */
export function linearScale(
  [low, high]: readonly [number, number],
  [from, to]: readonly [number, number],
): Scale {
  const [a, b] = high > low ? [low, high] : [low - 1, low + 1];
  const scale = (value: number): number => from + ((value - a) / (b - a)) * (to - from);
  return Object.assign(scale, { domain: [a, b] as const });
}

/** Pixels of the drawing area, from left to right and from bottom to top. */
export const plotWidth = (frame: Frame): [number, number] => [
  frame.left,
  frame.width - frame.right,
];
export const plotHeight = (frame: Frame): [number, number] => [
  frame.height - frame.bottom,
  frame.top,
];

type Domain = readonly [number, number];

/** Both scales of a drawing, over all of its area. */
export const scalesOf = (frame: Frame, x: Domain, y: Domain): { x: Scale; y: Scale } => ({
  x: linearScale(x, plotWidth(frame)),
  y: linearScale(y, plotHeight(frame)),
});

/** A little air above and below. */
export function padded([low, high]: readonly [number, number], share = 0.05): [number, number] {
  const air = (high - low) * share;
  return [low - air, high + air];
}

/** Least and greatest finite value, [0, 1] of nothing. */
export function extentOf(values: Iterable<number>): [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low, high] : [0, 1];
}

/** About `count` round numbers inside a domain. */
export function ticksOf([low, high]: readonly [number, number], count: number): number[] {
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough) ?? rough;
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++)
    ticks.push(i === 0 ? 0 : i * step);
  return ticks;
}

/** A number as an axis prints it. */
export function tickText(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1000 || size < 1e-3) return value.toExponential(0);
  return String(Number(value.toPrecision(3)));
}

export const percentText = (value: number): string => `${tickText(value * 100)} %`;

/** The colour of the i-th of several that are drawn together. */
export const colourOf = (i: number): string => SERIES_COLOURS[i % SERIES_COLOURS.length]!;

interface Tick {
  readonly at: number;
  readonly label: string;
}

/** About `count` round numbers along an axis. */
export const numberTicks = (x: Scale, count: number, format: (value: number) => string): Tick[] =>
  ticksOf(x.domain, count).map((tick) => ({ at: x(tick), label: format(tick) }));

/** Five dates along an axis of ms UTC. */
export function timeTicks(x: Scale): Tick[] {
  const [from, to] = x.domain;
  return [0.08, 0.29, 0.5, 0.71, 0.92].map((share) => {
    const time = from + share * (to - from);
    return { at: x(time), label: new Date(time).toISOString().slice(0, 10) };
  });
}

/** Bars of a histogram: `edges` has one more than `counts`. */
export function histogram(
  { x, y }: { readonly x: Scale; readonly y: Scale },
  edges: readonly number[],
  counts: Iterable<number>,
  fillOf: (bin: number) => string,
): string {
  return Array.from(counts, (count, i) => {
    const left = x(edges[i]!);
    const width = Math.max(0.5, x(edges[i + 1]!) - left - 1);
    return `<rect x="${round(left + 0.5)}" y="${round(y(count))}" width="${round(width)}" height="${round(y(0) - y(count))}" fill="${fillOf(i)}"/>`;
  }).join('');
}

export { barsText } from '../bars-text.ts';

export const round = (value: number): string => (Math.round(value * 10) / 10).toString();

export function text(
  x: number,
  y: number,
  content: string,
  attributes: {
    anchor?: 'start' | 'middle' | 'end';
    fill?: string;
    size?: number;
    bold?: boolean;
  } = {},
): string {
  const { anchor = 'start', fill = MUTED, size = 12, bold = false } = attributes;
  return (
    `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" fill="${fill}" font-size="${size}"` +
    `${bold ? ' font-weight="600"' : ''}>${escapeMarkup(content)}</text>`
  );
}

export function line(
  [x1, y1]: readonly [number, number],
  [x2, y2]: readonly [number, number],
  stroke: string,
  extra = '',
): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${stroke}"${extra && ` ${extra}`}/>`;
}

/** A polyline through finite points; a point that is not finite breaks it. */
export function path(
  points: readonly (readonly [number, number])[],
  stroke: string,
  extra = '',
): string {
  let d = '';
  let pen = 'M';
  for (const [x, y] of points) {
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      pen = 'M';
      continue;
    }
    d += `${pen}${round(x)} ${round(y)}`;
    pen = 'L';
  }
  return `<path d="${d}" fill="none" stroke="${stroke}" stroke-linejoin="round"${extra.includes('stroke-width') ? '' : ' stroke-width="1.6"'}${extra && ` ${extra}`}/>`;
}

/** Horizontal grid with labels at the left. */
export function yAxis(
  y: Scale,
  frame: Frame,
  format: (value: number) => string,
  count = 4,
): string {
  return ticksOf(y.domain, count)
    .map(
      (tick) =>
        line([frame.left, y(tick)], [frame.width - frame.right, y(tick)], GRID) +
        text(frame.left - 8, y(tick) + 4, format(tick), { anchor: 'end' }),
    )
    .join('');
}

export function xAxis(ticks: readonly Tick[], frame: Frame): string {
  const bottom = frame.height - frame.bottom;
  const base = line([frame.left, bottom], [frame.width - frame.right, bottom], '#9ca3af');
  return (
    base + ticks.map(({ at, label }) => text(at, bottom + 18, label, { anchor: 'middle' })).join('')
  );
}

export interface LegendEntry {
  readonly label: string;
  readonly colour: string;
  readonly dashed?: boolean;
}

const LEGEND_ROW = 18;

/** Where each entry stands: as many in a row as the frame is wide. */
function legendPlaces(
  entries: readonly LegendEntry[],
  frame: Frame,
): { readonly at: number; readonly row: number }[] {
  let at = frame.left;
  let row = 0;
  return entries.map(({ label }) => {
    const width = 28 + label.length * 6.8;
    if (at > frame.left && at + width > frame.width) {
      at = frame.left;
      row++;
    }
    const place = { at, row };
    at += width + 16;
    return place;
  });
}

/** The frame with room above the drawing for a legend of several rows. */
export function withLegendRoom(frame: Frame, entries: readonly LegendEntry[]): Frame {
  const rows = legendPlaces(entries, frame).at(-1)?.row ?? 0;
  const more = rows * LEGEND_ROW;
  return { ...frame, top: frame.top + more, height: frame.height + more };
}

/** Coloured strokes with names, at the top of the frame. */
export function legend(entries: readonly LegendEntry[], frame: Frame): string {
  const places = legendPlaces(entries, frame);
  return entries
    .map(({ label, colour, dashed }, i) => {
      const { at, row } = places[i]!;
      const y = 16 + row * LEGEND_ROW;
      const stroke = `stroke-width="2.4"${dashed ? ' stroke-dasharray="4 3"' : ''}`;
      return (
        line([at, y], [at + 22, y], colour, stroke) + text(at + 28, y + 4, label, { fill: INK })
      );
    })
    .join('');
}

/** The whole drawing; `title` is what screen readers say. */
export function svg(title: string, frame: Frame, body: string): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${frame.width} ${frame.height}" width="${frame.width}" ` +
    `height="${frame.height}" role="img" aria-label="${escapeMarkup(title)}" font-family="${FONT}">` +
    `<title>${escapeMarkup(title)}</title>${body}</svg>`
  );
}
