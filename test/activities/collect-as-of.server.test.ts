/** `data.asOf`: what was complete and known at a moment, whenever it is asked for. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { CollectResult } from '../../activities/contracts.ts';
import { readBars } from '../../registry/datasets.impl.ts';
import { chartOf, startChartServer, type ChartAnswer } from '../support/chart-server.ts';
import {
  chart,
  COLLECT_NOW,
  june,
  openCollectFixture,
  type CollectFixture,
  type CollectSetup,
} from '../support/collect-fixture.ts';

let fixture: CollectFixture;
before(async () => {
  fixture = await openCollectFixture();
});
after(() => fixture.close());

const DAY_MS = 86_400_000;

test('a moment of the past freezes the same dataset then, later, and after corrections', async () => {
  let answer: ChartAnswer = { body: chartOf(june.slice(0, 3)) };
  await using server = await startChartServer(() => answer);
  // Half an hour and a minute after the close of Wednesday the 26th.
  const asOf = '2024-06-26T20:31:00Z';
  const setup: CollectSetup = { datasets: [chart('as-of', server)], now: Date.parse(asOf) };
  const deps = fixture.depsOf(setup);
  const retrain = async (at: string): Promise<CollectResult> => {
    const data = { sources: [{ dataset: 'as-of' }], recollect: true, asOf: at };
    return (await fixture.run(deps, data)).collected[0]!;
  };
  const then = await retrain(asOf);
  assert.deepEqual([then.firstBar, then.lastBar], ['2024-06-24', '2024-06-26']);

  // Days later there are newer bars, and Tuesday's close was corrected.
  setup.now = COLLECT_NOW + DAY_MS;
  answer = { body: chartOf(june.map((r, i) => (i === 1 ? { ...r, close: 101.5 } : r))) };
  const later = await retrain(asOf);
  assert.equal(server.asked.length, 2, 'it did ask again');
  assert.equal(later.datasetHash, then.datasetHash);
  assert.equal(later.cached, false, 'frozen anew, from the state with the correction');
  assert.deepEqual([...(await readBars(deps.artifacts, later.bars)).close], [100, 101, 102]);
  assert.equal((await retrain(asOf)).cached, true);

  const now = await retrain(new Date(setup.now).toISOString());
  assert.deepEqual(
    [...(await readBars(deps.artifacts, now.bars)).close],
    [100, 101.5, 102, 103, 104],
  );
  const { collected } = await fixture.run(deps, { sources: [{ dataset: 'as-of' }] });
  assert.equal(collected[0]!.datasetHash, now.datasetHash, 'without a moment: all there is');
});

test('a backfilled history has the bars that had been published by then, and not one more', async () => {
  await using server = await startChartServer([{ body: chartOf(june) }]);
  // Collected once, a month later.
  const setup = { datasets: [chart('backfill', server)], now: COLLECT_NOW + 30 * DAY_MS };
  const deps = fixture.depsOf(setup);
  const lastBarAt = async (asOf: string): Promise<string> => {
    const { collected } = await fixture.run(deps, { sources: [{ dataset: 'backfill' }], asOf });
    return collected[0]!.lastBar;
  };
  // New York closes at 20:00 UTC; half an hour of grace and 15 minutes of delay later its bar counts as known.
  assert.equal(await lastBarAt('2024-06-27T19:59:00Z'), '2024-06-26');
  assert.equal(await lastBarAt('2024-06-27T20:44:00Z'), '2024-06-26');
  assert.equal(await lastBarAt('2024-06-27T20:45:00Z'), '2024-06-27');
  assert.equal(
    server.asked.length,
    1,
    'collected bars are fresh for 24 hours, whatever the moment',
  );
  await assert.rejects(lastBarAt('2024-06-20T00:00:00Z'), {
    code: 'collect.noBars',
    message: /that were known at 2024-06-20T00:00:00\.000Z; take another range .*data\.asOf/,
  });
});

test('splits and corrected dividends that came later do not reach back before the moment', async () => {
  const split = { splits: [{ at: '2024-06-28T13:30:00Z', ratio: [2, 1] as const }] };
  const dividend = (amount: number) => ({
    dividends: [{ at: '2024-06-26T13:30:00Z', amount }],
  });
  let answer: ChartAnswer = { body: chartOf(june.slice(0, 4), dividend(2)) };
  await using server = await startChartServer(() => answer);
  const asOf = '2024-06-27T21:00:00Z';
  const setup: CollectSetup = { datasets: [chart('split', server)], now: Date.parse(asOf) };
  const deps = fixture.depsOf(setup);
  const data = { sources: [{ dataset: 'split' }], recollect: true, asOf };
  const before = (await fixture.run(deps, data)).collected[0]!;
  setup.now = COLLECT_NOW;
  // From the split on the vendor gives all prices halved; the dividend was in truth twice as large.
  answer = {
    body: chartOf(
      june.map((r) => ({ ...r, close: r.close / 2 })),
      { ...split, ...dividend(2) },
    ),
  };
  const after = (await fixture.run(deps, data)).collected[0]!;
  assert.equal(after.datasetHash, before.datasetHash);
});

test('bars of a moment in the past are not stale at that moment', async () => {
  await using server = await startChartServer([{ body: chartOf(june) }]);
  const setup = { datasets: [chart('old', server)], now: COLLECT_NOW + 60 * DAY_MS };
  const deps = fixture.depsOf(setup);
  const sources = [{ dataset: 'old' }];
  const today = await (await fixture.run(deps, { sources })).validation();
  const then = await (
    await fixture.run(deps, { sources, asOf: '2024-06-28T21:00:00Z' })
  ).validation();
  const rulesOf = async (reports: typeof then.reports): Promise<string> =>
    Buffer.from(await deps.artifacts.get(reports)).toString();
  assert.match(await rulesOf(today.reports), /"rule": "stale/);
  assert.doesNotMatch(await rulesOf(then.reports), /"rule": "stale/);
  assert.equal(then.cached, false, 'judged at its own moment, not found under that of today');
});
