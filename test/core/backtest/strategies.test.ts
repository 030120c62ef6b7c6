/** Strategies of the catalogue through the engine: what is decided on fewer bars is decided and traded the same. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { backtestRules, evaluateBacktest, runBacktest } from '../../../core/backtest/index.ts';
import { sliceBars } from '../../../core/bars/index.ts';
import {
  decide,
  needsModel,
  strategies,
  strategySpecSchema,
  type StrategySpec,
} from '../../../core/strategies/index.ts';
import { sp500 } from '../../support/example-bars.ts';
import { daily } from './scene.ts';

const bars = sliceBars(sp500(), 0, 900);
const rules = backtestRules({ allowShort: true, noTradeBand: 0.02, stops: { trailing: 0.08 } });
const specs: readonly StrategySpec[] = strategies.flatMap(({ name }) => {
  const parsed = strategySpecSchema.safeParse({ kind: name });
  return parsed.success && !needsModel(parsed.data) ? [parsed.data] : [];
});

describe('strategies that need no model and no settings', () => {
  test('there are several', () => assert.ok(specs.length >= 5, `${specs.length}`));

  for (const spec of specs) {
    test(`${spec.kind}: cutting off the bars changes nothing before`, () => {
      const run = (rows: number) => {
        const some = sliceBars(bars, 0, rows);
        const { positions } = decide(spec, { bars: some, calendar: daily });
        return runBacktest([{ bars: some, calendar: daily, targets: positions }], rules);
      };
      const whole = run(900);
      assert.ok(whole.trades.length > 0, 'it trades');
      for (const rows of [300, 523, 777, 899]) {
        const part = run(rows);
        assert.deepEqual(part.equity, whole.equity.slice(0, rows));
        const ended = part.trades.filter(({ open }) => !open);
        assert.deepEqual(ended, whole.trades.slice(0, ended.length));
      }
    });
  }

  test('buy-and-hold as a strategy is the benchmark but for the bar it starts at', () => {
    const { positions } = decide(strategySpecSchema.parse({ kind: 'buy-and-hold' }), {
      bars,
      calendar: daily,
    });
    const series = [{ bars, calendar: daily, targets: positions }];
    const { metrics, buyAndHold } = evaluateBacktest(series, backtestRules(), { resamples: 0 });
    assert.equal(metrics['totalReturn'], buyAndHold['totalReturn']);
    assert.equal(metrics['beta'], 1);
  });
});
