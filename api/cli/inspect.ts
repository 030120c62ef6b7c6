import { basename, dirname, relative, resolve } from 'node:path';
import { readFile, stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { barCount } from '../../core/bars/bars.ts';
import { isoTime } from '../../core/calendar/day.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { assessQuality, type QualityReport } from '../../core/quality/index.ts';
import { inspectBytes, previewRows, type Inspection } from '../../core/sources/inspect.ts';
import { MAX_FILE_BYTES } from '../../core/sources/unpack.ts';
import { CliError, EXIT, type CliContext } from './output.ts';

const PREVIEW_ROWS = 5;

/** `ratchet inspect FILE`: what a file of bars looks like, as a profile, and what is wrong with it. */
export function register(program: Command, ctx: CliContext): void {
  program
    .command('inspect')
    .argument('<file>', 'bars as CSV (plain, gzip, zip) or Parquet')
    .option('--against <file>', 'another market on the same timeframe, to find a shifted time zone')
    .description('say what a file of bars looks like, as a dataset for ratchet.config.yaml')
    .action(async (file: string, options: { against?: string }) => {
      const inspection = await inspectBytes(await readBounded(file), basename(file));
      const reference =
        options.against === undefined
          ? undefined
          : await inspectBytes(await readBounded(options.against), basename(options.against));
      const report = assessQuality(inspection.bars, calendarFor(inspection.calendar), {
        references: reference ? [reference.bars] : [],
      });
      show(ctx, inspection, report, file);
    });
}

async function readBounded(file: string): Promise<Uint8Array> {
  const found = await stat(file).catch(() => undefined);
  if (!found) throw new CliError(EXIT.notFound, `there is no file ${file}`);
  if (!found.isFile()) throw new CliError(EXIT.usage, `${file} is not a file`);
  if (found.size > MAX_FILE_BYTES) {
    throw new CliError(EXIT.usage, `${file} is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB`);
  }
  return readFile(file);
}

/** The file's folder as a configuration in this directory would name it. */
function rootOf(file: string): string {
  const folder = relative(process.cwd(), dirname(resolve(file)));
  if (folder === '') return '.';
  return folder.startsWith('..') ? dirname(resolve(file)) : `./${folder}`;
}

/** The dataset as it would stand in ratchet.config.yaml. */
function datasetOf(inspection: Inspection, file: string): object {
  const { instrument, fileName, source, calendar, profile } = inspection;
  const name = instrument.toLowerCase().replace(/[^a-z0-9._-]/g, '') || 'bars';
  return {
    datasets: {
      [name]: {
        source,
        calendar,
        root: rootOf(file),
        instruments: [instrument],
        params: { files: { [instrument]: fileName }, profile },
      },
    },
  };
}

function show(ctx: CliContext, inspection: Inspection, report: QualityReport, file: string): void {
  const { bars, timeframe, reasons, notes } = inspection;
  const n = barCount(bars);
  const rows = previewRows(bars, PREVIEW_ROWS);
  const range =
    n === 0 ? null : { from: isoTime(bars.openTime[0]!), to: isoTime(bars.openTime[n - 1]!) };
  const dataset = datasetOf(inspection, file);
  const { out } = ctx;
  out.data({ ...dataset, timeframe, bars: n, range, reasons, notes, rows, quality: report });
  out.line(`# ${n} bars of ${timeframe}${range ? `, ${range.from} to ${range.to}` : ''}`);
  for (const reason of [...reasons, ...notes]) out.line(`# ${reason}`);
  out.line(stringify(dataset).trimEnd());
  if (ctx.json) return;
  out.line();
  const columns = ['openTime', 'open', 'high', 'low', 'close', 'volume'] as const;
  out.table(
    rows,
    columns.map((title) => ({ title, value: (row) => row[title], align: 'right' as const })),
    'no rows',
  );
  out.line();
  out.line(`quality: score ${report.score.toFixed(3)}, ${report.passed ? 'passes' : 'FAILS'}`);
  for (const { severity, rule, message } of report.findings) {
    out.line(`  ${severity === 'block' ? 'block' : 'warn '} ${rule}: ${message}`);
  }
}
