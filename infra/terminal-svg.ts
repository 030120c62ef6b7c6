/** Text of a terminal as an SVG, for pages that show what a command printed. */

/** One command and what it printed. */
export interface TerminalSession {
  readonly command: string;
  readonly output: string;
}

const COLUMNS = 112;
/** A longer text belongs in a file. */
const MAX_ROWS = 120;
const FONT_PX = 14;
const ROW_PX = 20;
const MARGIN_PX = 20;
/** Advance of the widest common monospace fonts at 1 px. */
const ADVANCE = 0.605;
const FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace";

const COLOURS = {
  background: '#0f172a',
  plain: '#cbd5e1',
  command: '#86efac',
  epoch: '#7d8ba1',
  warning: '#fbbf24',
  verdict: '#f8fafc',
} as const;
type Kind = Exclude<keyof typeof COLOURS, 'background'>;

/** What a line is, by its words; the first that fits counts. */
const KINDS: readonly (readonly [RegExp, Kind])[] = [
  [/^\$ /, 'command'],
  [/: epoch \d/, 'epoch'],
  [/: (warn|error) |STALE|does NOT/, 'warning'],
  [/: (evaluate|decide): |^(completed|failed|skipped)\b/, 'verdict'],
];

interface Row {
  readonly text: string;
  readonly kind: Kind;
}

function rowsOf(line: string): Row[] {
  const kind = KINDS.find(([pattern]) => pattern.test(line))?.[1] ?? 'plain';
  const rows: Row[] = [];
  let rest = line;
  while (rest.length > COLUMNS) {
    // Between words where there are words; the space stays, so that no character is lost.
    const space = rest.lastIndexOf(' ', COLUMNS - 1);
    const end = space > 0 ? space + 1 : COLUMNS;
    rows.push({ text: rest.slice(0, end), kind });
    rest = rest.slice(end);
  }
  return [...rows, { text: rest, kind }];
}

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Viewers differ in whether they keep spaces beside spaces; all keep those that do not break. */
const keepSpaces = (text: string): string => text.replaceAll('  ', '\u00a0\u00a0');

/** The same bytes for the same text. Throws `RangeError` for more rows than a picture can show. */
export function terminalSvg(title: string, sessions: readonly TerminalSession[]): string {
  const lines = sessions.flatMap(({ command, output }, i) => [
    ...(i === 0 ? [] : ['']),
    `$ ${command}`,
    ...output.trimEnd().split('\n'),
  ]);
  const rows = lines.flatMap(rowsOf);
  if (rows.length > MAX_ROWS) throw new RangeError(`${rows.length} rows; at most ${MAX_ROWS}`);
  const width = Math.ceil(COLUMNS * FONT_PX * ADVANCE) + 2 * MARGIN_PX;
  const height = rows.length * ROW_PX + 2 * MARGIN_PX;
  const texts = rows.map(({ text, kind }, i) => {
    const y = MARGIN_PX + i * ROW_PX + FONT_PX;
    return `<text x="${MARGIN_PX}" y="${y}" fill="${COLOURS[kind]}">${keepSpaces(escapeXml(text))}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${width}" height="${height}" rx="8" fill="${COLOURS.background}"/>`,
    `<g font-family="${FONT}" font-size="${FONT_PX}">`,
    ...texts,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}
