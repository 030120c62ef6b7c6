/** The catalogues of searches and pruners: a new one is a file beside these and a line here. */
import { RatchetError } from '../errors.ts';
import { grid } from './grid.ts';
import { noPruning } from './no-pruning.ts';
import type { Pruner } from './pruner.ts';
import { random } from './random.ts';
import type { SearchMethod } from './search-method.ts';
import { successiveHalving } from './successive-halving.ts';
import { tpe } from './tpe.ts';

export const searchMethods: readonly SearchMethod[] = [tpe, random, grid];
export const pruners: readonly Pruner[] = [noPruning, successiveHalving];

/** The search of that name; throws `search.unknown-method` with the names there are. */
export const searchMethodOrThrow = (name: string): SearchMethod =>
  namedOrThrow(searchMethods, name, 'search');

/** The pruner of that name; throws `search.unknown-pruner` with the names there are. */
export const prunerOrThrow = (name: string): Pruner => namedOrThrow(pruners, name, 'pruner');

function namedOrThrow<T extends { readonly name: string }>(
  all: readonly T[],
  name: string,
  kind: 'search' | 'pruner',
): T {
  const found = all.find((entry) => entry.name === name);
  if (found) return found;
  const code = kind === 'search' ? 'search.unknown-method' : 'search.unknown-pruner';
  const names = all.map((entry) => entry.name).join(', ');
  throw new RatchetError(code, `no ${kind} "${name}"; there are ${names}`, { details: { name } });
}
