import type { Manifest } from '../core/packages/manifest.ts';
import type { ArtifactStore } from './artifact-store.ts';
import { getJson, refOf, sha256OfUri } from './artifacts.ts';
import type { Db } from './in-transaction.ts';
import type { MlflowClient, MlflowModelVersion, MlflowRun } from './mlflow-client.ts';
import { logMissingParams, mirrorRuns, mlflowName } from './mlflow-runs.ts';
import type { ModelVersion } from './versions.ts';

const VERSION_TAG = 'ratchet.version';
export const CHAMPION_ALIAS = 'champion';

export interface MirrorParts {
  readonly db: Db;
  readonly artifacts: ArtifactStore;
  readonly client: MlflowClient;
}

/** A version with its run, metrics, plots, report and package; a deleted one goes from MLflow too. */
export async function mirrorVersion(
  parts: MirrorParts,
  model: string,
  version: number,
): Promise<MlflowModelVersion | undefined> {
  const { db, client } = parts;
  const row = await db
    .selectFrom('model_version')
    .selectAll()
    .where('model', '=', model)
    .where('version', '=', version)
    .executeTakeFirst();
  if (!row || row.status === 'reserved') return undefined;
  if (row.status === 'deleted') {
    await deleteMirrored(client, model, version);
    return undefined;
  }
  const run = await mirrorRuns(client, db, row.experiment_id, model);
  if (!run) return undefined;
  await logVersionFacts(client, run, row);
  await uploadFiles(parts, run, row);
  return ensureModelVersion(client, run, row);
}

/** Moves the alias to the version that is champion now, whatever the message said then. */
export async function mirrorChampion(parts: MirrorParts, model: string): Promise<void> {
  const { db, client } = parts;
  const champion = await db
    .selectFrom('champion')
    .select('version')
    .where('model', '=', model)
    .where('valid_to', 'is', null)
    .executeTakeFirst();
  if (!champion) {
    await client.deleteAlias(model, CHAMPION_ALIAS);
    return;
  }
  const mirrored = await mirrorVersion(parts, model, champion.version);
  if (mirrored) await client.setAlias(model, CHAMPION_ALIAS, mirrored.version);
}

async function logVersionFacts(
  client: MlflowClient,
  run: MlflowRun,
  row: ModelVersion,
): Promise<void> {
  const timestamp = row.created_at.getTime();
  const metrics = Object.entries(row.metrics ?? {}).flatMap(([key, value]) =>
    value !== null && Number.isFinite(value)
      ? [{ key: mlflowName(key), value, timestamp, step: 0 }]
      : [],
  );
  if (row.package_bytes !== null) {
    metrics.push({ key: 'packageBytes', value: row.package_bytes, timestamp, step: 0 });
  }
  await client.logBatch(run.info.run_id, {
    metrics,
    tags: {
      [VERSION_TAG]: String(row.version),
      'ratchet.packageDigest': row.package_digest ?? '',
      'ratchet.datasetHash': row.dataset_hash,
      'ratchet.beatsNaive': String(row.beats_naive ?? false),
      'mlflow.note.content': row.verdict ?? '',
    },
  });
  await logMissingParams(client, run, {
    servedSeed: String(row.seed ?? ''),
    trainedThrough: row.trained_through?.toISOString() ?? '',
  });
}

/** Writes each file at its own path, so that a repeat writes the same files again. */
async function uploadFiles(
  { db, artifacts, client }: MirrorParts,
  run: MlflowRun,
  row: ModelVersion,
): Promise<void> {
  for (const { name, uri, sha256 } of row.attachments) {
    const folder = name.endsWith('.png') ? 'plots/' : '';
    await client.uploadArtifact(run, `${folder}${name}`, await artifacts.get({ uri, sha256 }));
  }
  if (row.evaluation_uri !== null) {
    const bytes = await artifacts.get(refOf(sha256OfUri(row.evaluation_uri)));
    await client.uploadArtifact(run, 'evaluation.json', bytes);
  }
  if (row.manifest_uri === null) return;
  const manifestRef = refOf(sha256OfUri(row.manifest_uri));
  const { files } = (await getJson(artifacts, manifestRef)) as Manifest;
  for (const file of files) {
    const bytes = await artifacts.get(refOf(file.sha256));
    await client.uploadArtifact(run, `package/${file.path}`, bytes);
  }
  const signed = await db
    .selectFrom('package_signature')
    .select('signature')
    .where('package_digest', '=', manifestRef.sha256)
    .executeTakeFirst();
  if (signed) {
    const signature = Buffer.from(signed.signature, 'base64');
    await client.uploadArtifact(run, 'package/manifest.sig', signature);
  }
  // The manifest last: a package folder with a manifest is whole.
  const manifest = await artifacts.get(manifestRef);
  await client.uploadArtifact(run, 'package/manifest.json', manifest);
}

/** The one model version with our tag; doubles of an overlapping delivery are deleted. */
async function ensureModelVersion(
  client: MlflowClient,
  run: MlflowRun,
  row: ModelVersion,
): Promise<MlflowModelVersion> {
  const search = async (): Promise<MlflowModelVersion | undefined> => {
    const [first, ...doubles] = await tagged(client, row.model, row.version);
    for (const double of doubles) await client.deleteModelVersion(row.model, double.version);
    return first;
  };
  await client.ensureRegisteredModel(row.model, 'Mirrored from Ratchet; changes here are lost.');
  const found = await search();
  if (found) return found;
  const created = await client.createModelVersion({
    name: row.model,
    source: `${run.info.artifact_uri}/package`,
    runId: run.info.run_id,
    description: `Version ${row.version}. ${row.verdict ?? ''}`,
    tags: {
      [VERSION_TAG]: String(row.version),
      'ratchet.packageDigest': row.package_digest ?? '',
      'ratchet.experiment': row.experiment_id,
    },
  });
  return (await search()) ?? created;
}

async function deleteMirrored(client: MlflowClient, model: string, version: number): Promise<void> {
  for (const mirrored of await tagged(client, model, version)) {
    await client.deleteModelVersion(model, mirrored.version);
  }
}

async function tagged(
  client: MlflowClient,
  model: string,
  version: number,
): Promise<MlflowModelVersion[]> {
  const wanted = String(version);
  const versions = await client.modelVersions(model);
  return versions.filter(({ tags }) =>
    tags.some(({ key, value }) => key === VERSION_TAG && value === wanted),
  );
}
