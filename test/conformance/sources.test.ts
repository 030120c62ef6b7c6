/** What every source must do, run over each entry of the catalogue. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { sql } from 'kysely';
import {
  barCount,
  barsBetween,
  concatBars,
  hashBars,
  takeBars,
  type Bars,
} from '../../core/bars/index.ts';
import { sources } from '../../core/sources/index.ts';
import type { BarPage, BarRequest, Source, SourceContext } from '../../core/sources/source.ts';
import { simulateBars } from '../../core/sources/simulate.ts';
import type { SimulatedParams } from '../../core/sources/simulated.ts';
import { encodeBars } from '../../registry/datasets.impl.ts';
import { createSourceContext } from '../../workers/source-context.ts';
import { chartOf, startChartServer } from '../support/chart-server.ts';
import { startBinance } from '../support/exchange-server.ts';
import { walkBars } from '../support/made-bars.ts';
import { openTestDatabase } from '../support/postgres.ts';
import { memoryContext } from '../support/source-context.ts';
import { startUpbitServer } from '../support/upbit-server.ts';

/** Forty sessions with a hole of three: what each source is made to hold. */
const truth: Bars = (() => {
  const bars = walkBars(40, { from: '2024-01-02', instrument: 'WALK' });
  const rounded = { ...bars, close: bars.close.map((c) => Math.round(c * 100) / 100) };
  const prices = {
    open: rounded.close.map((c) => c - 1),
    high: rounded.close.map((c) => c + 1),
    low: rounded.close.map((c) => c - 1),
    volume: bars.volume.map(Math.round),
  };
  return takeBars(
    { ...rounded, ...prices },
    [...bars.openTime.keys()].filter((i) => i < 20 || i > 22),
  );
})();
const request: BarRequest = {
  instrument: 'WALK',
  timeframe: '1d',
  from: Date.parse('2024-01-01'),
  to: Date.parse('2024-07-01'),
};

interface Subject {
  readonly source: Source;
  readonly ctx: SourceContext;
  /** What it holds where that cannot be chosen; else `truth`. */
  readonly holds?: Bars;
}
const instrumentOf = ({ holds = truth }: Subject): string => holds.instrument;
const servers: AsyncDisposable[] = [];
after(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]();
});

/** How to make each source hold `truth`, in pages of about ten bars. A new source adds a line. */
const subjects: Readonly<Record<string, (signal?: AbortSignal) => Promise<Subject>>> = {
  ccxt: async (signal) => {
    const server = await startBinance();
    servers.push(server);
    server.markets = { WALK: truth };
    const markets = { WALK: { symbol: 'WALK/USDT', id: 'WALK' } };
    return subject(
      'ccxt',
      { baseUrl: server.url, pageBars: 12, markets },
      memoryContext({}, signal && { signal }),
    );
  },
  csv: async (signal) => {
    const lines = Array.from(truth.openTime, (t, i) =>
      [
        new Date(t).toISOString().slice(0, 10),
        truth.open[i],
        truth.high[i],
        truth.low[i],
        truth.close[i],
        truth.volume[i],
      ].join(','),
    );
    const file = new TextEncoder().encode(`date,open,high,low,close,volume\n${lines.join('\n')}\n`);
    return subject(
      'csv',
      { pageBars: 10 },
      memoryContext({ 'WALK.csv': file }, signal && { signal }),
    );
  },
  duckdb: async (signal) => {
    const root = await mkdtemp(join(tmpdir(), 'ratchet-duckdb-'));
    servers.push({ [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) });
    await writeFile(join(root, 'walk.parquet'), await encodeBars(truth));
    const query = `SELECT open_time AS timestamp, open, high, low, close, volume
      FROM read_parquet('{root}/walk.parquet')`;
    const dataset = {
      name: 'walk',
      source: 'duckdb',
      params: {},
      hosts: [],
      calendar: 'nyse',
      root,
    };
    const ctx = createSourceContext(dataset, signal ?? new AbortController().signal);
    return subject('duckdb', { sql: query, pageBars: 10 }, ctx);
  },
  postgres: async (signal) => {
    const database = await openTestDatabase();
    servers.push({ [Symbol.asyncDispose]: () => database.close() });
    await sql`CREATE TABLE walk (timestamp timestamptz, open float8, high float8, low float8, close float8, volume float8)`.execute(
      database.db,
    );
    for (const [i, time] of truth.openTime.entries()) {
      const { open, high, low, close, volume } = truth;
      await sql`INSERT INTO walk VALUES (${new Date(time)}, ${open[i]}, ${high[i]}, ${low[i]}, ${close[i]}, ${volume[i]})`.execute(
        database.db,
      );
    }
    const dataset = { name: 'walk', source: 'postgres', params: {}, hosts: [], calendar: 'nyse' };
    const connected = { ...dataset, connection: () => database.url };
    const ctx = createSourceContext(connected, signal ?? new AbortController().signal);
    return subject('postgres', { sql: 'SELECT * FROM walk', pageBars: 10 }, ctx);
  },
  parquet: async (signal) => {
    const file = await encodeBars(truth);
    const profile = {
      columns: {
        time: 'open_time',
        open: 'open',
        high: 'high',
        low: 'low',
        close: 'close',
        volume: 'volume',
      },
    };
    return subject(
      'parquet',
      { pageBars: 10, profile },
      memoryContext({ 'WALK.parquet': file }, signal && { signal }),
    );
  },
  simulated: async (signal) => {
    const params = { start: '2024-01-02', pageBars: 10 };
    const parsed = sources.get('simulated')!.params.parse(params) as SimulatedParams;
    const made = await subject('simulated', params, memoryContext({}, signal && { signal }));
    return { ...made, holds: simulateBars(parsed, 'SIM-WALK', '1d', request.to) };
  },
  upbit: async (signal) => {
    const server = await startUpbitServer({ WALK: truth });
    servers.push(server);
    return subject(
      'upbit',
      { baseUrl: server.url, pageBars: 14 },
      memoryContext({}, signal && { signal }),
    );
  },
  yahoo: async (signal) => {
    const server = await startChartServer((url) => {
      const [from, to] = ['period1', 'period2'].map((p) => Number(url.searchParams.get(p)) * 1000);
      const rows = Array.from(truth.openTime, (t, i) => ({
        at: new Date(t + 14.5 * 3_600_000).toISOString(),
        close: truth.close[i]!,
        volume: truth.volume[i]!,
      }));
      return {
        body: chartOf(rows.filter(({ at }) => Date.parse(at) >= from! && Date.parse(at) < to!)),
      };
    });
    servers.push(server);
    return subject(
      'yahoo',
      { baseUrl: server.url, windowDays: 14 },
      memoryContext({}, signal && { signal }),
    );
  },
};

async function subject(name: string, params: object, ctx: SourceContext): Promise<Subject> {
  const descriptor = sources.get(name)!;
  const { create } = await descriptor.load();
  return { source: create(descriptor.params.parse(params)), ctx };
}

async function pagesOf(held: Subject, from = request, cursor?: string): Promise<BarPage[]> {
  const pages: BarPage[] = [];
  const asked = { ...from, instrument: instrumentOf(held) };
  for await (const page of held.source.fetch(asked, cursor, held.ctx)) pages.push(page);
  return pages;
}
const joined = (pages: readonly BarPage[]): Bars => concatBars(pages.map((p) => p.bars));

test('every source has a subject here, and no subject lacks its source', () => {
  assert.deepEqual(Object.keys(subjects).sort(), [...sources.keys()].sort());
});

for (const [name, descriptor] of sources) {
  describe(`source ${name}`, () => {
    const open = subjects[name]!;

    test('its descriptor says what it is, with defaults that parse', () => {
      assert.equal(descriptor.name, name);
      assert.ok(descriptor.docs.length > 20);
      assert.ok(descriptor.declaredDelayMs >= 0);
      descriptor.params.parse({});
      assert.throws(() => descriptor.params.parse({ nonsense: 1 }), /nonsense/);
    });

    test('says that it is available', async () => {
      const { source, ctx } = await open();
      assert.equal(await source.isAvailable(ctx), true);
    });

    test('gives the bars it holds: sorted, unique, at UTC midnight of their session', async () => {
      const held = await open();
      const bars = joined(await pagesOf(held));
      const { holds = truth } = held;
      assert.deepEqual(bars.openTime, holds.openTime);
      for (const column of ['open', 'high', 'low', 'close', 'volume'] as const) {
        assert.deepEqual(bars[column], holds[column], column);
      }
    });

    test('reports a hole by leaving it', async () => {
      const held = await open();
      const days = new Set(joined(await pagesOf(held)).openTime);
      // A file's hole, or a holiday where no bar was ever made.
      const hole = held.holds ? Date.parse('2024-01-15') : Date.parse('2024-01-31');
      assert.ok(!days.has(hole));
      if (!held.holds) assert.equal(days.size, 37);
    });

    test('pages join without a gap or a repetition, and any cursor resumes after its page', async () => {
      const pages = await pagesOf(await open());
      assert.ok(pages.length >= 3, `${pages.length} pages`);
      for (const [i, page] of pages.entries()) {
        assert.equal(page.cursor === undefined, i === pages.length - 1);
        if (page.cursor === undefined) continue;
        const rest = joined(await pagesOf(await open(), request, page.cursor));
        assert.equal(hashBars(rest), hashBars(joined(pages.slice(i + 1))), `after page ${i}`);
      }
    });

    test('a range is half open', async () => {
      const held = await open();
      const { holds = truth } = held;
      const [from, to] = [holds.openTime[5]!, holds.openTime[9]!];
      const bars = joined(await pagesOf(held, { ...request, from, to }));
      assert.deepEqual(bars.openTime, barsBetween(holds, from, to).openTime);
    });

    test('a range without bars is no error', async () => {
      const before = { ...request, from: Date.parse('2023-01-02'), to: Date.parse('2023-01-04') };
      assert.equal(barCount(joined(await pagesOf(await open(), before))), 0);
    });

    test('gives the same again', async () => {
      const [a, b] = [await pagesOf(await open()), await pagesOf(await open())];
      assert.equal(hashBars(joined(a)), hashBars(joined(b)));
    });

    test('a cancelled fetch rejects', async () => {
      const stopped = open(AbortSignal.abort(new Error('stop')));
      await assert.rejects(
        stopped.then((s) => pagesOf(s)),
        /stop|abort/,
      );
    });
  });
}
