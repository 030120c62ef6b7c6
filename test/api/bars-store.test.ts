import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { BarsStore, type BarsReader, type Series } from '../../api/serving/bars-store.ts';
import { memoryLog } from '../support/api-fixture.ts';
import { walkBars } from '../support/made-bars.ts';

const seriesOf = (instrument: string): Series => ({ instrument, timeframe: '1d', sources: [] });

test('a series that cannot be read does not keep the others from their new bars', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ratchet-bars-'));
  let broken = false;
  let newest = 50;
  const reader: BarsReader = {
    read: async ({ instrument }) => {
      if (broken && instrument === 'A') throw new TypeError('columns differ in length');
      return { bars: walkBars(newest, { instrument }), fromFirstBar: true };
    },
    state: () => Promise.resolve(String(newest)),
  };
  try {
    const log = memoryLog();
    const store = new BarsStore({ reader, folder, log });
    for (const instrument of ['A', 'B']) await store.get(seriesOf(instrument), 10);
    broken = true;
    newest = 51;
    await Promise.all([store.refreshAll(), store.refreshAll()]);
    const { bars } = await store.get(seriesOf('B'), 10);
    assert.equal(bars.openTime.length, 51);
    assert.equal((await store.get(seriesOf('A'), 10)).bars.openTime.length, 50);
    assert.equal(log.lines.filter(({ level }) => level === 'error').length, 1);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
