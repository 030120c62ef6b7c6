import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sliceBars } from '../../../core/bars/index.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { ANCHOR_BARS } from '../../../core/indicators/index.ts';
import {
  decide,
  memoryBarsOf,
  strategySignal,
  strategySpecSchema,
} from '../../../core/strategies/index.ts';
import { walkBars } from '../../support/made-bars.ts';

const calendar = calendarFor('nyse');
const bars = walkBars(900, { instrument: '^GSPC', from: '2015-01-02' });
const KINDS = [
  { kind: 'macd', short: true },
  { kind: 'rsi' },
  { kind: 'bollinger' },
  { kind: 'volatility-target', annualVolatility: 0.03, of: { kind: 'sma-cross' } },
];

test('the newest bar has the position of a backtest to the bit, from the bars that its memory reaches', () => {
  for (const kind of KINDS) {
    const spec = strategySpecSchema.parse(kind);
    const { positions } = decide(spec, { bars, calendar });
    const reach = memoryBarsOf(spec) + ANCHOR_BARS + 1;
    let partial = 0;
    for (const end of [700, 750, 777, 850, 900]) {
      const newest = sliceBars(bars, Math.max(0, end - reach), end);
      const found = strategySignal(spec, { bars: newest, calendar });
      assert.equal(found?.position, positions[end - 1], `${kind.kind} at ${end}`);
      if (found && Math.abs(found.position) % 1 > 0) partial++;
    }
    assert.ok(kind.kind !== 'volatility-target' || partial > 0, 'a share was seen');
  }
});

test('steps by how much would be held; nothing while it warms up', () => {
  const step = (position: number) =>
    strategySignal(strategySpecSchema.parse({ kind: 'buy-and-hold', position }), { bars, calendar })
      ?.recommendation;
  assert.deepEqual([1, 0.75, 0.74, 0.25, 0.24, 0, -0.25, -0.75].map(step), [
    'strong_buy',
    'strong_buy',
    'buy',
    'buy',
    'hold',
    'hold',
    'sell',
    'strong_sell',
  ]);
  const spec = strategySpecSchema.parse({ kind: 'sma-cross' });
  assert.equal(strategySignal(spec, { bars: sliceBars(bars, 0, 40), calendar }), undefined);
  assert.equal(strategySignal(spec, { bars: sliceBars(bars, 0, 0), calendar }), undefined);
});
