/** A backtest over bars that were revised says so: real activities and database. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { ulid } from 'ulid';
import { barsAsOf } from '../../activities/bars-as-of.ts';
import { createBacktestPlanActivities } from '../../activities/backtest-plan.ts';
import { createBacktestSimulateActivities } from '../../activities/backtest-simulate.ts';
import type { BacktestOrigin } from '../../core/backtest/report/index.ts';
import { mapColumns, takeBars } from '../../core/bars/build.ts';
import { calendarFor } from '../../core/calendar/index.ts';
import { parseBacktestSpec } from '../../core/spec/index.ts';
import { appendBars } from '../../registry/bars.ts';
import { backtestOrThrow, createBacktest } from '../../registry/backtests.ts';
import { seriesSource, startCollection } from '../../registry/collections.ts';
import { inTransaction } from '../../registry/in-transaction.ts';
import { COLLECT_NOW, openCollectFixture } from '../support/collect-fixture.ts';

const DATASET = 'sp500-daily';
const INSTRUMENT = '^GSPC';
const data = { sources: [{ dataset: DATASET }], instruments: [INSTRUMENT], from: '2012-01-03' };

test('bars of the period that had been known otherwise are counted in the warnings of a report', async (t) => {
  const fixture = await openCollectFixture();
  t.after(() => fixture.close());
  const deps = fixture.depsOf();
  await fixture.run(deps, data);
  const environment = () => new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
  const warningsOf = async (to: string): Promise<readonly string[]> => {
    const id = ulid();
    const spec = parseBacktestSpec({
      ...{ name: 'revised', data, period: { from: '2013-01-02', to }, paths: 0 },
      strategies: { hold: { kind: 'buy-and-hold' } },
    });
    const row = { id, spec, specHash: id, workflowId: `backtest/${id}` };
    await inTransaction(fixture.db, (trx) =>
      createBacktest(trx, { ...row, actor: 'test', requestId: undefined }),
    );
    await environment().run(createBacktestPlanActivities(deps).planBacktest, { backtestId: id });
    const { simulateBacktest } = createBacktestSimulateActivities(deps);
    await environment().run(simulateBacktest, { backtestId: id, folds: [] });
    const { files, warnings } = await backtestOrThrow(fixture.db, id);
    const { uri } = files!.find(({ name }) => name === 'origin.json')!;
    const sha256 = uri.slice(uri.lastIndexOf('/') + 1);
    const bytes = await deps.artifacts.get({ uri, sha256 });
    const origin = JSON.parse(new TextDecoder().decode(bytes)) as BacktestOrigin;
    assert.deepEqual(warnings, origin.warnings ?? []);
    return warnings ?? [];
  };
  assert.deepEqual(await warningsOf('2013-06-28'), []);
  const [beyond, ...others] = await warningsOf('2020-12-31');
  assert.deepEqual(others, []);
  assert.match(
    beyond!,
    /is 2013-01-02 to 2020-12-31; of \^GSPC there are bars from 2013-01-02 to /,
  );

  const series = { instrument: INSTRUMENT, timeframe: '1d' as const };
  const bars = await barsAsOf(deps, {
    ...{ ...series, sources: parseBacktestSpec(specLike()).data.sources },
    asOf: Date.now(),
  });
  const rowOf = (day: string): number =>
    bars.openTime.findIndex((at) => new Date(at).toISOString().startsWith(day));
  const days = ['2013-03-01', '2013-05-01', '2013-06-03'].map(rowOf);
  assert.ok(days.every((row) => row >= 0));
  const revised = mapColumns(takeBars(bars, days), (column) =>
    column.map((value, i) => value * [1.001, 0.98, 1.005][i]!),
  );
  const source = seriesSource(deps.datasets.get(DATASET)!);
  const arrivedAt = COLLECT_NOW + 86_400_000;
  const key = { dataset: DATASET, source, ...series };
  const collectionId = await startCollection(fixture.db, key, 'primary', arrivedAt);
  const arrival = { collectionId, arrivedAt, calendar: calendarFor('nyse'), declaredDelayMs: 0 };
  await appendBars(fixture.db, source, revised, arrival);

  const [warning, ...more] = await warningsOf('2013-05-31');
  assert.deepEqual(more, []);
  assert.match(warning!, /^2 bars of \^GSPC in the period .* \(closes by up to 2\.0 %\)/);
  assert.match((await warningsOf('2013-06-28'))[0]!, /^3 bars/);
});

const specLike = () => ({
  ...{ name: 'revised', data, period: { from: '2013-01-02' } },
  strategies: { hold: { kind: 'buy-and-hold' } },
});
