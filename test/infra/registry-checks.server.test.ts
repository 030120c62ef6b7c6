import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkRegistry } from '../../infra/stack/registry-checks.ts';
import { openArtifactStore } from '../../registry/artifacts.ts';
import { registerVersion, reserveVersion } from '../../registry/models.ts';
import { recordUpload } from '../../registry/uploads.ts';
import { openTestDatabase } from '../support/postgres.ts';
import {
  addExperiment,
  addModel,
  crown,
  MODEL,
  registration,
  reservation,
} from '../support/registry-facts.ts';

test('the registry is told in order, and each thing that is not as a sentence with a way out', async (t) => {
  const stateDir = await mkdtemp(join(tmpdir(), 'ratchet-doctor-'));
  const { db, close } = await openTestDatabase();
  t.after(async () => {
    await close();
    await rm(stateDir, { recursive: true, force: true });
  });
  const artifacts = openArtifactStore({ s3: undefined, stateDir });
  const lose = (digest: string) =>
    rm(join(stateDir, 'artifacts', 'cas', digest.slice(0, 2), digest));
  await addModel(db);
  await addExperiment(db, 1);
  const { version } = await reserveVersion(db, reservation(1));
  const graph = await artifacts.put(Buffer.from('onnx'));
  const { bytes, sha256 } = graph;
  const manifest = await artifacts.put(
    Buffer.from(JSON.stringify({ files: [{ path: 'model.onnx', bytes, sha256 }] })),
  );
  const names = { manifestUri: manifest.uri, packageDigest: manifest.sha256 };
  const evaluation = await artifacts.put(Buffer.from('{}'));
  const evaluationUri = evaluation.uri;
  await registerVersion(db, { ...registration(version), ...names, evaluationUri });
  await crown(db, version, 1);

  const [fine, ...others] = await checkRegistry(db, artifacts);
  assert.deepEqual([fine?.verdict, fine?.fix, others], ['ok', undefined, []]);

  await lose(graph.sha256);
  await db.updateTable('model_state').set({ champion_version: null }).execute();
  for (let n = 0; n < 20; n++) {
    const upload = await artifacts.put(Buffer.from(`Date,Close\n${n}`));
    await recordUpload(db, {
      ...{ sha256: upload.sha256, bytes: upload.bytes, artifactUri: upload.uri },
      ...{ fileName: 'bars.csv', actor: 'key-1', requestId: 'r' },
    });
    await lose(upload.sha256);
  }
  const found = await checkRegistry(db, artifacts);
  assert.equal(found.length, 21);
  for (const { check, detail, fix } of found) {
    assert.equal(check, 'registry');
    assert.ok(detail.length > 10 && fix !== undefined && fix.length > 10, detail);
  }
  const [model, , upload] = found;
  assert.equal(
    model?.detail,
    `model ${MODEL}: its state names version null, its history version 1`,
  );
  assert.match(model?.fix ?? '', /ratchet promote index-gspc/);
  assert.match(upload?.detail ?? '', /^uploaded file [0-9a-f]{12}: its bytes are missing: cas\//);
  assert.equal(upload?.verdict, 'warning');
  assert.deepEqual(
    [found.at(-1)?.detail, found.at(-1)?.verdict],
    ['2 more that do not fit', 'warning'],
  );

  await db.deleteFrom('upload').execute();
  const few = await checkRegistry(db, artifacts);
  assert.deepEqual(
    few.map(({ detail, verdict }) => [detail, verdict]),
    [
      [`model ${MODEL}: its state names version null, its history version 1`, 'failed'],
      [`version 1 of ${MODEL}: model.onnx is missing: ${graph.uri}`, 'failed'],
    ],
  );
  assert.match(few[1]?.fix ?? '', /ratchet model delete index-gspc --version-number 1/);
});
