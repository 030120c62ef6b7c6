import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sql } from 'kysely';
import { listAudit } from '../../registry/audit.ts';
import { openArtifactStore } from '../../registry/artifacts.ts';
import { registerVersion, reserveVersion } from '../../registry/models.ts';
import { findInconsistencies } from '../../registry/reconcile.ts';
import { getUpload, readUpload, recordUpload } from '../../registry/uploads.ts';
import { openTestDatabase } from '../support/postgres.ts';
import {
  addExperiment,
  addModel,
  crown,
  MODEL,
  registration,
  reservation,
} from '../support/registry-facts.ts';

/** A registry in order: one champion with a package of one file, and one uploaded file. */
async function world(t: { after(end: () => Promise<void>): void }) {
  const stateDir = await mkdtemp(join(tmpdir(), 'ratchet-reconcile-'));
  const { db, close } = await openTestDatabase();
  t.after(async () => {
    await close();
    await rm(stateDir, { recursive: true, force: true });
  });
  const artifacts = openArtifactStore({ s3: undefined, stateDir });
  await addModel(db);
  await addExperiment(db, 1);
  const { version } = await reserveVersion(db, reservation(1));
  const graph = await artifacts.put(Buffer.from('onnx'));
  const files = [{ path: 'model.onnx', bytes: graph.bytes, sha256: graph.sha256 }];
  const manifest = await artifacts.put(Buffer.from(JSON.stringify({ files })));
  const evaluation = await artifacts.put(Buffer.from('{}'));
  await registerVersion(db, {
    ...registration(version),
    manifestUri: manifest.uri,
    packageDigest: manifest.sha256,
    evaluationUri: evaluation.uri,
  });
  await crown(db, version, 1);
  const upload = await artifacts.put(Buffer.from('Date,Close'));
  const { sha256, bytes, uri: artifactUri } = upload;
  const named = { fileName: 'C:\\data\\my\u0000bars.csv', actor: 'key-1', requestId: 'r' };
  await recordUpload(db, { sha256, bytes, artifactUri, ...named });
  const lose = (digest: string) =>
    rm(join(stateDir, 'artifacts', 'cas', digest.slice(0, 2), digest));
  return { db, artifacts, lose, graph, manifest, evaluation, upload };
}

test('a registry in order has no inconsistency', async (t) => {
  const { db, artifacts } = await world(t);
  assert.deepEqual(await findInconsistencies(db, artifacts), []);
});

test('every artifact that is named and missing is told, twice the same', async (t) => {
  const { db, artifacts, lose, graph, evaluation, upload } = await world(t);
  for (const { sha256 } of [graph, evaluation, upload]) await lose(sha256);
  const found = await findInconsistencies(db, artifacts);
  assert.deepEqual(found, [
    { object: `upload/${upload.sha256}`, problem: `its bytes are missing: ${upload.uri}` },
    { object: `version/${MODEL}/1`, problem: `model.onnx is missing: ${graph.uri}` },
    { object: `version/${MODEL}/1`, problem: `the evaluation is missing: ${evaluation.uri}` },
  ]);
  assert.deepEqual(await findInconsistencies(db, artifacts), found);
});

test('a lost manifest, and a champion that history and state disagree on, are told', async (t) => {
  const { db, artifacts, lose, manifest } = await world(t);
  await lose(manifest.sha256);
  await db.updateTable('model_state').set({ champion_version: null }).execute();
  const found = await findInconsistencies(db, artifacts);
  assert.deepEqual(
    found.map(({ object }) => object),
    [`model/${MODEL}`, `version/${MODEL}/1`],
  );
  assert.match(found[0]?.problem ?? '', /state names version null, its history version 1/);
  assert.match(found[1]?.problem ?? '', /^manifest\.json: .*no artifact/);
});

test('an upload is recorded once, under a name without folders; its bytes are checked', async (t) => {
  const { db, artifacts, upload } = await world(t);
  const { sha256, bytes, uri: artifactUri } = upload;
  const again = { sha256, bytes, artifactUri, fileName: 'other.csv', actor: 'key-2' };
  const row = await recordUpload(db, again);
  assert.deepEqual([row.file_name, row.actor, row.bytes], ['mybars.csv', 'key-1', 10]);
  assert.equal(Buffer.from(await readUpload(db, artifacts, sha256)).toString(), 'Date,Close');
  assert.equal(await getUpload(db, 'f'.repeat(64)), undefined);
  const unknown = readUpload(db, artifacts, 'f'.repeat(64));
  await assert.rejects(unknown, { code: 'upload.unknown' });
  const records = await listAudit(db, { limit: 10, object: `upload/${sha256}` });
  assert.equal(records.length, 1);
});

test('the audit is read newest first, in pages, by actor', async (t) => {
  const { db } = await world(t);
  const all = await listAudit(db, { limit: 100 });
  assert.deepEqual(
    all.map(({ action }) => action),
    ['upload.create', 'version.register', 'experiment.create', 'model.create'],
  );
  const first = await listAudit(db, { limit: 2 });
  const second = await listAudit(db, { limit: 2, before: first[1]!.id });
  assert.deepEqual([...first, ...second], all);
  // As of a transaction that began before, and wrote later.
  await sql`UPDATE audit SET at = at - interval '1 day' WHERE id = ${all[0]!.id}`.execute(db);
  const later = await listAudit(db, { limit: 3 });
  assert.deepEqual(
    [...later, ...(await listAudit(db, { limit: 3, before: later[2]!.id }))].map(({ id }) => id),
    [...all.slice(1), all[0]!].map(({ id }) => id),
  );
  await assert.rejects(listAudit(db, { limit: 3, before: '9' }), { code: 'query.cursor' });
  const ofWorkflow = await listAudit(db, { limit: 9, actor: 'workflow' });
  assert.deepEqual(
    ofWorkflow.map(({ action }) => action),
    ['version.register'],
  );
});
