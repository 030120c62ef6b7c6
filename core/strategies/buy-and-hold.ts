import { z } from 'zod';
import { alone } from './decided.ts';
import { defineStrategy, type StrategySpec } from './strategy.ts';

/** The same position at every bar: what every strategy is compared with, or no position at all. */
export const buyAndHold = defineStrategy({
  name: 'buy-and-hold',
  title: 'Buy and hold',
  docs: 'The same position at every bar.',
  params: z.strictObject({
    position: z.number().min(-1).max(1).default(1).describe('-1 short, 0 flat, 1 long.'),
  }),
  traits: { readsModel: false },
  warmupBars: () => 0,
  memoryBars: () => 0,
  decide: ({ rows }, { position }) => alone('buy-and-hold', new Float64Array(rows).fill(position)),
});

const held = (position: number): StrategySpec => ({ kind: buyAndHold.name, position });
export const LONG: StrategySpec = held(1);
export const FLAT: StrategySpec = held(0);
