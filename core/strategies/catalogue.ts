import { z } from 'zod';
import { RatchetError } from '../errors.ts';
import { advisedSize } from './advised-size.ts';
import { bollinger } from './bollinger.ts';
import { buyAndHold } from './buy-and-hold.ts';
import { hybrid } from './hybrid.ts';
import { macd } from './macd.ts';
import { modelFilter } from './model-filter.ts';
import { modelSignal } from './model-signal.ts';
import { regime } from './regime.ts';
import { rsi } from './rsi.ts';
import { smaCross } from './sma-cross.ts';
import type { AdviceUse, Nested, Strategy, StrategySpec } from './strategy.ts';
import { volatilityTarget } from './volatility-target.ts';

/** Strategies inside strategies, the outermost counted. */
export const STRATEGY_DEPTH_MAX = 4;
/** Strategies in one tree: each costs a pass over the bars. */
export const STRATEGY_COUNT_MAX = 32;

type NestedSchema = z.ZodType<StrategySpec>;

/** All strategies; those that have others inside take the schema of these. A new one: a file in this folder and a line here. */
const catalogueOf = (nested: NestedSchema): readonly Strategy[] => [
  buyAndHold,
  smaCross,
  macd,
  rsi,
  bollinger,
  volatilityTarget(nested),
  regime(nested),
  hybrid(nested),
  modelSignal(nested),
  modelFilter(nested),
  advisedSize(nested),
];

/** What may stand `depth` deep at most: the schema is finite, and so is every spec that it takes. */
function schemaOf(depth: number): NestedSchema {
  if (depth === 0) {
    const tooDeep = `strategies stand at most ${STRATEGY_DEPTH_MAX} deep in one another`;
    // Without `abort` the checks of whole trees would walk what is too deep to be walked.
    return z
      .unknown()
      .refine(() => false, { error: tooDeep, abort: true }) as z.ZodType as NestedSchema;
  }
  const alternatives = catalogueOf(schemaOf(depth - 1)).map((strategy) =>
    strategy.params.safeExtend({ kind: z.literal(strategy.name).describe(strategy.docs) }),
  );
  return z
    .discriminatedUnion(
      'kind',
      alternatives as [(typeof alternatives)[number], ...typeof alternatives],
    )
    .meta({ id: `strategy${depth}` }) as z.ZodType as NestedSchema;
}

const anySpec = schemaOf(STRATEGY_DEPTH_MAX);

/** The catalogue. */
export const strategies: readonly Strategy[] = catalogueOf(schemaOf(STRATEGY_DEPTH_MAX - 1));

/** The strategy of that name; throws `strategies.unknown`. */
export function strategyOrThrow(name: string): Strategy {
  const found = strategies.find((strategy) => strategy.name === name);
  if (found) return found;
  const known = strategies.map((strategy) => strategy.name);
  throw new RatchetError(
    'strategies.unknown',
    `no strategy is named "${name}"; there are ${known.join(', ')}`,
    { details: { name, known } },
  );
}

export const nestedOf = (spec: StrategySpec): readonly Nested[] =>
  strategyOrThrow(spec.kind).nested?.(spec) ?? [];

/** A strategy and all inside it. */
export const treeOf = (spec: StrategySpec): readonly StrategySpec[] => [
  spec,
  ...nestedOf(spec).flatMap((nested) => treeOf(nested.spec)),
];

/** Does it ask a model, itself or inside? */
export const needsModel = (spec: StrategySpec): boolean =>
  treeOf(spec).some((one) => {
    const { traits, asksModel } = strategyOrThrow(one.kind);
    return traits.readsModel && (asksModel?.(one) ?? true);
  });

/** How a strategy itself takes advice; undefined: it takes none. */
export const adviceOf = (spec: StrategySpec): AdviceUse | undefined =>
  strategyOrThrow(spec.kind).advice?.(spec);

/** Places inside a strategy that take advice from others than the rule. */
const advisedInside = (spec: StrategySpec): readonly string[] =>
  treeOf(spec)
    .slice(1)
    .filter((one) => (adviceOf(one)?.by ?? 'rule') !== 'rule')
    .map(({ kind }) => kind);

/** Fallbacks in a tree that ask a model themselves, by their place. */
function modelsInFallbacks(spec: StrategySpec, at: string): readonly string[] {
  return nestedOf(spec).flatMap((nested) => {
    const place = at === '' ? nested.slot : `${at}.${nested.slot}`;
    const own = nested.fallback && needsModel(nested.spec) ? [place] : [];
    return [...own, ...modelsInFallbacks(nested.spec, place)];
  });
}

/**
 * A strategy with all settings: what it gives fills in the defaults, of nested strategies too. At most
 * `STRATEGY_DEPTH_MAX` deep and `STRATEGY_COUNT_MAX` in number; a fallback asks no model.
 */
export const strategySpecSchema: NestedSchema = anySpec.superRefine((spec, ctx) => {
  const count = treeOf(spec).length;
  if (count > STRATEGY_COUNT_MAX) {
    const message = `${count} strategies; at most ${STRATEGY_COUNT_MAX} stand in one another`;
    ctx.addIssue({ code: 'custom', message });
  }
  for (const place of modelsInFallbacks(spec, '')) {
    const message = `${place} asks a model itself: a fallback decides where the model gave no answer`;
    ctx.addIssue({ code: 'custom', message });
  }
  for (const kind of advisedInside(spec)) {
    const message = `${kind} inside another strategy takes its sizes by the rule: history and endpoints speak of whole strategies`;
    ctx.addIssue({ code: 'custom', message });
  }
});
