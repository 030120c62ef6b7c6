/** Bars of another market as columns: frozen for training and read for serving, never from the future. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Gathered } from '../../activities/collect-source.ts';
import { requireTimes, timingOf } from '../../activities/exogenous-timing.ts';
import { isKnown } from '../../activities/gather.ts';
import { registryBars } from '../../api/serving/registry-bars.ts';
import { readBars } from '../../registry/datasets.impl.ts';
import { chartOf, startChartServer } from '../support/chart-server.ts';
import { chart, COLLECT_NOW, june, openCollectFixture } from '../support/collect-fixture.ts';
import type { CollectFixture } from '../support/collect-fixture.ts';
import { walkBars } from '../support/made-bars.ts';

let fixture: CollectFixture;
before(async () => {
  fixture = await openCollectFixture();
});
after(() => fixture.close());

/** Days of UTC that close at the number of their day. */
const coinDays = [22, 23, 24, 25, 26, 27, 28].map((day) => ({
  at: `2024-06-${day}T13:30:00Z`,
  close: day,
}));

test('a coin beside an exchange: each session has the day that had ended, in training and served', async () => {
  await using bars = await startChartServer([{ body: chartOf(june) }]);
  await using coins = await startChartServer([{ body: chartOf(coinDays) }]);
  const coin = { ...chart('coin', coins), calendar: '24x7' };
  const deps = fixture.depsOf({ now: COLLECT_NOW, datasets: [chart('bars', bars), coin] });
  const sources = [{ dataset: 'bars' }, { dataset: 'coin', role: 'exogenous' }];
  const features = [
    { indicator: 'logReturn', bars: 1 },
    { indicator: 'exogenous', column: 'coin.close', period: 1 },
  ];
  const { collected } = await fixture.run(deps, { sources }, { features });
  const { exogenous } = await readBars(deps.artifacts, collected[0]!.bars);
  assert.deepEqual(Array.from(exogenous!['coin.close']!), [23, 24, 25, 26, 27]);

  const reader = registryBars(fixture.db, deps.datasets);
  const wanted = {
    instrument: '^GSPC',
    timeframe: '1d' as const,
    sources: [
      { dataset: 'bars', role: 'primary' as const },
      { dataset: 'coin', role: 'exogenous' as const },
    ],
  };
  const served = await reader.read(wanted, { last: 4 });
  assert.deepEqual(Array.from(served.bars.exogenous!['coin.close']!), [24, 25, 26, 27]);
  // Of the first session that is read the day before was not.
  const part = await reader.read(wanted, { last: 2, since: Date.parse('2024-06-26') });
  assert.deepEqual(Array.from(part.bars.exogenous!['coin.close']!), [26, 27]);
  assert.deepEqual(Array.from(part.bars.openTime), Array.from(served.bars.openTime.subarray(2)));
  const past = await reader.read(wanted, { last: 2, before: Date.parse('2024-06-26T21:00:00Z') });
  assert.deepEqual(Array.from(past.bars.exogenous!['coin.close']!), [24, 25]);
});

test('an uploaded file beside bars of another calendar is refused: it does not say when they are known', () => {
  const named = (dataset: string, role: 'primary' | 'exogenous', calendar: string) => {
    const series = { dataset, source: dataset, instrument: 'X', timeframe: '1d' as const };
    const gathered: Gathered = {
      ...{ use: { dataset, role }, status: 'delivered', series, state: '', calendar },
      ...{ simulated: false, reused: false, rows: 5, notes: [] },
    };
    return gathered;
  };
  const coin = chart('coin', 'http://localhost');
  const deps = { datasets: new Map([['coin', { ...coin, calendar: '24x7' }]]) };
  const check = (...given: Gathered[]) => {
    const known = given.filter(isKnown);
    const parts = known.map((one) => ({
      ...{ name: one.use.dataset, role: one.use.role, bars: walkBars(5) },
      timing: timingOf(deps, one),
    }));
    requireTimes(parts, known);
  };
  const exogenous = named('coin', 'exogenous', '24x7');
  assert.throws(() => check(named('upload:ab', 'primary', 'nyse'), exogenous), {
    code: 'collect.calendars',
    message: /coin follow the calendar 24x7, those of upload:ab nyse.*ratchet\.config\.yaml/,
  });
  check(named('upload:ab', 'primary', '24x7'), exogenous);
  check(named('upload:ab', 'primary', 'nyse'));
});
