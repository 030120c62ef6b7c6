/**
 * 10,000 predictions that a running stack really served, computed again by `ratchet parity`: none differs; then one close of
 * one bar is altered by a hundredth of a percent, and found. On a stack of its own (minutes; needs `npm run build`).
 * Run: node --import tsx test/bench/parity.bench.ts [--json]
 */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import type { ParityCounts } from '../../registry/parity.ts';
import { openDatabase } from '../../registry/db.ts';
import { productMissing, smallSpec, startProduct, type Product } from '../support/product.ts';

const MODEL = 'small';
const PATH = `/api/v1/ml-models/${MODEL}`;
const INSTRUMENT = '^GSPC';
const BATCHES = 10;
const BATCH = 1_000;
/** Of the last of them with Monte-Carlo confidence. */
const SAMPLED = 200;
/** From one instant to the next: some 15 years in all, most of them between two bars. */
const STEP_MS = 13 * 3_600_000;
const FIRST = Date.UTC(2004, 0, 1);
const ALTERED = { day: '2011-08-08', by: 1.0001 };
const LOOK_MS = 100;
const MIB = 1024 * 1024;

interface Found {
  readonly code: number | null;
  readonly counts: ParityCounts;
  /** From asking to the end of the report, s. */
  readonly seconds: number;
  /** Of the process that replays: before, and at most meanwhile. */
  readonly workerMiB: readonly [number, number];
  readonly firstWords: string | undefined;
}

const json = process.argv.includes('--json');
const say = (text: string): void => void (json || console.log(`  ${text}`));

/** Bytes of the process that runs activities. */
function workerBytes(product: Product): number {
  const { parts } = product.stack.status();
  return parts.find(({ name }) => name === 'worker')?.memoryBytes ?? 0;
}

interface Items {
  readonly asOf: readonly string[];
  readonly confidence: 'none' | 'mc';
}

/** Seconds until all were answered. */
async function serve(product: Product): Promise<number> {
  const begin = performance.now();
  for (let batch = 0; batch < BATCHES; batch++) {
    const at = (i: number) => new Date(FIRST + (batch * BATCH + i) * STEP_MS).toISOString();
    const all = Array.from({ length: BATCH }, (_, i) => at(i));
    const sampled = batch === BATCHES - 1 ? all.splice(0, SAMPLED) : [];
    await ask(product, { asOf: all, confidence: 'none' });
    await ask(product, { asOf: sampled, confidence: 'mc' });
  }
  return (performance.now() - begin) / 1_000;
}

/** Asks again for what the replica could not answer: on a busy machine PostgreSQL may be too slow for some items. */
async function ask(product: Product, { asOf, confidence }: Items): Promise<void> {
  if (asOf.length === 0) return;
  const body = { instruments: [INSTRUMENT], asOf, confidence };
  const { status, body: answer } = await product.request('POST', `${PATH}/batch-predict`, body);
  assert.equal(status, 200, JSON.stringify(answer));
  const left = (answer['items'] as { index: number; problem?: { code: string } }[]).flatMap(
    ({ index, problem }) => {
      if (!problem) return [];
      assert.equal(problem.code, 'bars.unavailable');
      return [asOf[index]!];
    },
  );
  await ask(product, { asOf: left, confidence });
}

async function replay(product: Product): Promise<Found> {
  const before = workerBytes(product);
  let peak = before;
  let done = false;
  const run = product.cli('--json', 'parity', MODEL, '--wait').finally(() => (done = true));
  while (!done) {
    peak = Math.max(peak, workerBytes(product));
    await pause(LOOK_MS);
  }
  const { code, stdout } = await run;
  const report = JSON.parse(stdout) as {
    counts: ParityCounts;
    createdAt: string;
    finishedAt: string;
    differences: { words: string }[];
  };
  return {
    ...{ code, counts: report.counts },
    seconds: (Date.parse(report.finishedAt) - Date.parse(report.createdAt)) / 1_000,
    workerMiB: [Math.round(before / MIB), Math.round(peak / MIB)],
    firstWords: report.differences[0]?.words,
  };
}

function show(title: string, { code, counts, seconds, workerMiB, firstWords }: Found): void {
  const { replayed, identical, late, different, withSamples, samplesDrawn } = counts;
  say(`$ npx ratchet parity ${MODEL} --wait     # ${title}: exit code ${code}`);
  say(`  ${replayed} replayed: ${identical} identical, ${late} late, ${different} different`);
  say(`  ${withSamples} with samples, those of ${samplesDrawn} drawn again`);
  if (firstWords !== undefined) say(`  first: ${firstWords}`);
  say(`  ${seconds.toFixed(1)} s; worker ${workerMiB[0]} MiB before, ${workerMiB[1]} at most`);
}

async function measure(product: Product): Promise<void> {
  const { status, message } = await product.run(smallSpec);
  assert.equal(status, 'completed', message);
  const served = await serve(product);
  const total = BATCHES * BATCH;
  say(`${total} predictions served and recorded in ${served.toFixed(1)} s`);
  const db = openDatabase(product.stack.config.databaseUrl!, { max: 1 });
  const alter = (by: number) =>
    sql`UPDATE bar SET close = close * ${by}::float8
        WHERE instrument = ${INSTRUMENT} AND open_time = ${ALTERED.day}::timestamptz`.execute(db);
  try {
    await product.until('the predictions in the registry', async () => {
      const { rows } = await sql<{ n: number }>`SELECT count(*)::int AS n FROM prediction`.execute(
        db,
      );
      return rows[0]!.n === total ? true : undefined;
    });
    const first = await replay(product);
    show('as served', first);
    await alter(ALTERED.by);
    const second = await replay(product);
    show(`the close of ${ALTERED.day} times ${ALTERED.by}`, second);
    if (json) console.log(JSON.stringify({ served, first, second }));
    assert.deepEqual([first.code, first.counts.identical], [0, total]);
    assert.deepEqual([second.code, second.counts.replayed], [1, total]);
    assert.match(second.firstWords ?? '', new RegExp(`The bar ${ALTERED.day}`));
    assert.deepEqual(second.counts.byCause, { 'bar-altered': second.counts.different });
  } finally {
    await db.destroy();
  }
}

if (productMissing !== false) throw new Error(productMissing);
const product = await startProduct();
try {
  await measure(product);
} finally {
  await product.end();
}
