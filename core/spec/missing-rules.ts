import type { MissingPolicy, MissingRules } from '../bars/index.ts';
import type { ExperimentSpec } from './spec.ts';

/** What a spec declares for missing bars of some of its instruments (default: all). */
export function missingRulesOf(
  { data }: Pick<ExperimentSpec, 'data'>,
  of: readonly { readonly id: string }[] = data.instruments,
): MissingRules {
  const ids = new Set(of.map(({ id }) => id));
  const own = data.instruments.flatMap(({ id, missing }): [string, MissingPolicy][] =>
    missing !== undefined && missing !== data.missing && ids.has(id) ? [[id, missing]] : [],
  );
  return {
    missing: data.missing,
    ...(own.length > 0 && { missingBy: Object.fromEntries(own) }),
    ...(data.missingHead === 'drop' && { missingHead: data.missingHead }),
  };
}
