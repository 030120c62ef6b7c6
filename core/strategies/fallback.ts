import type { z } from 'zod';
import { RatchetError } from '../errors.ts';
import { combine, type InSlot } from './decided.ts';
import type { Decided, ModelColumns, Nested, StrategyContext, StrategySpec } from './strategy.ts';

/** What decides where the model gave no answer. */
export const fallbackSetting = (nested: z.ZodType<StrategySpec>) =>
  nested
    .optional()
    .describe(
      'A strategy without a model, which decides where the model gave no answer; absent: flat.',
    );

export const nestedFallback = (fallback: StrategySpec | undefined): readonly Nested[] =>
  fallback === undefined ? [] : [{ slot: 'fallback', spec: fallback, fallback: true }];

/** The model's answers; throws `strategies.no-model` where there are none. */
export function modelOrThrow({ model }: StrategyContext, kind: string): ModelColumns {
  if (model) return model;
  throw new RatchetError('strategies.no-model', `${kind} needs the answers of a model`);
}

/** What `own` decided, but its fallback (flat without one) wherever the model failed. */
export function orFallback(
  context: StrategyContext,
  kind: string,
  own: Decided,
  fallback: StrategySpec | undefined,
): Decided {
  const failed = context.model?.failed;
  if (!failed) return own;
  const names = [...own.parts, { name: `${kind}.flat`, fallback: true }];
  const flat = own.parts.length;
  const inSlots: readonly InSlot[] =
    fallback === undefined
      ? []
      : [{ slot: 'fallback', of: context.decide(fallback), fallback: true }];
  return combine(kind, names, inSlots, context.rows, (t) => {
    if (failed[t] !== 1) return { own: own.decidedBy[t]!, position: own.positions[t]! };
    return fallback === undefined ? { own: flat, position: 0 } : { slot: 0 };
  });
}
