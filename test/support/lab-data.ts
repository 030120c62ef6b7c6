import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { adjustBars, type Bars, type Timeframe } from '../../core/bars/index.ts';
import { readFactors } from '../../core/sources/factors.ts';
import { profiles } from '../../core/sources/profiles.ts';
import { readBars, type ReadResult } from '../../core/sources/read-bars.ts';

const project = join(import.meta.dirname, '..', '..');
const bundled = join(project, 'examples', 'data');
/** Where the bars lie that may not be distributed; see `skipWithoutLab`. */
export const labFolder = join(project, '..', 'shared', 'data');

/** Why a test that reads bars which may not be distributed is skipped; false: they are here. */
export const skipWithoutLab: string | false = existsSync(labFolder)
  ? false
  : 'needs the bars of ../shared/data, which may not be distributed';

/** Content of a file of bars: bundled ones from examples/data, others from ../shared/data. */
export function dataFile(name: string): Uint8Array {
  const own = join(bundled, name);
  return readFileSync(existsSync(own) ? own : join(labFolder, name));
}

export function readFile(name: string, profile: string, timeframe: Timeframe): ReadResult {
  return readBars(dataFile(name), name, profiles.get(profile)!.profile, {
    instrument: name,
    timeframe,
  });
}

export const indexBars = (name: 'sp500' | 'nasdaq'): Bars =>
  readFile(`index-arch/${name}.csv.gz`, 'yahoo-us-dates', '1d').bars;
export const dailyBars = (name: string): Bars =>
  readFile(`${name}.1d.csv.gz`, 'ohlcv-date', '1d').bars;
export const upbitBars = (market: string): Bars =>
  readFile(`crypto-upbit/KRW-${market}.1h.csv.gz`, 'ohlcv-timestamp', '1h').bars;
export const binanceBars = (market: string): Bars =>
  readFile(`crypto-binance/${market}USDT.1h.csv.gz`, 'ohlcv-epoch-ms', '1h').bars;

/** A stock of the Lean bundle, raw or with its factors applied. */
export function leanBars(symbol: string, factors: 'raw' | 'adjusted'): Bars {
  const { bars } = readFile(`stocks-lean/${symbol}.zip`, 'lean-daily', '1d');
  if (factors === 'raw') return bars;
  const name = `stocks-lean/${symbol}.factors.csv`;
  const profile = profiles.get('lean-daily')!.profile;
  return adjustBars(bars, readFactors(dataFile(name), name, profile.factors!));
}
