import { MockActivityEnvironment } from '@temporalio/testing';
import type { Kysely } from 'kysely';
import { createBuildFeaturesActivities } from '../../activities/build-features.ts';
import type {
  CollectResult,
  EvaluateResult,
  FitInput,
  FitResult,
  FittedFold,
} from '../../activities/contracts.ts';
import type { ActivityDeps } from '../../activities/deps.ts';
import { createEvaluateActivities } from '../../activities/evaluate.ts';
import { createExperimentRecordActivities } from '../../activities/experiment-record.ts';
import { createFitActivities } from '../../activities/fit.ts';
import { createPackageActivities } from '../../activities/package.ts';
import { createRegisterActivities } from '../../activities/register.ts';
import { parseEvaluation, type Evaluation } from '../../core/evaluation/index.ts';
import { fileOrThrow } from '../../core/packages/files.ts';
import type { VerifiedPackage } from '../../core/packages/verify.ts';
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import { loadPackage } from '../../registry/packages.ts';
import type { Database } from '../../registry/tables.ts';
import { createTrainer } from '../../workers/training-slot.ts';
import { openCollectFixture, type CollectSetup, type SpecData } from './collect-fixture.ts';
import { testKeys, testSigner } from './model-package.ts';

/** What the steps of one experiment gave, up to its registered version. */
export interface PipelineRun {
  readonly experimentId: string;
  readonly model: string;
  readonly version: number;
  readonly packageDigest: string;
  readonly datasets: readonly CollectResult[];
  readonly fits: readonly FitResult[];
  /** Older folds. */
  readonly folds: readonly FittedFold[];
  readonly refit: FitResult | undefined;
  /** Of every seed that is served. */
  readonly refits: readonly FitResult[];
  readonly evaluation: EvaluateResult;
}

export interface Pipeline {
  readonly db: Kysely<Database>;
  /** What the steps were made with, for tests of one more. */
  readonly deps: ActivityDeps;
  readonly artifacts: ArtifactStore;
  /** The steps of the workflow `experiment` for one unit, from bars to a version, with real activities. */
  run(spec: { readonly data: SpecData; readonly [field: string]: unknown }): Promise<PipelineRun>;
  /** The package of a run, verified as a replica does it, with its evaluation read. */
  load(run: PipelineRun): Promise<VerifiedPackage & { readonly evaluation: Evaluation }>;
  close(): Promise<void>;
}

const inStep = <I, O>(step: (input: I) => Promise<O>, input: I): Promise<O> =>
  new MockActivityEnvironment().run(step, input) as Promise<O>;

/** A real database, artifact store and training child around the steps of an experiment. */
export async function openPipeline(setup: CollectSetup = {}): Promise<Pipeline> {
  const fixture = await openCollectFixture();
  const collecting = fixture.depsOf(setup);
  const deps = {
    ...collecting,
    trainer: createTrainer({ log: collecting.log }),
    sign: testSigner,
    trustedKeys: testKeys,
  };
  const { openExperiment } = createExperimentRecordActivities(deps);
  const { buildFeatures } = createBuildFeaturesActivities(deps);
  const { fit } = createFitActivities(deps);
  const { evaluate } = createEvaluateActivities(deps);
  const { packageModel } = createPackageActivities(deps);
  const { register } = createRegisterActivities(deps);
  return {
    db: fixture.db,
    deps,
    artifacts: deps.artifacts,
    async run({ data, ...spec }) {
      const {
        id: experimentId,
        collected: datasets,
        validation,
      } = await fixture.run(deps, data, spec);
      const opened = await inStep(openExperiment, { experimentId });
      const [unit] = opened.units;
      const built = await inStep(buildFeatures, { experimentId, unit: unit!, datasets });
      const { prepared, refit: rows } = built;
      const input = { experimentId, unit: unit!, prepared };
      const fitsOf = async (fold?: FitInput['fold']) => {
        const fitOf = (family: string, seed: number) =>
          inStep(fit, { ...input, family, seed, ...(fold && { fold }) });
        const fits: FitResult[] = [];
        for (const seed of opened.seeds) fits.push(await fitOf(opened.family, seed));
        const baselines: FitResult[] = [];
        for (const family of opened.baselines) baselines.push(await fitOf(family, 0));
        return { fits, baselines };
      };
      const { fits, baselines } = await fitsOf();
      const folds: FittedFold[] = [];
      for (const [at, ref] of (built.folds ?? []).entries()) {
        folds.push({ rows: ref, ...(await fitsOf({ rows: ref, number: at + 1 })) });
      }
      const judged = { ...input, fits, baselines, folds, datasets, refit: rows };
      const evaluation = await inStep(evaluate, { ...judged, validation: await validation() });
      const served = fits.find(({ seed }) => seed === evaluation.servedSeed)!;
      const { family, seed } = served;
      const all = evaluation.serve === 'seedEnsemble' ? fits : undefined;
      const refits: FitResult[] = [];
      for (const { seed: own, fitted: twin } of rows ? (all ?? [served]) : []) {
        refits.push(
          await inStep(fit, { ...input, family, seed: own, refit: { rows: rows!, twin } }),
        );
      }
      const refit = refits.find(({ seed: own }) => own === seed);
      const packed = await inStep(packageModel, {
        ...input,
        fit: served,
        fits: all,
        evaluation,
        datasets,
        refit: rows && refit && { fit: refit, rows, ...(all && { fits: refits }) },
      });
      const registering = { experimentId, unit: unit!, package: packed, fits, evaluation };
      const { model, version } = await inStep(register, registering);
      const { packageDigest } = packed;
      return {
        experimentId,
        model,
        version,
        packageDigest,
        datasets,
        fits,
        folds,
        refit,
        refits,
        evaluation,
      };
    },
    async load({ model, version, packageDigest }) {
      const pkg = await loadPackage(deps, { model, version, packageDigest }, testKeys);
      return { ...pkg, evaluation: parseEvaluation(fileOrThrow(pkg.files, 'evaluation.json')) };
    },
    close: () => fixture.close(),
  };
}
