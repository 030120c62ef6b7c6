/** The catalogue of promotion policies: a new one is a file with `definePolicy` and a line here. */
import { RatchetError } from '../errors.ts';
import { beatsChampion } from './beats-champion.ts';
import { freshness } from './freshness.ts';
import { never } from './never.ts';
import type { Policy } from './policy.ts';
import { thompson } from './thompson.ts';

export const policies: readonly Policy[] = [beatsChampion, freshness, thompson, never];

/** The policy of that name; throws `policy.unknown` with the names there are. */
export function policyOrThrow(name: string): Policy {
  const policy = policies.find((p) => p.name === name);
  if (policy) return policy;
  const names = policies.map((p) => p.name).join(', ');
  throw new RatchetError('policy.unknown', `no policy "${name}"; there are ${names}`);
}
