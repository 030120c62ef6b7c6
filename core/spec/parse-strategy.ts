import { strategySpecSchema, type StrategySpec } from '../strategies/index.ts';
import { SpecError } from './spec-error.ts';
import { issuesOf } from './zod-issues.ts';

const MAX_ISSUES = 50;

/**
 * Turns a parsed YAML or JSON value into a strategy with every setting filled in. Throws SpecError (`spec.invalid`) with all
 * issues: each names its path (below `at`), what is wrong and what to do.
 */
export function parseStrategy(value: unknown, at: readonly PropertyKey[] = []): StrategySpec {
  const parsed = strategySpecSchema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw new SpecError(issuesOf(parsed.error, strategySpecSchema, at).slice(0, MAX_ISSUES));
}
