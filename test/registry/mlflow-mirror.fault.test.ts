import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openArtifactStore } from '../../registry/artifacts.ts';
import { openMlflowClient } from '../../registry/mlflow-client.ts';
import { mirrorMessage } from '../../registry/mlflow-mirror.ts';
import { registerVersion, reserveVersion } from '../../registry/models.ts';
import { deliverNext, outboxState } from '../../registry/outbox.ts';
import { skipMlflow, startMlflow } from '../support/mlflow.ts';
import { openTestDatabase } from '../support/postgres.ts';
import {
  addExperiment,
  addModel,
  MODEL,
  registration,
  reservation,
} from '../support/registry-facts.ts';
import { startReplyDropper } from '../support/reply-dropper.ts';
import { rounds } from '../support/rounds.ts';

const DROP_SHARE = 0.1;
const SEED = Number(process.env['RATCHET_FAULT_SEED'] ?? 20_261_121);
/** A message needs about ten answers: with one in ten lost, three in ten attempts succeed. */
const ATTEMPTS_PER_MESSAGE = 100;

test(
  'every tenth answer of MLflow is lost after it acted: still one of each',
  {
    skip: skipMlflow,
    timeout: 900_000,
  },
  async (t) => {
    const versions = rounds(10, 100);
    const mlflow = await startMlflow();
    const dropper = await startReplyDropper(mlflow.url, DROP_SHARE, SEED);
    const stateDir = await mkdtemp(join(tmpdir(), 'ratchet-dropped-'));
    const { db, close } = await openTestDatabase();
    t.after(async () => {
      await close();
      await dropper.close();
      await mlflow.stop();
      await rm(stateDir, { recursive: true, force: true });
    });
    const artifacts = openArtifactStore({ s3: undefined, stateDir });
    await addModel(db);
    for (let n = 1; n <= versions; n++) {
      await addExperiment(db, n);
      const { version } = await reserveVersion(db, reservation(n));
      const manifest = await artifacts.put(Buffer.from(JSON.stringify({ version, files: [] })));
      const { uri: manifestUri, sha256: packageDigest } = manifest;
      const { uri: evaluationUri } = await artifacts.put(Buffer.from(`evaluation ${n}`));
      const facts = { ...registration(version), manifestUri, packageDigest, evaluationUri };
      await registerVersion(db, facts);
    }

    const parts = { db, artifacts, client: openMlflowClient(dropper.url) };
    for (let attempt = 0; (await outboxState(db)).open > 0; attempt++) {
      assert.ok(attempt < versions * ATTEMPTS_PER_MESSAGE, 'the outbox never gets empty');
      await db
        .updateTable('outbox')
        .set({ next_attempt_at: new Date(0) })
        .execute();
      await deliverNext(db, ({ message }) => mirrorMessage(parts, message));
    }
    t.diagnostic(`seed ${SEED}: ${versions} versions, ${dropper.dropped()} answers lost`);
    assert.ok(dropper.dropped() >= versions / 4, 'too few answers were lost to say anything');

    const client = openMlflowClient(mlflow.url);
    const mirrored = await client.modelVersions(MODEL);
    const numbers = mirrored.map(({ tags }) =>
      Number(tags.find(({ key }) => key === 'ratchet.version')?.value),
    );
    const expected = Array.from({ length: versions }, (_, i) => i + 1);
    assert.deepEqual(
      numbers.sort((a, b) => a - b),
      expected,
    );
    const experiment = await client.experimentByName(MODEL);
    assert.ok(experiment);
    for (const { run_id: runId, tags } of mirrored) {
      const key = tags.find((tag) => tag.key === 'ratchet.experiment')?.value;
      const filter = `tags.\`ratchet.run\` = '${key}/${MODEL}'`;
      const runs = await client.searchRuns(experiment.experiment_id, filter);
      assert.deepEqual(
        runs.map(({ info }) => info.run_id),
        [runId],
      );
    }
  },
);
