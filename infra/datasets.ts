import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import type { NamedDataset } from '../activities/deps.ts';
import { calendars } from '../core/calendar/index.ts';
import { sources } from '../core/sources/index.ts';
import { seriesSources } from '../core/sources/series.ts';
import { INSTRUMENT_PATTERN, NAME_PATTERN } from '../core/spec/spec.ts';
import { findConfigFile, invalidFile, readSection } from './config-file.ts';
import type { Config } from './config.ts';
import { projectRoot } from './project.ts';

const oneOf = (what: string, names: Iterable<string>): z.ZodType<string> => {
  const known = [...names];
  return z
    .string()
    .refine((name) => known.includes(name), `no such ${what}; there are: ${known.join(', ')}`);
};

const datasetSchema = z.strictObject({
  source: oneOf('source', [...sources.keys(), ...seriesSources.keys()]).describe(
    'Source plug-in that reads it.',
  ),
  params: z.record(z.string(), z.unknown()).default({}).describe("The plug-in's own settings."),
  calendar: oneOf('calendar', calendars.keys()).describe('When its instruments trade.'),
  root: z.string().min(1).optional().describe('Folder of its files, relative to this file.'),
  hosts: z.array(z.string().min(1)).default([]).describe('Hosts its source may reach.'),
  connectionFile: z
    .string()
    .min(1)
    .optional()
    .describe('File that holds the URL of its database (a secret), relative to this file.'),
  secretFile: z
    .string()
    .min(1)
    .optional()
    .describe("File that holds the vendor's key (a secret), relative to this file."),
  instruments: z.array(z.string().regex(INSTRUMENT_PATTERN)).optional(),
  notice: z.string().optional().describe('Licence or terms of the data.'),
});

const datasetsSchema = z
  .record(
    z.string().regex(NAME_PATTERN, 'lower case letters, digits, ".", "_", "-"'),
    datasetSchema,
  )
  .default({});

const NCSA = 'github.com/bashtage/arch, University of Illinois/NCSA licence';
const APACHE = 'github.com/QuantConnect/Lean, Apache-2.0';

interface BundledDataset extends Omit<NamedDataset, 'name' | 'root' | 'hosts' | 'absent'> {
  /** Folder below examples/data (or RATCHET_DATA); absent: no files. */
  readonly folder?: string;
  /** Its files are the operator's alone: below RATCHET_DATA. */
  readonly operatorsOnly?: boolean;
  readonly hosts?: readonly string[];
}

const indexFiles = { '^GSPC': 'sp500.csv.gz', '^IXIC': 'nasdaq.csv.gz' };
const indexDataset = (...instruments: (keyof typeof indexFiles)[]): BundledDataset => ({
  source: 'csv',
  folder: 'index-arch',
  calendar: 'nyse',
  instruments,
  params: {
    profile: 'yahoo-us-dates',
    files: Object.fromEntries(instruments.map((id) => [id, indexFiles[id]])),
  },
  notice: NCSA,
});

const simulatedDataset = (calendar: string, params: object): BundledDataset => ({
  source: 'simulated',
  calendar,
  params: { calendar, ...params },
  notice:
    'simulated: no market behind it; instruments are called SIM-A, SIM-B or any other SIM-...',
});

/** Share of the next bar's variance that the last five returns tell in the datasets of `demo drift`. */
const LEARNABLE = 0.12;

/** Hourly bars of 23 months; what changes, changes on the same day in each of them. */
const driftDataset = (change?: object): BundledDataset =>
  simulatedDataset('24x7', {
    start: '2022-07-01',
    end: '2024-06-01',
    volatility: 0.6,
    momentum: LEARNABLE,
    ...(change && { change: { at: '2024-02-01', ...change } }),
  });

/** What every installation has: the bars of examples/data, simulated ones, and vendors that need no key. */
const BUNDLED: Readonly<Record<string, BundledDataset>> = {
  'sp500-daily': indexDataset('^GSPC'),
  'nasdaq-daily': indexDataset('^IXIC'),
  'index-daily': indexDataset('^GSPC', '^IXIC'),
  'us-stocks-lean': {
    source: 'csv',
    folder: 'stocks-lean',
    calendar: 'nyse',
    instruments: ['AAPL', 'BAC', 'GOOG', 'QQQ', 'SPY'],
    params: { profile: 'lean-daily', file: '{lower}.zip' },
    notice: APACHE,
  },
  simulated: simulatedDataset('nyse', {}),
  'simulated-hourly': simulatedDataset('24x7', { start: '2024-01-01', volatility: 0.6 }),
  'simulated-momentum': simulatedDataset('nyse', { momentum: 0.1 }),
  'simulated-steady': driftDataset(),
  'simulated-change': driftDataset({ momentum: -LEARNABLE }),
  'simulated-noise': driftDataset({ noise: 10, volatility: 3 }),
  'upbit-hourly': {
    source: 'upbit',
    calendar: '24x7',
    params: {},
    hosts: ['api.upbit.com'],
    notice: "Upbit quotation API: the exchange's terms apply",
  },
  'upbit-hourly-folder': {
    source: 'csv',
    folder: 'crypto-upbit',
    operatorsOnly: true,
    calendar: '24x7',
    params: { profile: 'ohlcv-timestamp', file: '{id}.1h.csv.gz' },
    notice: "files below RATCHET_DATA: the operator's own",
  },
  'upbit-hourly-simulated': {
    ...simulatedDataset('24x7', { start: '2022-01-01', volatility: 0.7, standIn: true }),
    notice: 'simulated: no market behind it; a substitute for upbit-hourly, under the same names',
  },
  'yahoo-daily': {
    source: 'yahoo',
    calendar: 'nyse',
    params: {},
    hosts: ['query1.finance.yahoo.com'],
    notice: "Yahoo Finance: the vendor's terms apply",
  },
};

/**
 * Datasets that specs may name: the bundled ones and those of ratchet.config.yaml (in the working
 * directory, else beside the project), which may replace a bundled one. Errors: `config.file`, with the path
 * of every wrong setting.
 */
export async function loadDatasets(
  config: Pick<Config, 'dataDir'>,
  file: string | undefined = findConfigFile(),
): Promise<ReadonlyMap<string, NamedDataset>> {
  const datasets = new Map(
    Object.entries(BUNDLED).map(([name, d]) => [name, bundled(name, d, config.dataDir)]),
  );
  if (file !== undefined) {
    for (const [name, dataset] of Object.entries(readSection(file, 'datasets', datasetsSchema))) {
      datasets.set(name, operatorDataset(file, name, dataset));
    }
  }
  return datasets;
}

function bundled(name: string, dataset: BundledDataset, dataDir: string | undefined): NamedDataset {
  const { folder, operatorsOnly, hosts = [], ...rest } = dataset;
  if (folder === undefined) return { ...rest, name, hosts };
  if (operatorsOnly) {
    const root = dataDir && [join(dataDir, folder), dataDir].find(existsSync);
    const absent = dataDir === undefined ? 'RATCHET_DATA is not set' : `there is no ${dataDir}`;
    return { ...rest, name, hosts, ...(root === undefined ? { absent } : { root }) };
  }
  const roots = [
    join(projectRoot, 'examples', 'data', folder),
    ...(dataDir === undefined ? [] : [join(dataDir, folder), dataDir]),
  ];
  return { ...rest, name, hosts, root: roots.find(existsSync) ?? roots[0]! };
}

function operatorDataset(
  file: string,
  name: string,
  {
    root,
    instruments,
    notice,
    connectionFile,
    secretFile,
    ...dataset
  }: z.output<typeof datasetSchema>,
): NamedDataset {
  const source = sources.get(dataset.source) ?? seriesSources.get(dataset.source)!;
  const params = source.params.safeParse(dataset.params);
  if (!params.success) throw invalidFile(file, params.error.issues, ['datasets', name, 'params']);
  return {
    ...dataset,
    name,
    ...(root !== undefined && { root: resolve(dirname(file), root) }),
    ...(connectionFile !== undefined && {
      connection: () => readFileSync(resolve(dirname(file), connectionFile), 'utf8').trim(),
    }),
    ...(secretFile !== undefined && {
      secret: () => readFileSync(resolve(dirname(file), secretFile), 'utf8').trim(),
    }),
    ...(instruments !== undefined && { instruments }),
    ...(notice !== undefined && { notice }),
  };
}
