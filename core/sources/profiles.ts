import { profileSchema, type Profile, type ProfileInput } from './profile.ts';

export interface NamedProfile {
  readonly name: string;
  readonly docs: string;
  readonly profile: Profile;
}

const define = (name: string, docs: string, profile: ProfileInput): NamedProfile =>
  Object.freeze({ name, docs, profile: profileSchema.parse(profile) });

const byName = { open: 'open', high: 'high', low: 'low', close: 'close', volume: 'volume' };

/** The catalogue of file formats that have a name. A file of another shape gets a profile of its own. */
export const profiles: ReadonlyMap<string, NamedProfile> = new Map(
  [
    define('ohlcv-date', 'date,open,high,low,close,volume with ISO dates (also Stooq).', {
      columns: { time: 'date', ...byName },
    }),
    define('ohlcv-timestamp', 'timestamp,open,high,low,close,volume with ISO stamps in UTC.', {
      columns: { time: 'timestamp', ...byName },
    }),
    define('ohlcv-epoch-ms', 'The same with epoch milliseconds (Binance).', {
      columns: { time: 'timestamp', ...byName },
      time: { format: 'ms' },
    }),
    define('upbit-kst', 'Upbit candles stamped in Korean time in an unnamed column, with value.', {
      columns: { time: 1, ...byName, value: 'value' },
      time: { zone: '+09:00' },
    }),
    define('yahoo-us-dates', 'Date,Open,High,Low,Close,Adj Close,Volume with dates m/d/yyyy.', {
      columns: { time: 'date', ...byName },
      time: { format: 'm/d/yyyy' },
      adjusted: 'splits',
    }),
    define(
      'yahoo-history',
      'Adjusted history with UTC offsets, Dividends and Stock Splits columns.',
      {
        columns: { time: 'date', ...byName, dividend: 'dividends', split: 'stock splits' },
        adjusted: 'all',
      },
    ),
    define('yahoo-multiheader', 'Three header lines: Price / Ticker / Date.', {
      columns: { time: 'price', ...byName },
      skipAfterHeader: 2,
      adjusted: 'all',
    }),
    define('lean-daily', 'QuantConnect Lean daily zip: no header, raw prices x 10000, factors.', {
      header: false,
      columns: { time: 1, open: 2, high: 3, low: 4, close: 5, volume: 6 },
      time: { format: 'yyyymmdd' },
      priceScale: 0.0001,
      factors: { file: '{lower}.factors.csv' },
    }),
  ].map((p) => [p.name, p]),
);
