import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { barCount, sliceBars, type Bars } from '../../core/bars/bars.ts';
import { mapColumns, takeBars } from '../../core/bars/build.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { appendBars, appendFactors } from '../../registry/bars.ts';
import { startCollection } from '../../registry/collections.ts';
import { barsThroughTime, type KnownPart } from '../../registry/knowledge.ts';
import { readServedBars, type ServedSource } from '../../registry/served-bars.ts';
import { seeded, walkBars } from '../support/made-bars.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';

const calendar = calendarFor('nyse');
const COUNT = 60;
const published = (openTime: number): number => calendar.closeTime(openTime, '1d') + 1_800_000;

let database: TestDatabase;
before(async () => {
  database = await openTestDatabase();
});
after(() => database.close());

async function deliver(source: string, bars: Bars, arrivedAt: number): Promise<void> {
  const { instrument } = bars;
  const key = { dataset: source, source, instrument, timeframe: '1d' as const };
  const collectionId = await startCollection(database.db, key, 'primary', arrivedAt);
  const arrival = { collectionId, arrivedAt, calendar, declaredDelayMs: 0 };
  await appendBars(database.db, source, bars, arrival);
}

const sourceOf = (source: string, role: ServedSource['role']): ServedSource => ({
  ...{ dataset: source, role, source },
  calendar: 'nyse',
});

/** The parts of all instants, each compared with what a read as of that instant gives. */
async function checkedParts(
  instrument: string,
  sources: readonly ServedSource[],
  asOf: Float64Array,
): Promise<readonly KnownPart[]> {
  const parts: KnownPart[] = [];
  for await (const part of barsThroughTime(database.db, instrument, '1d', sources, asOf)) {
    parts.push(part);
  }
  assert.deepEqual(
    parts.flatMap((part) => [...part.asOf]),
    [...asOf],
  );
  for (const part of parts) {
    for (const at of part.asOf) {
      const range = { last: Number.MAX_SAFE_INTEGER, before: at };
      const { bars } = await readServedBars(database.db, instrument, '1d', sources, range);
      const known = part.knownAt.filter((time) => time <= at).length;
      assert.equal(known, barCount(bars), `bars known at ${new Date(at).toISOString()}`);
      assert.ok(
        part.knownAt.subarray(0, known).every((time) => time <= at),
        'the known ones first',
      );
      const seen = sliceBars(part.bars, 0, known);
      assert.deepEqual(seen, bars, `as of ${new Date(at).toISOString()}`);
    }
  }
  return parts;
}

const instantsOf = (bars: Bars): Float64Array => bars.openTime.map(published);

test('a history that was delivered at once is one part, whoever else delivered it too', async () => {
  const bars = walkBars(COUNT, { instrument: 'ONCE' });
  const late = published(bars.openTime[COUNT - 1]!) + 86_400_000 * 30;
  await deliver('a', bars, late);
  await deliver('b', bars, late + 5_000);
  const sources = [sourceOf('a', 'primary'), sourceOf('b', 'fallback')];
  const parts = await checkedParts('ONCE', sources, instantsOf(bars));
  assert.equal(parts.length, 1);
});

test('bars that come live, each with a delay of its own, are one part', async () => {
  const bars = walkBars(COUNT, { instrument: 'LIVE' });
  const random = seeded(6);
  for (let row = 0; row < COUNT; row++) {
    const delay = Math.floor(random() * 4) * 1_800_000;
    await deliver('live', takeBars(bars, [row]), published(bars.openTime[row]!) + delay);
  }
  const parts = await checkedParts('LIVE', [sourceOf('live', 'primary')], instantsOf(bars));
  assert.equal(parts.length, 1);
  const [{ knownAt, asOf }] = parts as [KnownPart];
  assert.ok(
    asOf.some((at, i) => knownAt[i]! > at),
    'some were not there yet',
  );
});

test('no more is read than a look back from the first instant needs', async () => {
  const all = walkBars(COUNT, { instrument: 'REACH' });
  const asOf = instantsOf(all);
  for (const row of all.openTime.keys()) {
    // Every seventh is revised two sessions later.
    const rows = row % 7 === 2 ? [row - 2, row] : [row];
    const sent = mapColumns(takeBars(all, rows), (c) =>
      c.map((x, i) => (i < rows.length - 1 ? x * 1.01 : x)),
    );
    await deliver('reach', sent, asOf[row]!);
  }
  const sources = [sourceOf('reach', 'primary')];
  const asked = asOf.subarray(30);
  const reachAt = (at: number) => ({ since: at - 20 * 86_400_000, bars: 10 });
  let parts = 0;
  for await (const part of barsThroughTime(database.db, 'REACH', '1d', sources, asked, reachAt)) {
    parts++;
    assert.equal(part.fromFirstBar, false);
    assert.ok(barCount(part.bars) < 40, 'not all of them');
    for (const at of part.asOf) {
      const known = part.knownAt.filter((time) => time <= at).length;
      const seen = sliceBars(part.bars, known - 10, known);
      const range = { last: 10, before: at };
      const { bars } = await readServedBars(database.db, 'REACH', '1d', sources, range);
      assert.deepEqual(seen, bars);
    }
  }
  assert.ok(parts > 3, `${parts} parts`);
  // Where fewer are there than are needed, all are read.
  const greedy = barsThroughTime(database.db, 'REACH', '1d', sources, asked, (at) => ({
    ...reachAt(at),
    bars: 1_000,
  }));
  const first = (await greedy.next()).value as KnownPart;
  assert.equal(first.fromFirstBar, true);
});

test('bars that two sources gave count once, and what is read besides is as it was known', async () => {
  const bars = walkBars(COUNT, { instrument: 'TWICE' });
  const asOf = instantsOf(bars);
  for (let row = 0; row < COUNT; row++) {
    for (const source of ['one', 'two']) {
      await deliver(source, takeBars(bars, [row]), asOf[row]!);
    }
  }
  // Older than where twenty bars were expected, and seen by a look back over twenty.
  const revised = mapColumns(takeBars(bars, [13]), (c) => c.map((x) => x * 1.02));
  await deliver('one', revised, asOf[45]!);
  const sources = [sourceOf('one', 'primary'), sourceOf('two', 'fallback')];
  const asked = asOf.subarray(30);
  const reachAt = (at: number) => ({ since: at - 20 * 86_400_000, bars: 20 });
  const begins: number[] = [];
  for await (const part of barsThroughTime(database.db, 'TWICE', '1d', sources, asked, reachAt)) {
    begins.push(part.asOf[0]!);
    for (const at of part.asOf) {
      const known = part.knownAt.filter((time) => time <= at).length;
      const { bars: seen } = await readServedBars(database.db, 'TWICE', '1d', sources, {
        ...{ last: 20, before: at },
      });
      assert.deepEqual(sliceBars(part.bars, known - 20, known), seen, new Date(at).toISOString());
    }
  }
  assert.deepEqual(begins, [asOf[30], asOf[45]]);
});

test('the first bar of a primary takes the place of a substitute', async () => {
  const bars = walkBars(COUNT, { instrument: 'SUBST' });
  const asOf = instantsOf(bars);
  const late = asOf.at(-1)! + 86_400_000 * 30;
  await deliver('stand-in', bars, late);
  for (let row = 40; row < COUNT; row++) {
    await deliver(
      'proper',
      takeBars(
        mapColumns(bars, (c) => c.map((x) => x * 2)),
        [row],
      ),
      asOf[row]!,
    );
  }
  const sources = [sourceOf('proper', 'primary'), sourceOf('stand-in', 'substitute')];
  const parts = await checkedParts('SUBST', sources, asOf);
  assert.deepEqual(
    parts.map((part) => part.asOf[0]),
    [asOf[0], asOf[40]],
  );
});

test('a revision and a split part the time, a bar that is assumed to have been there does not', async () => {
  const bars = walkBars(COUNT, { instrument: 'PARTED' });
  const asOf = instantsOf(bars);
  for (let row = 0; row < COUNT; row++) {
    // Bar 20 comes with bar 23, so late that it counts as filled in; bar 30 is revised with bar 35.
    if (row === 20) continue;
    const rows = row === 23 ? [20, 23] : row === 35 ? [30, 35] : [row];
    const taken = takeBars(bars, rows);
    const sent = row === 35 ? mapColumns(taken, (c) => c.map((x, i) => (i ? x : x * 1.01))) : taken;
    await deliver('c', sent, asOf[row]!);
  }
  const splitAt = bars.openTime[50]!;
  const factors = [
    { effectiveFrom: splitAt, priceFactor: 0.5, splitFactor: 0.5 },
    { effectiveFrom: Date.UTC(2050, 0, 1), priceFactor: 1, splitFactor: 1 },
  ];
  await appendFactors(database.db, { instrument: 'PARTED', source: 'c' }, factors, asOf[50]!);
  const parts = await checkedParts('PARTED', [sourceOf('c', 'primary')], asOf);
  assert.deepEqual(
    parts.map((part) => part.asOf[0]),
    [0, 35, 50].map((row) => asOf[row]),
  );
  // Asked for after all of it, there was nothing to see before.
  const after = await checkedParts('PARTED', [sourceOf('c', 'primary')], asOf.subarray(51));
  assert.equal(after.length, 1);
});

for (const seed of [1, 2, 3, 4]) {
  test(`deliveries in any order, of two sources, with revisions and factors (seed ${seed})`, async () => {
    const random = seeded(seed);
    const instrument = `RANDOM${seed}`;
    const bars = walkBars(COUNT, { instrument });
    const asOf = instantsOf(bars);
    const sources = [sourceOf(`p${seed}`, 'primary'), sourceOf(`f${seed}`, 'fallback')];
    for (const { source } of sources) {
      for (let row = 0; row < COUNT; row++) {
        const rows = [row, row - 1, row - 5].filter(
          (at, i) => at >= 0 && random() < [0.8, 0.2, 0.1][i]!,
        );
        if (rows.length === 0) continue;
        const taken = takeBars(
          bars,
          rows.toSorted((a, b) => a - b),
        );
        const sent = mapColumns(taken, (c) => c.map((x) => (random() < 0.05 ? x * 1.001 : x)));
        await deliver(source, sent, asOf[row]! + Math.floor(random() * 3) * 3_600_000);
      }
    }
    const splitAt = bars.openTime[20 + Math.floor(random() * 20)]!;
    const factors = [
      { effectiveFrom: splitAt, priceFactor: 0.5, splitFactor: 0.5 },
      { effectiveFrom: Date.UTC(2050, 0, 1), priceFactor: 1, splitFactor: 1 },
    ];
    for (const arrivedAt of [asOf[10]!, asOf[45]!]) {
      const set = factors.map((row) => ({
        ...row,
        priceFactor: row.priceFactor * (arrivedAt === asOf[45] ? 0.9 : 1),
      }));
      await appendFactors(database.db, { instrument, source: sources[0]!.source }, set, arrivedAt);
    }
    const every = asOf.filter((_, i) => seed % 2 === 0 || i % 3 === 0);
    const parts = await checkedParts(instrument, sources, every);
    assert.ok(parts.length > 1 && parts.length < every.length, `${parts.length} parts`);
  });
}
