import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newVintages, type SeriesPoint } from '../../../core/bars/index.ts';
import { fred, fredParams } from '../../../core/sources/fred.ts';
import { create } from '../../../core/sources/fred.impl.ts';
import type { ChartServer } from '../../support/chart-server.ts';
import { startFredServer, type FredVintage } from '../../support/fred-server.ts';
import { memoryContext } from '../../support/source-context.ts';

const HOUR_MS = 3_600_000;
const TODAY = '2024-07-01';
const at = (iso: string): number => Date.parse(iso);

/** Monthly, published two weeks after the month; March is revised twice, once back to what it was. */
const CPI: readonly FredVintage[] = [
  { date: '1999-11-01', published: '1999-12-14', value: '168.3' },
  { date: '2024-03-01', published: '2024-04-10', value: '312.332' },
  { date: '2024-03-01', published: '2024-05-15', value: '312.230' },
  { date: '2024-03-01', published: '2024-06-12', value: '312.332' },
  { date: '2024-04-01', published: '2024-05-15', value: '.' },
  { date: '2024-05-01', published: '2024-06-12', value: '313.225' },
];

async function fetchAll(
  server: ChartServer,
  params: object,
): Promise<{ points: readonly SeriesPoint[]; notes: readonly string[]; waits: readonly number[] }> {
  const full = fredParams.parse({ baseUrl: server.url, ...params });
  const ctx = memoryContext({}, { now: at(TODAY) });
  const request = { instrument: 'A', timeframe: '1d' as const, from: 0, to: at(TODAY) };
  const points: SeriesPoint[] = [];
  const notes: string[] = [];
  for await (const page of create(full).fetchSeries(request, ctx)) {
    points.push(...page.points['cpi']!);
    notes.push(...(page.notes ?? []));
  }
  return { points, notes, waits: ctx.waits };
}
const monthly = { series: { cpi: { id: 'CPIAUCSL', frequency: 'monthly', delayDays: 15 } } };
const appended = (points: readonly SeriesPoint[]): readonly SeriesPoint[] =>
  newVintages([], points, { arrivedAt: at(TODAY), liveMs: 24 * HOUR_MS });

test('every revision comes with the day of its publication, however it is asked for', async () => {
  await using server = await startFredServer({ series: { CPIAUCSL: CPI }, today: TODAY });
  const expected = CPI.filter(({ value }) => value !== '.').map(({ date, published, value }) => ({
    time: at(date),
    knownAt: at(published) + 30 * HOUR_MS,
    value: Number(value),
  }));
  const byTime = (a: SeriesPoint, b: SeriesPoint): number =>
    a.time - b.time || a.knownAt - b.knownAt;
  for (const change of [{}, { windowYears: 1 }, { pageRows: 2 }, { windowYears: 1, pageRows: 2 }]) {
    const { points, notes } = await fetchAll(server, { ...monthly, ...change });
    // Windows cut a vintage in two; the second half repeats the first and is no revision.
    assert.deepEqual(appended(points).toSorted(byTime), expected, JSON.stringify(change));
    assert.match(notes.join(), /CPIAUCSL: \d+ periods without a value/);
  }
  assert.ok(server.asked.some((url) => url.searchParams.get('realtime_start') === '1776-07-04'));
});

test('more vintages than the vendor gives at once are asked for in windows', async () => {
  const DAY_MS = 24 * HOUR_MS;
  const daily = Array.from({ length: 300 }, (_, i) => {
    const day = (offset: number): string =>
      new Date(at('2023-01-02') + (i + offset) * DAY_MS).toISOString().slice(0, 10);
    return { date: day(0), published: day(1), value: String(i) };
  });
  await using server = await startFredServer({
    series: { DFF: [...CPI.slice(0, 1), ...daily] },
    today: TODAY,
    mostVintages: 310,
  });
  const series = { series: { cpi: { id: 'DFF', frequency: 'daily' } } };
  const { points } = await fetchAll(server, { ...series, windowYears: 1 });
  assert.equal(appended(points).length, 301);
  await using strict = await startFredServer({
    series: { DFF: daily },
    today: TODAY,
    mostVintages: 100,
  });
  await assert.rejects(fetchAll(strict, series), {
    code: 'source.refused',
    message: /series DFF: .*maximum number of vintage dates allowed \(100\)/,
  });
});

test('without vintages a value counts as known a declared time after its period', async () => {
  await using server = await startFredServer({ series: { CPIAUCSL: CPI }, today: TODAY });
  const { points } = await fetchAll(server, { ...monthly, vintages: false });
  assert.deepEqual(points.at(-1), {
    time: at('2024-05-01'),
    knownAt: at('2024-06-16'),
    value: 313.225,
  });
  // Revised ones: the newest value, though nobody knew it then. The documentation says so.
  assert.deepEqual(
    points.filter(({ time }) => time === at('2024-03-01')).map(({ value }) => value),
    [312.332],
  );
  for (const [frequency, known] of [
    ['daily', '2024-06-01'],
    ['weekly', '2024-06-01'],
    ['quarterly', '2024-08-01'],
    ['annual', '2025-05-01'],
  ] as const) {
    const series = { cpi: { id: 'CPIAUCSL', frequency, delayDays: 0 } };
    const last = (await fetchAll(server, { series, vintages: false })).points.at(-1)!;
    const day = frequency === 'daily' || frequency === 'weekly' ? '2024-05-02' : known;
    assert.equal(last.knownAt, at(day), frequency);
  }
});

test('a busy vendor is asked again; what it refuses is told in its words, without the key', async () => {
  const busy = { status: 429, headers: { 'retry-after': '3' }, body: {} };
  await using server = await startFredServer({
    series: { CPIAUCSL: CPI },
    today: TODAY,
    first: [busy],
  });
  const { waits } = await fetchAll(server, monthly);
  assert.deepEqual(waits, [3000]);
  const unknown = { series: { cpi: { id: 'NOSUCH', frequency: 'monthly' } } };
  await assert.rejects(fetchAll(server, unknown), (error: Error) => {
    assert.match(error.message, /series NOSUCH: .*does not exist/);
    assert.doesNotMatch(JSON.stringify([error.message, error.stack]), /played-key/);
    return true;
  });
  await using gone = await startFredServer({ series: { CPIAUCSL: [] }, today: TODAY });
  await assert.rejects(fetchAll(gone, monthly), { message: /CPIAUCSL has no vintages/ });
});

test('params: columns are named, and a delay is needed where no vintage tells one', () => {
  const parsed = fredParams.parse(monthly);
  assert.deepEqual(fred.columns(parsed), [{ name: 'cpi', quantity: 'cpi', join: 'last' }]);
  const without = { series: { cpi: { id: 'CPIAUCSL', frequency: 'monthly' } }, vintages: false };
  assert.match(fredParams.safeParse(without).error!.message, /needs delayDays/);
  assert.equal(fredParams.safeParse({ series: {} }).success, false);
});
