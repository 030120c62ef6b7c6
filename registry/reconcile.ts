import type { Manifest } from '../core/packages/manifest.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { getJson, refOf, sha256OfUri } from './artifacts.ts';
import { ArtifactError } from './artifact-content.ts';
import type { Db } from './in-transaction.ts';

/** Something that PostgreSQL names and that is not as it says. */
export interface Inconsistency {
  /** What names it, e.g. `version/index-gspc/3`. */
  readonly object: string;
  readonly problem: string;
}

/** Rows looked at in one query. */
const PAGE = 500;

/**
 * Compares what PostgreSQL says with what lies in the artifact store: every artifact that a registered
 * version, a dataset version or an upload names must be there, a champion must be a registered version,
 * and the current champion must be the one that `model_state` names. Reads only; the same answer twice
 * where nothing changed between. Bytes are not read again, except manifests.
 */
export async function findInconsistencies(
  db: Db,
  artifacts: ArtifactStore,
): Promise<Inconsistency[]> {
  const found = [
    ...(await checkVersions(db, artifacts)),
    ...(await checkArtifactsOf(db, artifacts)),
    ...(await checkChampions(db)),
  ];
  return found.sort((a, b) => (a.object + a.problem < b.object + b.problem ? -1 : 1));
}

async function checkVersions(db: Db, artifacts: ArtifactStore): Promise<Inconsistency[]> {
  const found: Inconsistency[] = [];
  const rows = await db
    .selectFrom('model_version')
    .select(['model', 'version', 'manifest_uri', 'evaluation_uri', 'attachments'])
    .where('status', '=', 'registered')
    .execute();
  for (const row of rows) {
    const object = `version/${row.model}/${row.version}`;
    const problems = [
      ...(await packageProblems(artifacts, row.manifest_uri)),
      ...(await missingProblems(artifacts, [
        ['the evaluation', row.evaluation_uri],
        ...row.attachments.map(({ name, uri }) => [name, uri] as const),
      ])),
    ];
    found.push(...problems.map((problem) => ({ object, problem })));
  }
  return found;
}

async function packageProblems(
  artifacts: ArtifactStore,
  manifestUri: string | null,
): Promise<string[]> {
  if (manifestUri === null) return ['it has no package'];
  try {
    const { files } = (await getJson(artifacts, refOf(sha256OfUri(manifestUri)))) as Manifest;
    return await missingProblems(
      artifacts,
      files.map(({ path, sha256 }) => [path, refOf(sha256).uri]),
    );
  } catch (error) {
    if (error instanceof ArtifactError) return [`manifest.json: ${error.message}`];
    throw error;
  }
}

async function missingProblems(
  artifacts: ArtifactStore,
  named: readonly (readonly [name: string, uri: string | null])[],
): Promise<string[]> {
  const problems: string[] = [];
  for (const [name, uri] of named) {
    if (uri === null) problems.push(`${name} is not recorded`);
    else if (!(await artifacts.has(sha256OfUri(uri)))) problems.push(`${name} is missing: ${uri}`);
  }
  return problems;
}

/** Bars of dataset versions and uploaded files. */
async function checkArtifactsOf(db: Db, artifacts: ArtifactStore): Promise<Inconsistency[]> {
  const found: Inconsistency[] = [];
  let after = '';
  for (;;) {
    const page = await db
      .selectFrom('dataset_version')
      .select([(eb) => eb.val('dataset').as('kind'), 'hash as name', 'artifact_uri as uri'])
      .where('hash', '>', after)
      .orderBy('hash')
      .limit(PAGE)
      .execute();
    found.push(...(await missingOf(artifacts, page)));
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) break;
    after = last.name;
  }
  const uploads = await db
    .selectFrom('upload')
    .select([(eb) => eb.val('upload').as('kind'), 'sha256 as name', 'artifact_uri as uri'])
    .execute();
  return [...found, ...(await missingOf(artifacts, uploads))];
}

async function missingOf(
  artifacts: ArtifactStore,
  rows: readonly { readonly kind: string; readonly name: string; readonly uri: string }[],
): Promise<Inconsistency[]> {
  const found: Inconsistency[] = [];
  for (const { kind, name, uri } of rows) {
    if (await artifacts.has(sha256OfUri(uri))) continue;
    found.push({ object: `${kind}/${name}`, problem: `its bytes are missing: ${uri}` });
  }
  return found;
}

async function checkChampions(db: Db): Promise<Inconsistency[]> {
  const rows = await db
    .selectFrom('model_state')
    .leftJoin('champion', (join) =>
      join.onRef('champion.model', '=', 'model_state.model').on('champion.valid_to', 'is', null),
    )
    .leftJoin('model_version', (join) =>
      join
        .onRef('model_version.model', '=', 'champion.model')
        .onRef('model_version.version', '=', 'champion.version'),
    )
    .select([
      'model_state.model as model',
      'model_state.champion_version as stated',
      'champion.version as current',
      'model_version.status as status',
    ])
    .execute();
  return rows.flatMap(({ model, stated, current, status }) => {
    const object = `model/${model}`;
    if (stated !== current) {
      const problem = `its state names version ${stated}, its history version ${current}`;
      return [{ object, problem }];
    }
    if (current === null || status === 'registered') return [];
    return [{ object, problem: `its champion, version ${current}, is ${status}` }];
  });
}
