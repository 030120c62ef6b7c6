import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Prepared } from '../../../../core/features/prepared.ts';
import { withMarket } from '../../../support/planted-market.ts';
import { plantedPrepared } from '../../../support/planted-prepared.ts';
import { positionsOf, trade, type Traded } from '../../../support/traded.ts';

/** Daily bars with an SD of 2 % whose next change is told by a feature: this share of its variance. */
function world(
  seed: number,
  signal: number,
  { rows = 3000, labelKind = 'threeClass' } = {},
): Prepared {
  const shape = { rows, features: 5, lookback: 1, horizons: [1] };
  return withMarket(plantedPrepared({ ...shape, seed, signal, labelKind }));
}

async function agent(
  prepared: Prepared,
  feeBps: number,
  { seed = 1, ...params }: { readonly seed?: number; readonly hidden?: number } = {},
): Promise<Traded> {
  const market = { costs: { feeBps, slippageBps: 0 } };
  const asked = { family: 'policy-gradient', params: { ...params, market }, seed };
  return trade(prepared, await positionsOf(prepared, { ...asked, by: 'mean' }), feeBps);
}

async function follower(family: string, prepared: Prepared, feeBps: number): Promise<Traded> {
  return trade(prepared, await positionsOf(prepared, { family, by: 'likeliest' }), feeBps);
}

const holding = (prepared: Prepared, feeBps: number): Traded =>
  trade(prepared, new Float64Array(prepared.split.test.length).fill(1), feeBps);

describe('an agent that learns by trading, on rows it has not seen', () => {
  for (const labelKind of ['threeClass', 'binaryForwardReturn']) {
    test(`earns after costs what a feature tells of the next bar: ${labelKind}`, async () => {
      for (const seed of [1, 2, 3]) {
        const prepared = world(seed, 0.12, { labelKind });
        const own = await agent(prepared, 5);
        const others = [await follower('majority', prepared, 5), holding(prepared, 5)];
        const best = Math.max(...others.map(({ sharpe }) => sharpe));
        assert.ok(own.sharpe > 1, `world ${seed}: Sharpe ratio ${own.sharpe}`);
        assert.ok(own.sharpe > best + 1, `world ${seed}: ${own.sharpe}, of the others ${best}`);
      }
    });
  }

  test('with a hidden layer as well', async () => {
    const prepared = world(1, 0.08);
    const own = await agent(prepared, 5, { hidden: 8 });
    assert.ok(own.sharpe > 1.5, `Sharpe ratio ${own.sharpe}`);
  });

  test('stays flat where trading costs more than any feature tells', async () => {
    for (const seed of [1, 2]) {
      const prepared = world(seed, 0.08);
      const own = await agent(prepared, 300);
      const greedy = await follower('logistic', prepared, 300);
      assert.ok(greedy.turnover > 0.5 && greedy.growth < -1, `a classifier: ${greedy.growth}`);
      assert.ok(own.turnover < 0.02, `turnover ${own.turnover}`);
      assert.ok(own.growth > -0.1, `growth ${own.growth}`);
      const cheap = await agent(prepared, 5);
      assert.ok(cheap.turnover > 0.2, 'the same signal is traded where that pays');
    }
  });

  test('gains nothing from noise, over worlds and seeds', async () => {
    const found = async (signal: number): Promise<number> => {
      const ratios: number[] = [];
      for (const [world_, seed] of [11, 12, 13, 14, 15, 16, 17, 18].map((w, i) => [w, i + 1])) {
        ratios.push(
          (await agent(world(world_!, signal, { rows: 1500 }), 5, { seed: seed! })).sharpe,
        );
      }
      const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
      const squares = ratios.reduce((sum, ratio) => sum + (ratio - mean) ** 2, 0);
      return mean / Math.sqrt(squares / (ratios.length - 1) / ratios.length);
    };
    const t = await found(0);
    assert.ok(t < 1.89, `t of the mean Sharpe ratio, 7 degrees of freedom: ${t}`);
    const planted = await found(0.08);
    assert.ok(planted > 4, `the same look at a planted signal does find it: ${planted}`);
  });
});
