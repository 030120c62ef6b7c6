import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { PackageInput, PackageResult } from '../../activities/contracts.ts';
import { createPackageActivities } from '../../activities/package.ts';
import { evaluate } from '../../core/evaluation/index.ts';
import { encodePrepared } from '../../core/features/prepared.ts';
import type { Prepared } from '../../core/features/prepared.ts';
import { encodeBundle } from '../../core/models/bundle.ts';
import type { FitBundle } from '../../core/models/bundle.ts';
import type { VerifiedPackage } from '../../core/packages/verify.ts';
import type { ExperimentSpec } from '../../core/spec/spec.ts';
import { openDirectoryStore } from '../../registry/artifacts-directory.ts';
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import { experimentEvents } from '../../registry/experiments.ts';
import { loadPackage } from '../../registry/packages.ts';
import { plant } from '../core/evaluation/planted.ts';
import { testKeys, testSigner } from './model-package.ts';
import { openTestDatabase } from './postgres.ts';
import type { TestDatabase } from './postgres.ts';
import { MODEL, addExperiment, addModel, testSpec } from './registry-facts.ts';

/** A real database and artifact store around the packaging activity. */
export interface PackagingFixture {
  readonly database: TestDatabase;
  readonly artifacts: ArtifactStore;
  /** Stores a fit, its data and an evaluation, as the steps before packaging do. */
  inputOf(bundle: FitBundle, prepared: Prepared, spec?: ExperimentSpec): Promise<PackageInput>;
  /** One attempt; `environment` to listen to its heartbeats or to cancel it. */
  run(input: PackageInput, environment?: MockActivityEnvironment): Promise<PackageResult>;
  load(result: PackageResult): Promise<VerifiedPackage>;
  close(): Promise<void>;
}

/** An activity's context whose failures, which tests cause on purpose, are not logged. */
export const quietEnvironment = (): MockActivityEnvironment =>
  new MockActivityEnvironment(undefined, { logger: new DefaultLogger('ERROR') });

const confidence = { method: 'directional', samples: 20 };

export async function openPackagingFixture(): Promise<PackagingFixture> {
  const database = await openTestDatabase();
  const root = await mkdtemp(join(tmpdir(), 'ratchet-packaging-'));
  const artifacts = openDirectoryStore(root);
  const { db } = database;
  await addModel(db);
  let experiments = 0;
  const nothing = (): void => {};
  const { packageModel } = createPackageActivities({
    db,
    artifacts,
    sign: testSigner,
    events: experimentEvents(db),
    codeVersion: '1',
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  });
  return {
    database,
    artifacts,
    async inputOf(bundle, prepared, spec = testSpec({ confidence })) {
      const experimentId = await addExperiment(db, ++experiments, spec);
      return storeInput(artifacts, bundle, prepared, experimentId);
    },
    run: (input, environment = quietEnvironment()) => environment.run(packageModel, input),
    load: ({ version, packageDigest }) =>
      loadPackage({ db, artifacts }, { model: MODEL, version, packageDigest }, testKeys),
    async close() {
      await database.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function storeInput(
  artifacts: ArtifactStore,
  bundle: FitBundle,
  prepared: Prepared,
  experimentId: string,
): Promise<PackageInput> {
  const evaluation = evaluate(plant({ horizons: prepared.horizons, rows: 300 }).input);
  const report = await artifacts.put(new TextEncoder().encode(JSON.stringify(evaluation)));
  const data = await artifacts.put(encodePrepared(prepared));
  return {
    experimentId,
    unit: { model: MODEL, instruments: ['^GSPC'] },
    prepared: data,
    fit: {
      family: bundle.family,
      seed: bundle.seed,
      fitted: await artifacts.put(encodeBundle(bundle)),
      weightsDigest: bundle.summary.weightsDigest,
      bestValidLoss: 1,
      bestEpoch: 1,
      epochsRun: 1,
      attempt: 1,
      resumedFromEpoch: null,
      cached: false,
    },
    evaluation: {
      evaluation: report,
      servedSeed: 2,
      beatsNaive: evaluation.beatsNaive,
      verdict: evaluation.verdict,
    },
    datasets: [
      {
        instrument: '^GSPC',
        datasetHash: 'cd'.repeat(32),
        bars: data,
        firstBar: '2000-01-01T00:00:00.000Z',
        lastBar: '2018-12-31T00:00:00.000Z',
        deliveredBy: 'sp500-daily',
        cached: false,
      },
    ],
  };
}
