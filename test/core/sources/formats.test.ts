import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { test } from 'node:test';
import { barCount, type Bars, type Timeframe } from '../../../core/bars/index.ts';
import { inspectBytes, inspectFile } from '../../../core/sources/inspect.ts';
import { profileSchema, type ProfileInput } from '../../../core/sources/profile.ts';
import { readBars, type ReadResult } from '../../../core/sources/read-bars.ts';
import { unpack } from '../../../core/sources/unpack.ts';
import { dataFile, leanBars, readFile, skipWithoutLab } from '../../support/lab-data.ts';

const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const iso = (ms: number | undefined): string => new Date(ms!).toISOString();
const byName = { open: 'open', high: 'high', low: 'low', close: 'close', volume: 'volume' };

function read(
  content: string | Uint8Array,
  profile: ProfileInput,
  timeframe: Timeframe = '1d',
): ReadResult {
  const bytes = typeof content === 'string' ? text(content) : content;
  return readBars(bytes, 'bars.csv', profileSchema.parse(profile), { instrument: 'X', timeframe });
}
const first = (bars: Bars): unknown[] => [
  iso(bars.openTime[0]),
  bars.open[0],
  bars.high[0],
  bars.low[0],
  bars.close[0],
  bars.volume[0],
];

// Every format of the lab data: profile, rows, first bar as read by hand from the file.
const FORMATS = [
  [
    'index-arch/sp500.csv.gz',
    'yahoo-us-dates',
    '1d',
    5031,
    ['1999-01-04T00:00:00.000Z', 1229.22998, 1248.810059, 1219.099976, 1228.099976, 877000000],
  ],
  [
    'index/GSPC.1d.csv.gz',
    'ohlcv-date',
    '1d',
    24115,
    [
      '1927-12-30T00:00:00.000Z',
      17.65999984741211,
      17.65999984741211,
      17.65999984741211,
      17.65999984741211,
      0,
    ],
  ],
  [
    'crypto-upbit/KRW-ETH.1h.csv.gz',
    'ohlcv-timestamp',
    '1h',
    30595,
    ['2022-01-01T00:00:00.000Z', 4505000, 4555000, 4504000, 4551000, 1916.67450544],
  ],
  [
    'crypto-upbit-kst/KRW-ETH.minute60.2024.csv.gz',
    'upbit-kst',
    '1h',
    8579,
    ['2023-12-31T15:00:00.000Z', 3077000, 3090000, 3075000, 3085000, 413.64361835],
  ],
  [
    'crypto-binance/ETHUSDT.1h.csv.gz',
    'ohlcv-epoch-ms',
    '1h',
    49025,
    ['2019-11-27T07:00:00.000Z', 146, 146, 146, 146, 0.01],
  ],
  [
    'stocks-lean/aapl.zip',
    'lean-daily',
    '1d',
    5849,
    ['1998-01-02T00:00:00.000Z', 13.63, 16.25, 13.5, 16.25, 6315000],
  ],
  [
    'parsers/stooq/AAPL.csv.gz',
    'ohlcv-date',
    '1d',
    8816,
    ['1990-01-02T00:00:00.000Z', 0.265148, 0.282288, 0.263326, 0.280139, 217414978],
  ],
  [
    'parsers/yahoo-history-tz/AAPL.csv.gz',
    'yahoo-history',
    '1d',
    755,
    [
      '2020-07-27T00:00:00.000Z',
      92.00463723317203,
      93.1778899755709,
      91.77882703485652,
      93.0846176147461,
      121214000,
    ],
  ],
  [
    'parsers/yahoo-multiheader/AAPL.csv.gz',
    'yahoo-multiheader',
    '1d',
    247,
    [
      '2023-01-03T00:00:00.000Z',
      128.34378830008248,
      128.95456910153305,
      122.32459400935494,
      123.21121978759766,
      112117500,
    ],
  ],
] as const;

for (const [name, profile, timeframe, rows, bar] of FORMATS) {
  const own = name.startsWith('index-arch') || name.startsWith('stocks-lean');
  test(`${name} is read through ${profile}`, { skip: own ? false : skipWithoutLab }, () => {
    const { bars, notes } = readFile(name, profile, timeframe);
    assert.equal(barCount(bars), rows);
    assert.deepEqual(first(bars), bar);
    assert.deepEqual(notes, []);
    assert.equal(bars.valueDerived, profile !== 'upbit-kst');
  });

  test(`${name}: inspect proposes that profile`, { skip: own ? false : skipWithoutLab }, () => {
    const found = inspectFile(dataFile(name), name);
    // Nothing in the KST file says that it is KST: its shape is found, its zone is asked for.
    const expected = profile === 'upbit-kst' ? undefined : profile;
    assert.equal(typeof found.profile === 'string' ? found.profile : undefined, expected);
    assert.equal(found.timeframe, timeframe);
    assert.equal(found.calendar, timeframe === '1h' ? '24x7' : 'nyse');
    assert.equal(barCount(found.bars), rows);
    assert.ok(found.reasons.length >= 3);
    if (profile === 'upbit-kst') assert.match(found.reasons.join(), /taken as UTC: compare/);
  });
}

test('a header-only file has no bars and is no error', { skip: skipWithoutLab }, () => {
  const { bars } = readFile('crypto-upbit/KRW-AVAX.1h.csv.gz', 'ohlcv-timestamp', '1h');
  assert.equal(barCount(bars), 0);
  assert.equal(barCount(inspectFile(dataFile('crypto-upbit/KRW-AVAX.1h.csv.gz'), 'x').bars), 0);
});

test(
  'Lean factors bring AAPL to the scale of the adjusted history',
  { skip: skipWithoutLab },
  () => {
    const lean = leanBars('aapl', 'adjusted');
    const yahoo = readFile('stocks/AAPL.1d.csv.gz', 'ohlcv-date', '1d').bars;
    const at = new Map(Array.from(yahoo.openTime, (t, i) => [t, i]));
    // Across each split the two vendors give one return; a factor off by one day would show as a jump.
    for (const date of ['2000-06-21', '2005-02-28', '2014-06-09', '2020-08-31']) {
      const i = lean.openTime.indexOf(Date.parse(date));
      const j = at.get(lean.openTime[i]!)!;
      const a = Math.log(lean.close[i]! / lean.close[i - 1]!);
      const b = Math.log(yahoo.close[j]! / yahoo.close[j - 1]!);
      assert.ok(Math.abs(a - b) < 0.02, `${date}: ${a} against ${b}`);
    }
    const last = barCount(lean) - 1;
    assert.equal(lean.close[last], 122.15, 'the newest price is as traded');
  },
);

test('m/d and d/m are told apart by a day above 12, else by order', () => {
  const head = 'Date,Open,High,Low,Close,Volume\n';
  const formatOf = (...dates: string[]): unknown => {
    const rows = dates.map((date) => `${date},1,2,1,2,5\n`).join('');
    const { profile } = inspectFile(text(head + rows), 'x.csv');
    if (profile === 'yahoo-us-dates') return 'm/d/yyyy';
    return typeof profile === 'object' && profile.time?.format;
  };
  assert.equal(formatOf('1/30/2020', '1/31/2020', '2/3/2020'), 'm/d/yyyy');
  assert.equal(formatOf('30/1/2020', '31/1/2020', '3/2/2020'), 'd/m/yyyy');
  assert.equal(formatOf('6/1/2020', '7/1/2020', '8/1/2020', '9/1/2020'), 'd/m/yyyy');
  assert.equal(formatOf('1/6/2020', '1/7/2020', '1/8/2020', '1/9/2020'), 'm/d/yyyy');
  assert.equal(
    formatOf('9/1/2020', '8/1/2020', '7/1/2020', '6/1/2020'),
    'd/m/yyyy',
    'newest first',
  );
});

test('delimiters, decimal comma, seconds, preamble, unknown order of columns', () => {
  const euro =
    'Datum;x\n\nDate;Close;Open;High;Low;Volume\n2020-01-02;1,5;1,4;1,6;1,3;100\n2020-01-03;1,6;1,5;1,7;1,4;90\n';
  const found = inspectFile(text(euro), 'euro.csv');
  assert.deepEqual(first(found.bars), ['2020-01-02T00:00:00.000Z', 1.4, 1.6, 1.3, 1.5, 100]);
  const seconds =
    'timestamp\topen\thigh\tlow\tclose\n1577836800\t1\t2\t1\t2\n1577840400\t2\t3\t2\t3\n';
  const hourly = inspectFile(text(seconds), 's.tsv');
  assert.deepEqual(
    [hourly.timeframe, iso(hourly.bars.openTime[1])],
    ['1h', '2020-01-01T01:00:00.000Z'],
  );
  assert.equal(hourly.bars.volume[0], 0);
});

test('exchange dumps without a header, in microseconds', () => {
  const rows = [0, 1, 2].map(
    (h) => `${1735689600000000 + h * 3.6e9},1.5,2,1,1.75,10,0,17.5,4,1,1,0`,
  );
  const { bars, profile, timeframe } = inspectFile(text(rows.join('\n')), 'BTCUSDT-1h-2025-01.csv');
  assert.deepEqual([timeframe, iso(bars.openTime[1])], ['1h', '2025-01-01T01:00:00.000Z']);
  assert.deepEqual(typeof profile === 'object' && profile.time, { format: 'us' });
});

test('BOM, CRLF, UTF-16, quotes, gzip without a name', () => {
  const plain = 'Date,Open,High,Low,Close,Volume\r\n"2020-01-02","1","2","1","2","5"\r\n';
  const expected = first(inspectFile(text(plain), 'p.csv').bars);
  const utf16 = new Uint8Array(
    Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(plain, 'utf16le')]),
  );
  for (const bytes of [text(`\ufeff${plain}`), utf16, gzipSync(plain)]) {
    assert.deepEqual(first(inspectFile(bytes, 'p.csv').bars), expected);
  }
});

test('zones: offsets, named zones, stamps at the close, session dates', () => {
  const hour = (stamp: string, time: object): string => {
    const profile = { columns: { time: 1, ...byName }, time };
    return iso(
      read(`t,open,high,low,close,volume\n${stamp},1,2,1,2,5\n`, profile, '1h').bars.openTime[0],
    );
  };
  assert.equal(hour('2024-01-01 09:00', { zone: '+09:00' }), '2024-01-01T00:00:00.000Z');
  assert.equal(hour('2024-07-01 09:00', { zone: 'America/New_York' }), '2024-07-01T13:00:00.000Z');
  assert.equal(hour('2024-01-02 09:00', { zone: 'America/New_York' }), '2024-01-02T14:00:00.000Z');
  assert.equal(hour('2024-01-01T09:00:00+05:30', { zone: '+09:00' }), '2024-01-01T03:30:00.000Z');
  assert.equal(hour('2024-01-01 10:00', { stamp: 'close' }), '2024-01-01T09:00:00.000Z');
  const day = (stamp: string, time: object): string => {
    const profile = { columns: { time: 1, ...byName }, time };
    return iso(
      read(`t,open,high,low,close,volume\n${stamp},1,2,1,2,5\n`, profile).bars.openTime[0],
    ).slice(0, 10);
  };
  assert.equal(day('2020-07-27 00:00:00-04:00', {}), '2020-07-27');
  assert.equal(day('1595856600', { format: 's', zone: 'America/New_York' }), '2020-07-27');
  assert.equal(day('1595894400000', { format: 'ms', zone: 'America/New_York' }), '2020-07-27');
});

test('blank rows are left out or refused, as the profile says', () => {
  const csv =
    'date,open,high,low,close,volume\n2020-01-02,1,2,1,2,\n2020-01-03,null,null,null,null,null\n2020-01-06,1,2,1,2,3\n';
  const columns = { time: 'date', ...byName };
  const skipped = read(csv, { columns });
  assert.deepEqual([...skipped.bars.volume], [0, 3]);
  assert.deepEqual(skipped.notes, ['bars.csv: 1 rows without prices left out']);
  assert.throws(() => read(csv, { columns, blank: 'refuse' }), /line 3: a price is blank/);
});

test('rows in reverse order are sorted; equal repeats count once; different ones are refused', () => {
  const head = 'date,open,high,low,close,volume\n';
  const columns = { time: 'date', ...byName };
  const reverse = read(`${head}2020-01-03,1,2,1,2,5\n2020-01-02,3,4,3,4,5\n`, { columns });
  assert.deepEqual([...reverse.bars.open], [3, 1]);
  const twice = `${head}2020-01-02,1,2,1,2,5\n2020-01-02,1,2,1,2,5\n`;
  assert.deepEqual(read(twice, { columns }).notes, ['bars.csv: 1 repeated equal rows left out']);
  assert.throws(
    () => read(`${twice}2020-01-02,1,2,1,2,6\n`, { columns }),
    /lines 2 and 4: two different 1d bars open at 2020-01-02; is the timeframe right\?/,
  );
});

test('dividend and split columns become factors only where the prices lack them', () => {
  const csv =
    'date,open,high,low,close,volume,dividends,stock splits\n' +
    '2020-01-02,100,100,100,100,5,0,0\n2020-01-03,50,50,50,50,9,0,2\n2020-01-06,49,49,49,49,9,1,0\n';
  const columns = { time: 'date', ...byName, dividend: 'dividends', split: 'stock splits' };
  const raw = read(csv, { columns, adjusted: 'none' }).factors;
  assert.deepEqual(
    raw.map((f) => [iso(f.effectiveFrom).slice(0, 10), f.priceFactor, f.splitFactor]),
    [
      ['2020-01-03', 0.49, 0.5],
      ['2020-01-06', 0.98, 1],
    ],
  );
  assert.deepEqual(
    read(csv, { columns, adjusted: 'splits' }).factors.map((f) => f.splitFactor),
    [1, 1],
  );
  assert.deepEqual(read(csv, { columns, adjusted: 'all' }).factors, []);
});

const HOSTILE: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
  [
    'a number that is none',
    'date,open,high,low,close\n2020-01-02,1,2,1,abc\n',
    /line 2: close is not a number: "abc"/,
  ],
  [
    'hexadecimal',
    'date,open,high,low,close\n2020-01-02,0x10,2,1,2\n',
    /line 2: open is not a number/,
  ],
  [
    'a day that does not exist',
    'date,open,high,low,close\n2020-02-30,1,2,1,2\n',
    /is no time that is known/,
  ],
  [
    'a time that breaks off late',
    `date,open,high,low,close\n${'2020-01-02,1,2,1,2\n'.repeat(500)}soon,1,2,1,2\n${'2020-01-02,1,2,1,2\n'.repeat(500)}`,
    /line 502: "soon" is not a time/,
  ],
  [
    'an open quote',
    'date,open,high,low,close\n"2020-01-02,1,2,1,2\n',
    /quotation mark is never closed/,
  ],
  ['NUL', 'date,open,high,low,close\n2020-01-02,1,2,1,\0\n', /NUL character/],
  ['bytes that are no text', Uint8Array.of(0xc3, 0x28, 0x41), /neither UTF-8 nor UTF-16/],
  ['no header, no prices', 'hello\nworld\n', /no header that names open, high, low and close/],
  ['nothing', '', /no header/],
  ['a column too few', 'date,open,high,low\n2020-01-02,1,2,1\n', /no header that names/],
  [
    '300 columns',
    `date,open,high,low,close,${'x,'.repeat(300)}\n2020-01-02,1,2,1,2\n`,
    /columns; 256 at most/,
  ],
  [
    'a row of a million characters',
    `date,open,high,low,close\n2020-01-02,1,2,1,${'2'.repeat(1e6)}\n`,
    /longer than 65536/,
  ],
  ['a gzip cut short', gzipSync('x'.repeat(1e5)).subarray(0, 60), /not a readable gzip/],
  ['a gzip bomb', gzipSync(Buffer.alloc(300 * 1024 * 1024)), /larger than 256 MiB/],
  ['a zip cut short', Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0), /not a readable zip/],
  ['a wrong year', 'date,open,high,low,close\n9999-01-02,1,2,1,2\n', /is no time that is known/],
];

for (const [what, content, message] of HOSTILE) {
  test(`hostile file: ${what}`, () => {
    const bytes = typeof content === 'string' ? text(content) : content;
    assert.throws(() => inspectFile(bytes, 'bad.csv'), { message, permanent: true });
  });
}

test('hostile file: something that only begins like Parquet', async () => {
  await assert.rejects(
    inspectBytes(text('PAR1 and no more'), 'x.parquet'),
    /not a readable Parquet/,
  );
});

test('a damaged zip directory is refused, wherever a byte is changed', () => {
  const zip = dataFile('stocks-lean/goog.zip');
  const content = unpack(zip, 'goog.zip');
  for (let at = zip.length - 96; at < zip.length; at++) {
    const damaged = Uint8Array.from(zip);
    damaged[at]! ^= 0xff;
    try {
      // What is not looked at (dates, attributes) may change nothing; it must not change the content.
      assert.deepEqual(unpack(damaged, 'goog.zip'), content);
    } catch (error) {
      assert.match(String(error), /SourceError/, `byte ${at - zip.length}`);
    }
  }
});

test('a column that is not there is named, with those that are', () => {
  const columns = { time: 'day', ...byName };
  assert.throws(
    () => read('date,open,high,low,close,volume\n2020-01-02,1,2,1,2,5\n', { columns }),
    /no column "day" for time; it has: date, open, high, low, close, volume/,
  );
  assert.throws(
    () =>
      read('2020-01-02,1,2\n', {
        header: false,
        columns: { time: 1, open: 2, high: 3, low: 4, close: 5 },
      }),
    /no column 4 for low; it has: 3/,
  );
});

test('random bytes never crash the reader in another way (seeded)', () => {
  let state = 12345;
  const next = (): number => (state = (state * 1103515245 + 12345) % 2 ** 31);
  const alphabet = 'date,open,high,low,close\n2020-01-02;"\'\t|.-:Z+9e/ \r';
  for (let n = 0; n < 300; n++) {
    let content = n % 2 ? 'date,open,high,low,close,volume\n' : '';
    for (let i = 0; i < 80; i++) content += alphabet[next() % alphabet.length];
    try {
      inspectFile(text(content), 'fuzz.csv');
    } catch (error) {
      assert.equal(
        (error as Error).name,
        'SourceError',
        `${JSON.stringify(content)}: ${String(error)}`,
      );
    }
  }
});
