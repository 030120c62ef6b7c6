/** How figures, times and lists of a backtest are written. */
import type { BacktestMetric } from '../metrics/metric.ts';
import { backtestMetrics } from '../metrics/index.ts';

const EN = 'en-US';

/** Without the sign of a zero that is one by rounding. */
const signless = (text: string): string => (/^-[0.,]*( %)?$/.test(text) ? text.slice(1) : text);

const fixed = (value: number, digits: number): string =>
  signless(
    value.toLocaleString(EN, { minimumFractionDigits: digits, maximumFractionDigits: digits }),
  );

export const percent = (value: number): string => signless(`${fixed(100 * value, 1)} %`);
export const signedPercent = (value: number): string => {
  const text = percent(value);
  return value > 0 && text !== '0.0 %' ? `+${text}` : text;
};
export const ratio = (value: number): string => fixed(value, 2);
export const signedRatio = (value: number): string => {
  const text = ratio(value);
  return value > 0 && text !== '0.00' ? `+${text}` : text;
};
export const count = (value: number): string => Math.round(value).toLocaleString(EN);
/** Money in quote currency: cents where they are a share of it that matters. */
export const money = (value: number): string => fixed(value, Math.abs(value) < 1000 ? 2 : 0);
/** A price: six figures. */
export const price = (value: number): string =>
  Math.abs(value) >= 1e5
    ? fixed(value, 0)
    : value.toLocaleString(EN, { maximumSignificantDigits: 6 });

/** A number as an axis has room for: 12.5k, 1.2M. */
export function compact(value: number): string {
  const size = Math.abs(value);
  for (const [unit, letter] of [
    [1e12, 'T'],
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (size >= unit) return `${Number((value / unit).toPrecision(3))}${letter}`;
  }
  return String(Number(value.toPrecision(3)));
}

export const dayText = (time: number): string => new Date(time).toISOString().slice(0, 10);

/** A day, with the minute where it is not midnight. */
export function timeText(time: number): string {
  const text = new Date(time).toISOString();
  const minute = text.slice(11, 16);
  return minute === '00:00' ? text.slice(0, 10) : `${text.slice(0, 10)} ${minute}`;
}

/** The day that a close belongs to: one at midnight ends the day before. */
export const closingDay = (time: number): string => dayText(time - 1);

/** A value of the catalogue of metrics as people read it; `n/a` where it is not defined. */
export function metricText(
  { format }: Pick<BacktestMetric, 'format'>,
  value: number | null | undefined,
): string {
  if (value === null || value === undefined) return 'n/a';
  if (format === 'percent') return percent(value);
  return format === 'count' ? count(value) : ratio(value);
}

/** The metrics of the catalogue that one of the results has: an older result lacks newer ones. */
export const shownMetrics = (
  results: readonly { readonly metrics: Readonly<Record<string, number | null>> }[],
): readonly BacktestMetric[] =>
  backtestMetrics.filter(({ name }) => results.some(({ metrics }) => name in metrics));

/** `a, b and c`; of more than `most` the number of the others. */
export function listText(items: readonly string[], most = 5): string {
  const shown = items.length > most ? items.slice(0, most) : items;
  const rest = items.length - shown.length;
  const all = rest > 0 ? [...shown, `${rest} more`] : shown;
  return all.length < 2 ? (all[0] ?? '') : `${all.slice(0, -1).join(', ')} and ${all.at(-1)}`;
}

/** A name as short as a legend has room for. */
export const shortName = (name: string, most = 28): string =>
  name.length > most ? `${name.slice(0, most - 1)}…` : name;
