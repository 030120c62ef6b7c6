import type { ApiClient, Json } from './http.ts';
import { CliError, EXIT } from './output.ts';

/** Dataset versions that are looked through for the newest of each instrument. */
const LISTED_MAX = 500;
/** Instruments whose bars are fetched; each is some megabytes. */
const INSTRUMENTS_MAX = 128;

/** A frozen version of the bars of an instrument. */
export interface FrozenVersion {
  readonly hash: string;
  readonly instrument: string;
  readonly timeframe: string;
  readonly rows: number;
}

/** The newest version of each instrument and timeframe; throws `CliError` where there is none of a wanted one. */
export async function newestVersions(
  client: ApiClient,
  wanted: readonly string[] | undefined,
): Promise<readonly FrozenVersion[]> {
  const queries = wanted?.map((instrument) => ({ instrument, limit: LISTED_MAX })) ?? [
    { limit: LISTED_MAX },
  ];
  const newest = new Map<string, FrozenVersion>();
  for (const query of queries) {
    const { items } = await client.json('GET', '/api/v1/dataset-versions', { query });
    for (const row of items as Json[]) {
      const version = row as unknown as FrozenVersion;
      const key = `${version.instrument} ${version.timeframe}`;
      if (!newest.has(key)) newest.set(key, version);
    }
  }
  const versions = [...newest.values()];
  const missing = wanted?.filter((id) => !versions.some(({ instrument }) => instrument === id));
  if (missing && missing.length > 0) {
    throw new CliError(EXIT.notFound, `no bars of ${missing.join(', ')} were frozen yet`, {
      hint: '`ratchet datasets INSTRUMENT` lists the frozen versions; an experiment freezes them',
    });
  }
  if (versions.length === 0) {
    throw new CliError(EXIT.notFound, 'no bars were frozen yet', {
      hint: 'run an experiment first: `ratchet run`',
    });
  }
  return versions.slice(0, INSTRUMENTS_MAX);
}

/** The bars of a version as the Parquet file that they were frozen in. */
export async function frozenFile(client: ApiClient, hash: string): Promise<Uint8Array> {
  const response = await client.send('GET', `/api/v1/dataset-versions/${hash}/bars`);
  return new Uint8Array(await response.arrayBuffer());
}
