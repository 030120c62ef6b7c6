import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concatBars, type Bars } from '../../../core/bars/index.ts';
import type { BarPage, SourceContext } from '../../../core/sources/source.ts';
import { create } from '../../../core/sources/yahoo.impl.ts';
import { yahooParams } from '../../../core/sources/yahoo.ts';
import { chartOf, startChartServer, type ChartAnswer } from '../../support/chart-server.ts';
import { memoryContext } from '../../support/source-context.ts';

const request = {
  instrument: '^GSPC',
  timeframe: '1d' as const,
  from: Date.parse('2024-01-01'),
  to: Date.parse('2024-07-01'),
};
const dates = (bars: Bars): string[] =>
  Array.from(bars.openTime, (t) => new Date(t).toISOString().slice(0, 10));

async function collect(
  answers: Parameters<typeof startChartServer>[0],
  options: { params?: object; ctx?: SourceContext; cursor?: string } = {},
): Promise<{ pages: BarPage[]; bars: Bars; asked: readonly URL[] }> {
  await using server = await startChartServer(answers);
  const source = create(yahooParams.parse({ baseUrl: server.url, ...options.params }));
  const pages: BarPage[] = [];
  for await (const page of source.fetch(
    request,
    options.cursor,
    options.ctx ?? memoryContext({}),
  )) {
    pages.push(page);
  }
  return { pages, bars: concatBars(pages.map((p) => p.bars)), asked: server.asked };
}

const rows = [
  { at: '2024-01-02T14:30:00Z', close: 100 },
  { at: '2024-01-03T14:30:00Z', close: 101 },
  { at: '2024-03-11T13:30:00Z', close: 102 },
];
const good: ChartAnswer = { body: chartOf(rows) };

test('bars get midnight UTC of the exchange date, winter and summer; the symbol is escaped', async () => {
  const { bars, asked } = await collect([good]);
  assert.deepEqual(dates(bars), ['2024-01-02', '2024-01-03', '2024-03-11']);
  assert.deepEqual([...bars.open], [99, 100, 101]);
  assert.deepEqual(
    [asked[0]!.pathname, asked[0]!.searchParams.get('interval')],
    ['/v8/finance/chart/%5EGSPC', '1d'],
  );
  assert.equal(Number(asked[0]!.searchParams.get('period1')) * 1000, request.from);
});

test('rows with nulls are left out and counted, a null volume is 0', async () => {
  const { bars, pages } = await collect([
    {
      body: chartOf([
        { at: '2024-01-02T14:30:00Z', close: 100, volume: null },
        { at: '2024-01-03T14:30:00Z', close: null, volume: null },
        { at: '2024-01-04T14:30:00Z', close: 102 },
      ]),
    },
  ]);
  assert.deepEqual(dates(bars), ['2024-01-02', '2024-01-04']);
  assert.deepEqual([...bars.volume], [0, 1000]);
  assert.deepEqual(pages[0]!.notes, ['1 rows without prices left out']);
});

test('the running bar of a session replaces its daily row', async () => {
  const { bars, pages } = await collect([
    { body: chartOf([...rows, { at: '2024-03-11T18:04:31Z', close: 110, volume: 5 }]) },
  ]);
  assert.deepEqual([...bars.close], [100, 101, 110]);
  assert.match(pages[0]!.notes!.join(), /1 rows replaced by a later one/);
});

test('dividends are factors, splits are already in the prices', async () => {
  const events = {
    dividends: [{ at: '2024-03-11T13:30:00Z', amount: 2.02 }],
    splits: [{ at: '2024-01-03T14:30:00Z', ratio: [4, 1] as const }],
  };
  const body = chartOf(rows, events);
  const { pages } = await collect([{ body }]);
  assert.deepEqual(pages[0]!.factors, [
    { effectiveFrom: Date.parse('2024-03-11'), priceFactor: 1 - 2.02 / 101, splitFactor: 1 },
  ]);
  assert.match(pages[0]!.notes!.join(), /prices contain 1 splits/);
  const without = await collect([{ body }], { params: { dividends: false } });
  assert.deepEqual(without.pages[0]!.factors, []);
});

test('429 in HTML: waits as the server says, else longer each time, then goes on', async () => {
  const ctx = memoryContext({});
  const limited: ChartAnswer = { status: 429, body: '<html>Too Many Requests</html>' };
  const asked = { ...limited, headers: { 'retry-after': '7' } };
  const { bars } = await collect([asked, limited, { status: 502, body: '' }, good], { ctx });
  assert.equal(bars.openTime.length, 3);
  assert.deepEqual(ctx.waits, [7000, 2000, 4000]);
});

test('429 for ever, or for too long: an error that a later try may not meet', async () => {
  const ctx = memoryContext({});
  const limited: ChartAnswer = { status: 429, body: 'Too Many Requests\r\n' };
  await assert.rejects(collect([limited], { ctx }), {
    code: 'source.rateLimited',
    permanent: false,
    message: /429 to 4 requests; try again in 8 s/,
  });
  assert.deepEqual(ctx.waits, [1000, 2000, 4000]);
  const patient = memoryContext({});
  const later = new Date(patient.clock() + 3_600_000).toUTCString();
  await assert.rejects(
    collect([{ ...limited, headers: { 'retry-after': later } }], { ctx: patient }),
    {
      code: 'source.rateLimited',
    },
  );
  assert.deepEqual(patient.waits, []);
});

test('an unknown symbol, a page of HTML, another shape: named, never empty bars', async () => {
  const unknown = {
    status: 404,
    body: {
      chart: {
        result: null,
        error: { code: 'Not Found', description: 'No data found, symbol may be delisted' },
      },
    },
  };
  await assert.rejects(collect([unknown]), {
    code: 'source.instrument',
    permanent: true,
    message: /\^GSPC: No data found, symbol may be delisted/,
  });
  await assert.rejects(collect([{ body: '<!doctype html><title>consent</title>' }]), {
    code: 'source.answer',
    message: /answered 200 with an HTML page/,
  });
  await assert.rejects(collect([{ body: { finance: {} } }]), { code: 'source.answer' });
  const short = chartOf(rows) as { chart: { result: { timestamp: number[] }[] } };
  short.chart.result[0]!.timestamp.pop();
  await assert.rejects(collect([{ body: short }]), /open has 3 rows, not 2/);
});

test('no rows in the range: no bars, no error', async () => {
  const { bars } = await collect([{ body: chartOf([]) }]);
  assert.equal(bars.openTime.length, 0);
});

test('windows: every bar once, and any cursor resumes', async () => {
  const all = Array.from({ length: 120 }, (_, i) => ({
    at: new Date(Date.parse('2024-01-02T14:30:00Z') + i * 86_400_000).toISOString(),
    close: 100 + i,
  }));
  const answer = (url: URL): ChartAnswer => {
    const [from, to] = ['period1', 'period2'].map((p) => Number(url.searchParams.get(p)) * 1000);
    return {
      body: chartOf(all.filter(({ at }) => Date.parse(at) >= from! && Date.parse(at) < to!)),
    };
  };
  const params = { windowDays: 30 };
  const whole = await collect([{ body: chartOf(all) }]);
  const paged = await collect(answer, { params });
  assert.ok(paged.pages.length > 4);
  assert.deepEqual(paged.bars.openTime, whole.bars.openTime);
  const resumed = await collect(answer, { params, cursor: paged.pages[1]!.cursor! });
  const rest = concatBars(paged.pages.slice(2).map((p) => p.bars));
  assert.deepEqual(resumed.bars.openTime, rest.openTime);
});

test('a cancelled fetch ends at once', async () => {
  const signal = AbortSignal.abort(new Error('stop'));
  await assert.rejects(collect([good], { ctx: memoryContext({}, { signal }) }), /stop|abort/);
});
