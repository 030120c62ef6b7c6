/** Portfolios through the engine: what is decided is what is held. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backtestRules, runBacktest } from '../../../../core/backtest/index.ts';
import { barCount, sliceBars, type Bars } from '../../../../core/bars/index.ts';
import { calendarFor } from '../../../../core/calendar/index.ts';
import { decide, strategySpecSchema } from '../../../../core/strategies/index.ts';
import { portfolioSchema, portfolioTargets } from '../../../../core/strategies/portfolio/index.ts';
import { nasdaq, sp500 } from '../../../support/example-bars.ts';

const calendar = calendarFor('nyse');
const indices = [sp500(), nasdaq()].map((bars) => sliceBars(bars, 0, 1200));
const column = (bars: Bars, spec: object) => ({
  name: bars.instrument,
  bars,
  calendar,
  positions: decide(strategySpecSchema.parse(spec), { bars, calendar }).positions,
});
const rules = backtestRules({
  costs: { feeBps: 0, slippageBps: 0 },
  fill: { at: 'nextClose' },
});

test('equal weights without costs: half and half a session after each decision, drifting between', () => {
  const columns = indices.map((bars) => column(bars, { kind: 'buy-and-hold' }));
  const { instruments, rebalancings } = portfolioTargets(columns, portfolioSchema.parse({}));
  const { equity, weights, time } = runBacktest(instruments, rules);
  let checked = 0;
  for (let t = 1; t < barCount(indices[0]!); t++) {
    if (Number.isNaN(instruments[0]!.targets[t - 1]!)) continue;
    checked++;
    assert.ok(Math.abs(weights[2 * t]! - 0.5) < 1e-9, `${weights[2 * t]} on row ${t}`);
    assert.ok(Math.abs(weights[2 * t + 1]! - 0.5) < 1e-9);
  }
  assert.equal(checked, rebalancings.length);
  // Money by hand: halves grow with each index from one rebalancing to the next.
  let money = equity[0]!;
  let from = -1;
  for (let t = 1; t < time.length; t++) {
    const grown =
      from < 0
        ? money
        : indices.reduce((sum, { close }) => sum + (money / 2) * (close[t]! / close[from]!), 0);
    assert.ok(Math.abs(equity[t]! / grown - 1) < 1e-9, `row ${t}`);
    if (Number.isNaN(instruments[0]!.targets[t - 1]!)) continue;
    [money, from] = [grown, t];
  }
});

test('least variance was calmer than the halves, and never short or on credit', () => {
  const of = (kind: string) => {
    const columns = indices.map((bars) => column(bars, { kind: 'buy-and-hold' }));
    const spec = portfolioSchema.parse({ allocation: { kind }, window: 120 });
    const { equity, exposure, weights } = runBacktest(
      portfolioTargets(columns, spec).instruments,
      rules,
    );
    assert.ok(
      exposure.every((x) => x <= 1 + 1e-9),
      kind,
    );
    assert.ok(
      weights.every((x) => x >= 0),
      kind,
    );
    const r = Array.from(equity.subarray(1), (e, t) => e / equity[t]! - 1);
    const mean = r.reduce((a, b) => a + b, 0) / r.length;
    return Math.sqrt(r.reduce((a, x) => a + (x - mean) ** 2, 0) / r.length);
  };
  assert.ok(of('minimum-variance') < of('equal'), 'calmer');
});
