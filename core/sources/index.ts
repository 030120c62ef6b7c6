import { ccxt } from './ccxt.ts';
import { csv } from './csv.ts';
import { duckdb } from './duckdb.ts';
import { SourceError } from './errors.ts';
import { parquet } from './parquet.ts';
import { postgres } from './postgres.ts';
import { simulated } from './simulated.ts';
import type { SourceDescriptor } from './source.ts';
import { upbit } from './upbit.ts';
import { yahoo } from './yahoo.ts';

/** The catalogue of sources by name. */
export const sources: ReadonlyMap<string, SourceDescriptor> = new Map(
  [ccxt, csv, duckdb, parquet, postgres, simulated, upbit, yahoo].map((source) => [
    source.name,
    source as SourceDescriptor,
  ]),
);

/** The source with this name; throws `source.unknown`. */
export function sourceOrThrow(name: string): SourceDescriptor {
  const source = sources.get(name);
  if (source) return source;
  const known = [...sources.keys()].join(', ');
  throw new SourceError('source.unknown', `no source "${name}"; there are: ${known}`);
}
