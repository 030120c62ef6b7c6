import { sql, type Kysely, type Selectable } from 'kysely';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import type { ChampionTable, Database, RegisteredModelTable } from './tables.ts';

export type Champion = Selectable<ChampionTable>;

/** The version that serves `model` now; undefined before the first promotion. */
export async function currentChampion(
  db: Kysely<Database>,
  model: string,
): Promise<Champion | undefined> {
  return db
    .selectFrom('champion')
    .selectAll()
    .where('model', '=', model)
    .where('valid_to', 'is', null)
    .executeTakeFirst();
}

/** Who served `model` at `at` (wall time): valid_from <= at < valid_to. */
export async function championAt(
  db: Kysely<Database>,
  model: string,
  at: Date,
): Promise<Champion | undefined> {
  return db
    .selectFrom('champion')
    .selectAll()
    .where('model', '=', model)
    .where('valid_from', '<=', at)
    .where((eb) => eb.or([eb('valid_to', 'is', null), eb('valid_to', '>', at)]))
    .orderBy('generation', 'desc')
    .executeTakeFirst();
}

/** Generation of a model: 0 before its first promotion. */
export async function modelGeneration(db: Kysely<Database>, model: string): Promise<number> {
  const row = await db
    .selectFrom('model_state')
    .select('generation')
    .where('model', '=', model)
    .executeTakeFirst();
  return row?.generation ?? 0;
}

/** All that a replica must know of one version to serve it. */
export interface ServableVersion {
  readonly model: string;
  readonly version: number;
  readonly packageDigest: string;
  readonly manifestUri: string;
  readonly instruments: readonly string[];
  readonly experimentId: string;
  readonly beatsNaive: boolean;
  readonly createdAt: Date;
  readonly trainedThrough: Date | null;
  /** Where the bars it was trained on came from: serving reads the same ones. */
  readonly sources: ExperimentSpec['data']['sources'];
}

export interface ServedModel extends ServableVersion {
  readonly generation: number;
  readonly changedAt: Date;
}

type Sources = ServableVersion['sources'];
const SOURCES = sql<Sources | null>`(
  select experiment.spec -> 'data' -> 'sources' from experiment
  where experiment.id = model_version.experiment_id)`.as('sources');

/** Columns of `model_version` that `servable` reads. */
export const VERSION_COLUMNS = [
  'model_version.model as model',
  'model_version.version as version',
  'model_version.package_digest as package_digest',
  'model_version.manifest_uri as manifest_uri',
  'model_version.instruments as instruments',
  'model_version.experiment_id as experiment_id',
  'model_version.beats_naive as beats_naive',
  'model_version.created_at as created_at',
  'model_version.trained_through as trained_through',
  SOURCES,
] as const;

interface VersionRow {
  model: string;
  version: number;
  package_digest: string | null;
  manifest_uri: string | null;
  instruments: Selectable<RegisteredModelTable>['instruments'];
  experiment_id: string;
  beats_naive: boolean | null;
  created_at: Date;
  trained_through: Date | null;
  sources: Sources | null;
}

/** undefined where the version has no package (it failed, or was deleted). */
export function servable(row: VersionRow): ServableVersion | undefined {
  if (row.package_digest === null || row.manifest_uri === null) return undefined;
  return {
    model: row.model,
    version: row.version,
    packageDigest: row.package_digest,
    manifestUri: row.manifest_uri,
    instruments: row.instruments,
    experimentId: row.experiment_id,
    beatsNaive: row.beats_naive ?? false,
    createdAt: row.created_at,
    trainedThrough: row.trained_through,
    sources: row.sources ?? [],
  };
}

/** Every champion with its generation: what a replica polls once a second. */
export async function servedModels(db: Kysely<Database>): Promise<ServedModel[]> {
  const rows = await db
    .selectFrom('model_state')
    .innerJoin('model_version', (join) =>
      join
        .onRef('model_version.model', '=', 'model_state.model')
        .onRef('model_version.version', '=', 'model_state.champion_version'),
    )
    .innerJoin('registered_model', 'registered_model.name', 'model_state.model')
    .where('registered_model.retired_at', 'is', null)
    .select([...VERSION_COLUMNS, 'generation', 'changed_at'])
    .execute();
  const served: ServedModel[] = [];
  for (const row of rows) {
    const version = servable(row);
    if (version) served.push({ ...version, generation: row.generation, changedAt: row.changed_at });
  }
  return served;
}

/** One registered version, whether it serves or not; undefined where unknown or deleted. */
export async function servableVersion(
  db: Kysely<Database>,
  model: string,
  version: number,
): Promise<ServableVersion | undefined> {
  const row = await db
    .selectFrom('model_version')
    .where('model', '=', model)
    .where('version', '=', version)
    .where('status', '=', 'registered')
    .select([...VERSION_COLUMNS])
    .executeTakeFirst();
  return row ? servable(row) : undefined;
}

/** Newest row of the champion history first. */
export async function championHistory(
  db: Kysely<Database>,
  model: string,
  limit: number,
): Promise<Champion[]> {
  return db
    .selectFrom('champion')
    .selectAll()
    .where('model', '=', model)
    .orderBy('generation', 'desc')
    .limit(limit)
    .execute();
}
