import { barCount, type Bars, type Timeframe } from '../bars/bars.ts';
import type { Calendar } from '../calendar/calendar.ts';
import { calendarFor } from '../calendar/index.ts';
import { isoTime } from '../calendar/day.ts';
import { profileSchema, type Profile, type ProfileInput } from './profile.ts';
import { profiles } from './profiles.ts';
import { barsOfTable } from './read-bars.ts';
import { sniffProfile } from './sniff.ts';
import { parseTable } from './table.ts';
import { EPOCHS } from './time.ts';
import { decodeText, unpack } from './unpack.ts';

export interface Inspection {
  /** Source plug-in that reads such files. */
  readonly source: 'csv' | 'parquet';
  readonly fileName: string;
  /** Instrument id guessed from the file's name. */
  readonly instrument: string;
  readonly timeframe: Timeframe;
  /** Name of the calendar that fits the bars. */
  readonly calendar: string;
  /** As it would be written in ratchet.config.yaml: a known name, or the profile itself. */
  readonly profile: string | ProfileInput;
  readonly reasons: readonly string[];
  readonly notes: readonly string[];
  readonly bars: Bars;
}

/**
 * Reads a file of unknown format: proposes a profile, says why, and reads the bars through it.
 * Errors: those of reading (each names the line) and `source.unknownFormat`.
 */
export function inspectFile(bytes: Uint8Array, fileName: string): Inspection {
  return inspectText(decodeText(unpack(bytes, fileName), fileName), fileName, 'csv');
}

/** As `inspectFile`, and Parquet files too. */
export async function inspectBytes(bytes: Uint8Array, fileName: string): Promise<Inspection> {
  const PARQUET = [0x50, 0x41, 0x52, 0x31];
  if (!PARQUET.every((byte, i) => bytes[i] === byte)) return inspectFile(bytes, fileName);
  const { readParquetTable } = await import('./parquet.impl.ts');
  const table = await readParquetTable(bytes, fileName);
  const quote = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;
  const lines = [table.header, ...table.rows].map((cells) => cells.map(quote).join(','));
  return inspectText(lines.join('\n'), fileName, 'parquet');
}

function inspectText(text: string, fileName: string, source: Inspection['source']): Inspection {
  const sniffed = sniffProfile(text, fileName);
  const profile = profileSchema.parse(sniffed.profile);
  const instrument = instrumentOf(fileName);
  const { timeframe } = sniffed;
  const read = barsOfTable(parseTable(text, fileName, profile), fileName, profile, {
    instrument,
    timeframe,
  });
  const calendar = fittingCalendar(read.bars);
  const empty = barCount(read.bars) === 0;
  const reasons = [
    ...sniffed.reasons,
    empty
      ? `timeframe and calendar are guesses too: ${timeframe}, ${calendar.name}`
      : `sessions fit the calendar ${calendar.name}`,
  ];
  const epoch = EPOCHS.has(profile.time.format);
  if (timeframe === '1h' && !epoch && !/[+-]\d{2}:?\d{2}$|Z$/.test(firstStamp(text))) {
    reasons.push(
      'stamps carry no offset and are taken as UTC: compare with another market (--against FILE) to be sure',
    );
  }
  return {
    source,
    fileName,
    instrument,
    timeframe,
    calendar: calendar.name,
    profile: nameOf(profile) ?? sniffed.profile,
    reasons,
    notes: read.notes,
    bars: read.bars,
  };
}

const firstStamp = (text: string): string =>
  text
    .split(/\r?\n/, 3)[1]
    ?.split(/[,;\t|]/)[0]
    ?.trim() ?? '';

/** The catalogue's name of an equal profile, factor file and adjustment aside. */
function nameOf(profile: Profile): string | undefined {
  const essence = ({ factors: _f, adjusted: _a, ...rest }: Profile): string =>
    JSON.stringify(rest, (_, value: unknown) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
        : value,
    );
  for (const named of profiles.values()) {
    if (essence(named.profile) === essence(profile)) return named.name;
  }
  return undefined;
}

function instrumentOf(fileName: string): string {
  const base = fileName.split(/[/\\]/).at(-1)!;
  const id = base
    .replace(/\.(csv|txt|zip|gz|parquet)(?=\.|$)/gi, '')
    .replace(/\.(1d|1h|minute60|daily|hourly)(?=\.|$).*/i, '');
  return id.replace(/[^A-Za-z0-9^._=-]/g, '').slice(0, 32) || 'INSTRUMENT';
}

/** 24x7 for intraday bars and for daily ones on weekends, else nyse. */
function fittingCalendar(bars: Bars): Calendar {
  const weekends = bars.openTime.filter((t) => [0, 6].includes(new Date(t).getUTCDay())).length;
  const always = bars.timeframe !== '1d' || weekends > barCount(bars) / 20;
  return calendarFor(always ? '24x7' : 'nyse');
}

/** First and last bars as rows for a screen. */
export function previewRows(
  bars: Bars,
  count: number,
): readonly Readonly<Record<string, string | number>>[] {
  return Array.from({ length: Math.min(count, barCount(bars)) }, (_, i) => ({
    openTime: isoTime(bars.openTime[i]!),
    open: bars.open[i]!,
    high: bars.high[i]!,
    low: bars.low[i]!,
    close: bars.close[i]!,
    volume: bars.volume[i]!,
  }));
}
