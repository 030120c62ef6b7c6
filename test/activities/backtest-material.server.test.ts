/** What strategies of a backtest are decided on, by the real registry: also when a bar is known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { ulid } from 'ulid';
import { materialOf, type BacktestMaterial } from '../../activities/backtest-material.ts';
import { parseBacktestSpec } from '../../core/spec/index.ts';
import { backtestOrThrow, createBacktest } from '../../registry/backtests.ts';
import { inTransaction } from '../../registry/in-transaction.ts';
import { openCollectFixture } from '../support/collect-fixture.ts';

test('bars are known when they can no longer be corrected and their source has published them', async (t) => {
  const fixture = await openCollectFixture();
  t.after(() => fixture.close());
  const deps = fixture.depsOf();
  const data = {
    ...{ sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'], from: '2012-01-03' },
  };
  await fixture.run(deps, data);
  const spec = parseBacktestSpec({
    ...{ name: 'material', data, period: { from: '2013-01-02' } },
    strategies: { hold: { kind: 'buy-and-hold' } },
  });
  const id = ulid();
  const row = { id, spec, specHash: id, workflowId: `backtest/${id}` };
  await inTransaction(fixture.db, (trx) =>
    createBacktest(trx, { ...row, actor: 'test', requestId: undefined }),
  );
  const stored = await backtestOrThrow(fixture.db, id);
  const lateBy = async (source: string): Promise<number | undefined> => {
    const datasets = new Map(deps.datasets);
    const dataset = datasets.get('sp500-daily')!;
    datasets.set('other', { ...dataset, name: 'other', source });
    const sources = [...spec.data.sources, { dataset: 'other', role: 'fallback' as const }];
    const given = { ...spec, data: { ...spec.data, sources } };
    const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
    const materialise = () => materialOf({ ...deps, datasets }, stored, given, []);
    const { instruments } = (await environment.run(materialise)) as BacktestMaterial;
    return instruments[0]!.knownAfterMs;
  };
  assert.equal(await lateBy('csv'), 30 * 60_000);
  assert.equal(await lateBy('yahoo'), 45 * 60_000);
});
