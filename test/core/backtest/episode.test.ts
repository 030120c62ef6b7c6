import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openEpisode } from '../../../core/backtest/episode.ts';
import type { EpisodeBars, TradingRules } from '../../../core/models/market.ts';

const BARS: EpisodeBars = {
  instrument: 'ONE',
  timeframe: '1d',
  calendar: '24x7',
  openTime: Float64Array.from({ length: 4 }, (_, t) => Date.UTC(2024, 0, 1 + t)),
  open: Float64Array.of(100, 101, 108, 120),
  close: Float64Array.of(100, 105, 110, 99),
};
const FREE: TradingRules = {
  fill: 'nextOpen',
  costs: { feeBps: 0, slippageBps: 0 },
  borrowBpsPerYear: 0,
  allowShort: true,
};

const play = (targets: readonly number[], rules: Partial<TradingRules> = {}, bars = BARS) =>
  openEpisode(bars, { ...FREE, ...rules })(Float64Array.from(targets));

function assertNear(found: Float64Array, wanted: readonly number[]): void {
  assert.equal(found.length, wanted.length);
  found.forEach((value, t) =>
    assert.ok(Math.abs(value - wanted[t]!) < 1e-12, `bar ${t}: ${value}`),
  );
}

describe('an episode in the engine of backtests', () => {
  test('flat earns nothing; a long earns from its open on, overnight included', () => {
    assertNear(play([0, 0, 0, 0]), [0, 0, 0, 0]);
    assertNear(play([1, NaN, 0, 0]), [
      0,
      Math.log(105 / 101),
      Math.log(110 / 105),
      Math.log(120 / 110),
    ]);
  });

  test('filled at the close it begins there', () => {
    assertNear(play([1, NaN, NaN, 0], { fill: 'nextClose' }), [
      0,
      0,
      Math.log(110 / 105),
      Math.log(99 / 110),
    ]);
  });

  test('a short earns the other way round, and is flat where shorts are not allowed', () => {
    const [, first] = play([-1, NaN, NaN, 0]);
    assert.ok(Math.abs(first! - Math.log(1 - (105 - 101) / 101)) < 1e-12);
    assertNear(play([-1, NaN, NaN, 0], { allowShort: false }), [0, 0, 0, 0]);
  });

  test('each side costs, and an episode that nobody says the costs of has those of its market', () => {
    const free = play([1, 0, 0, 0]).reduce((a, b) => a + b, 0);
    const costs = { feeBps: 5, slippageBps: 2 };
    const paid = play([1, 0, 0, 0], { costs }).reduce((a, b) => a + b, 0);
    assert.ok(Math.abs(free - paid - 2 * 0.0007) < 2e-6, `${free - paid}`);
    assert.deepEqual(play([1, 0, 0, 0], { costs: undefined }), play([1, 0, 0, 0], { costs }));
  });

  test('played twice it gives the same, whatever was played between', () => {
    const episode = openEpisode(BARS, FREE);
    const once = episode(Float64Array.of(1, -1, 1, 0));
    episode(Float64Array.of(0, 1, 0, 0));
    assert.deepEqual(episode(Float64Array.of(1, -1, 1, 0)), once);
  });

  test('what is lost altogether is a large loss, not an infinite one', () => {
    const open = Float64Array.of(100, 100, 300, 300);
    const close = Float64Array.of(100, 100, 300, 300);
    const changes = play([-1, NaN, NaN, 0], {}, { ...BARS, open, close });
    assert.ok(changes.every(Number.isFinite), `${changes}`);
    assert.ok(changes[2]! < -10);
  });
});
