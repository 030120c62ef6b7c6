/** Pieces of the report's HTML. Everything that is not markup of ours goes through `escapeMarkup`. */
import type { Interval } from '../../metrics/bootstrap.ts';
import type { Plot } from './plots.ts';
import { escapeMarkup } from './svg.ts';

export { escapeMarkup as escapeHtml } from './svg.ts';

/** A table cell: text, or text with a mark. */
export type Cell = string | { readonly html: string };

export const html = (markup: string): Cell => ({ html: markup });

function cellMarkup(cell: Cell): string {
  return typeof cell === 'string' ? escapeMarkup(cell) : cell.html;
}

export interface TableOptions {
  /** Columns whose figures line up at the right; default: all but the first. */
  readonly textColumns?: readonly number[];
  /** Row to set off, e.g. the served seed. */
  readonly strongRow?: number;
}

export function table(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  { textColumns = [0], strongRow }: TableOptions = {},
): string {
  const kind = (column: number): string => (textColumns.includes(column) ? '' : ' class="figure"');
  const headMarkup = head.map((h, i) => `<th${kind(i)}>${escapeMarkup(h)}</th>`).join('');
  const body = rows.map((row, r) => {
    const cells = row.map((cell, i) => `<td${kind(i)}>${cellMarkup(cell)}</td>`).join('');
    return `<tr${r === strongRow ? ' class="strong"' : ''}>${cells}</tr>`;
  });
  return `<div class="table"><table><thead><tr>${headMarkup}</tr></thead><tbody>${body.join('')}</tbody></table></div>`;
}

export function facts(entries: readonly (readonly [string, Cell])[]): string {
  const items = entries.map(
    ([name, value]) => `<div><dt>${escapeMarkup(name)}</dt><dd>${cellMarkup(value)}</dd></div>`,
  );
  return `<dl>${items.join('')}</dl>`;
}

export function list(items: readonly string[], empty: string): string {
  if (items.length === 0) return `<p>${escapeMarkup(empty)}</p>`;
  return `<ul>${items.map((item) => `<li>${escapeMarkup(item)}</li>`).join('')}</ul>`;
}

export function section(id: string, title: string, ...body: readonly string[]): string {
  return `<section id="${id}"><h2>${escapeMarkup(title)}</h2>${body.join('')}</section>`;
}

/** A whole page: self-contained, the same bytes for the same content. */
export interface Page {
  readonly title: string;
  /** Lines below the title. */
  readonly lead: readonly string[];
  readonly verdict: string;
  readonly good: boolean;
  readonly sections: readonly {
    readonly id: string;
    readonly title: string;
    readonly body: readonly string[];
  }[];
  /** Rules besides `STYLE`. */
  readonly style?: string;
}

export function page({ title, lead, verdict, good, sections, style = '' }: Page): string {
  const nav = sections.map((of) => `<a href="#${of.id}">${escapeMarkup(of.title)}</a>`).join('');
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width,initial-scale=1">',
    `<title>${escapeMarkup(title)}</title><style>${STYLE}${style}</style></head><body><main><header>`,
    `<h1>${escapeMarkup(title)}</h1>`,
    ...lead.map((said) => `<p>${escapeMarkup(said)}</p>`),
    `<p class="verdict${good ? ' good' : ''}">${escapeMarkup(verdict)}</p><nav>${nav}</nav></header>`,
    ...sections.map((of) => section(of.id, of.title, ...of.body)),
    '</main></body></html>\n',
  ].join('\n');
}

export function figures(plots: readonly Plot[]): string {
  return plots
    .map(
      ({ title, svg }) => `<figure><figcaption>${escapeMarkup(title)}</figcaption>${svg}</figure>`,
    )
    .join('');
}

export const note = (content: string): string => `<p class="note">${escapeMarkup(content)}</p>`;

export function figure(value: number | null, format: (value: number) => string): string {
  return value === null ? 'n/a' : format(value);
}

/** Value with its interval below, marked where there are too few blocks. */
export function intervalCell(
  { value, low, high, tooFewBlocks }: Interval,
  format: (value: number) => string,
): Cell {
  if (value === null) return 'n/a';
  const range = low === null || high === null ? 'no interval' : `${format(low)} to ${format(high)}`;
  const mark = tooFewBlocks
    ? ' <abbr title="too few blocks: read the interval as a hint">*</abbr>'
    : '';
  return html(
    `<b>${escapeMarkup(format(value))}</b><br><small>${escapeMarkup(range)}${mark}</small>`,
  );
}

export const number4 = (value: number): string => Number(value.toPrecision(4)).toString();
export const percent1 = (value: number): string => `${(100 * value).toFixed(1)} %`;
export const signedPercent = (value: number): string =>
  `${value > 0 ? '+' : ''}${(100 * value).toFixed(2)} %`;
export const pValue = (p: number): string => (p < 0.001 ? '< 0.001' : p.toFixed(3));

export const STYLE = `
:root{color-scheme:light}
*{box-sizing:border-box}
body{margin:0;background:#f6f7f9;color:#1f2937;font:15px/1.55 'Inter','Segoe UI','Helvetica Neue',Arial,'DejaVu Sans',sans-serif}
main{max-width:980px;margin:0 auto;padding:40px 24px 64px}
header h1{font-size:26px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
header p{margin:0;color:#6b7280}
.verdict,header .verdict{color:#1f2937;margin:22px 0 8px;padding:18px 22px;border-radius:10px;background:#fff;border:1px solid #e5e7eb;border-left:6px solid #b45309;font-size:17px;line-height:1.45}
.verdict.good{border-left-color:#009e73}
nav{margin:14px 0 0;font-size:13px;display:flex;flex-wrap:wrap;gap:2px 14px}
nav a{color:#1d4ed8;text-decoration:none;white-space:nowrap}
section{background:#fff;border:1px solid #e5e7eb;border-radius:10px;padding:20px 24px 22px;margin-top:18px}
h2{font-size:18px;margin:0 0 12px}
h3{font-size:14px;margin:22px 0 8px;color:#374151}
.table{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
th{text-align:left;font-weight:600;color:#6b7280;font-size:12px;border-bottom:1px solid #d1d5db;padding:6px 14px 6px 0;vertical-align:bottom}
td{border-bottom:1px solid #eef0f3;padding:7px 14px 7px 0;vertical-align:top}
th.figure,td.figure{text-align:right;white-space:nowrap}
th:last-child,td:last-child{padding-right:0}
tr.strong td{background:#eff4ff}
small{color:#6b7280;font-size:12px}
abbr{text-decoration:none;cursor:help}
small abbr{color:#b45309}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:12px 24px;margin:0}
dt{font-size:12px;color:#6b7280}
dd{margin:0;overflow-wrap:anywhere}
code{font:12px/1.4 ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace}
ul{margin:0;padding-left:20px}
li{margin:4px 0}
.note{color:#6b7280;font-size:13px;margin:12px 0 0}
.warnings{border-left:4px solid #e69f00;padding:2px 0 2px 14px;margin:14px 0 0}
figure{margin:18px 0 0}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(300px,100%),1fr));gap:0 24px;align-items:start}
figcaption{font-size:13px;color:#6b7280;margin-bottom:4px}
figure svg{display:block;width:100%;height:auto}
@media(max-width:600px){main{padding:24px 12px 48px}section{padding:16px 16px 18px}figure{overflow-x:auto}figure svg{min-width:560px}.pair figure svg{min-width:0}}
.name{white-space:nowrap}
@media print{body{background:#fff}section{break-inside:avoid;border:0;padding:0}nav{display:none}}
`;
