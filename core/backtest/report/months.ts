/** Returns by month: a table for the page, a drawing for a file. */
import { escapeHtml } from '../../evaluation/report/html.ts';
import { INK, svg, text, round, type Frame } from '../../evaluation/report/svg.ts';
import type { BacktestResult } from '../result.ts';
import { percent } from './words.ts';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** The least return of a month that gets the full colour. */
const FULL_LEAST = 0.01;

interface YearRow {
  readonly year: string;
  /** Twelve and the year's own; null of months without rows. */
  readonly returns: readonly (number | null)[];
}

/** A year's return is made of those of its months. */
export function yearRows(months: BacktestResult['months']): readonly YearRow[] {
  const years = new Map<string, (number | null)[]>();
  for (const { month, return: value } of months) {
    const year = month.slice(0, 4);
    const row = years.get(year) ?? Array.from({ length: 12 }, () => null);
    row[Number(month.slice(5)) - 1] = value;
    years.set(year, row);
  }
  return [...years].map(([year, row]) => {
    const whole = row.reduce<number>((growth, value) => growth * (1 + (value ?? 0)), 1) - 1;
    return { year, returns: [...row, whole] };
  });
}

/** The return of a month from which the colour is full: nine of ten are weaker. */
function fullColour(months: BacktestResult['months']): number {
  const sizes = months.map((month) => Math.abs(month.return)).sort((a, b) => a - b);
  return Math.max(FULL_LEAST, sizes[Math.floor(0.9 * (sizes.length - 1))] ?? 0);
}

/** Blue of gains, orange of losses: told apart by the colour-blind; the sign stands in the text. */
function shade(value: number, full: number): { readonly rgb: string; readonly alpha: number } {
  const alpha = Math.round(60 * Math.min(1, Math.abs(value) / full)) / 100;
  return { rgb: value < 0 ? '213,94,0' : '0,114,178', alpha };
}

const cellText = (value: number): string => percent(value).slice(0, -2);

export const MONTHS_STYLE = `
.months td,.months th{text-align:right;padding:4px 6px;border-bottom:1px solid #fff;font-size:12.5px;white-space:nowrap}
.months th:first-child{text-align:left}
.months td:last-child,.months th:last-child{padding-right:6px;border-left:2px solid #fff;font-weight:600}
`;

export function monthsTable(months: BacktestResult['months']): string {
  const full = fullColour(months);
  const head = ['Year', ...MONTHS, 'Year'].map((name) => `<th scope="col">${name}</th>`).join('');
  const rows = yearRows(months).map(({ year, returns }) => {
    const cells = returns.map((value, i) => {
      if (value === null) return '<td></td>';
      const { rgb, alpha } = shade(value, i === 12 ? 3 * full : full);
      return `<td style="background:rgba(${rgb},${alpha})">${cellText(value)}</td>`;
    });
    return `<tr><th scope="row">${escapeHtml(year)}</th>${cells.join('')}</tr>`;
  });
  return `<div class="table months"><table><thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}

const CELL = { width: 50, height: 22 };

/** The same as a drawing. */
export function monthsChart(months: BacktestResult['months']): string {
  const rows = yearRows(months);
  const full = fullColour(months);
  const frame: Frame = {
    left: 48,
    right: 8,
    top: 30,
    bottom: 8,
    width: 56 + 13 * CELL.width + 6,
    height: 38 + rows.length * CELL.height,
  };
  const left = (i: number): number => frame.left + i * CELL.width + (i === 12 ? 6 : 0);
  const heads = [...MONTHS, 'Year'].map((name, i) =>
    text(left(i) + CELL.width / 2, 20, name, { anchor: 'middle' }),
  );
  const cells = rows.flatMap(({ year, returns }, r) => {
    const y = frame.top + r * CELL.height;
    const name = text(frame.left - 8, y + 15, year, { anchor: 'end', fill: INK });
    const drawn = returns.map((value, i) => {
      if (value === null) return '';
      const { rgb, alpha } = shade(value, i === 12 ? 3 * full : full);
      const at = left(i);
      return (
        `<rect x="${round(at)}" y="${y}" width="${CELL.width - 1}" height="${CELL.height - 1}" ` +
        `fill="rgb(${rgb})" fill-opacity="${alpha}"/>` +
        text(at + CELL.width / 2, y + 15, cellText(value), { anchor: 'middle', fill: INK })
      );
    });
    return [name, ...drawn];
  });
  return svg('Returns by month in per cent', frame, heads.join('') + cells.join(''));
}
