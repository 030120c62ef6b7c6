import { Context } from '@temporalio/activity';
import { parseEvaluation, searchWords, spreadText } from '../core/evaluation/index.ts';
import type { Evaluation } from '../core/evaluation/index.ts';
import { outputsOf, type Prepared } from '../core/features/prepared.ts';
import { regressionLabelOrThrow } from '../core/labels/index.ts';
import type { FitBundle } from '../core/models/bundle.ts';
import { topFeatures } from '../core/models/trees/top-features.ts';
import { buildPackage } from '../core/packages/build.ts';
import type { PackageContent } from '../core/packages/build.ts';
import type { CardFacts } from '../core/packages/card.ts';
import { packagedMembers } from '../core/packages/members.ts';
import type { Manifest, PackagedLabel, Preprocessing } from '../core/packages/manifest.ts';
import {
  CALIBRATION_WINDOWS_MAX,
  NO_CONFIDENCE,
  evenlySpaced,
  reliabilityOf,
} from '../core/predict/index.ts';
import type { HorizonReliability } from '../core/predict/index.ts';
import { missingRulesOf } from '../core/spec/missing-rules.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { experimentSpecOrThrow, getExperimentOrThrow } from '../registry/experiments.ts';
import { unitDatasetHash } from '../registry/fitting-version.ts';
import { reservationTime, storePackage } from '../registry/packages.ts';
import { cachedStep } from '../registry/step-cache.ts';
import { reserveVersion } from '../registry/versions.ts';
import type { PackageInput, PackageResult } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';
import { forecastRows } from './forecast-rows.ts';
import { classConfidenceOf } from './package-class-confidence.ts';
import { calibrate, sampleWindows } from './package-confidence.ts';
import { compressionOf, goldenTolerance, packagedBundle } from './package-compression.ts';
import { outliersOf, safetyRules } from './package-safety.ts';
import { evaluatedFit, knownThrough, servedFit, type ServedFit } from './package-fits.ts';
import { withGraphs, withSession, type Graphs } from './package-graphs.ts';
import { goldenProbes, ownScalers, proveEquality, proveEvaluator } from './package-windows.ts';

/** Test windows whose stated confidence is compared with what happened; 3 s of a core. */
const RELIABILITY_WINDOWS_MAX = 250;

type Deps = Pick<ActivityDeps, 'db' | 'artifacts' | 'sign' | 'events' | 'codeVersion' | 'log'>;

/** Makes a version's package. Same inputs, same bytes: a repeat gives the same digest. */
export function createPackageActivities(deps: Deps) {
  return {
    async packageModel(input: PackageInput): Promise<PackageResult> {
      const { experimentId, unit, fit, evaluation } = input;
      const experiment = await getExperimentOrThrow(deps.db, experimentId);
      const { version } = await reserveVersion(deps.db, {
        model: unit.model,
        reservationKey: `${experimentId}/${unit.model}`,
        experimentId,
        family: fit.family,
        seed: fit.seed,
        instruments: unit.instruments,
        specHash: experiment.spec_hash,
        datasetHash: unitDatasetHash(input.datasets),
      });
      const made = await reservationTime(deps.db, unit.model, version);
      const inputs = [fit.fitted.sha256, input.prepared.sha256, evaluation.evaluation.sha256];
      if (input.refit) inputs.push(input.refit.fit.fitted.sha256, input.refit.rows.sha256);
      inputs.push(...shaOf(input.fits), ...shaOf(input.refit?.fits));
      const { result, cached } = await cachedStep(
        deps,
        { step: 'package', key: [unit.model, version, experiment.spec_hash, ...inputs] },
        () => makePackage(deps, input, { version, made, experiment }),
      );
      await deps.events.append({
        experimentId,
        kind: 'stage',
        stage: 'package',
        model: unit.model,
        payload: { version, cached, ...result },
        dedupeKey: `stage/package/${unit.model}`,
      });
      return { version, manifest: result.manifest, packageDigest: result.packageDigest };
    },
  };
}

const shaOf = (fits: PackageInput['fits']): string[] =>
  (fits ?? []).map(({ fitted }) => fitted.sha256);

interface Facts {
  readonly version: number;
  readonly made: Date;
  readonly experiment: { readonly spec_hash: string; readonly workflow_id: string };
}

/** Reports liveness and throws where the activity was cancelled. */
async function breathe(): Promise<void> {
  const context = Context.current();
  context.heartbeat();
  if (context.cancellationSignal.aborted) await context.cancelled;
}

async function makePackage(deps: Deps, input: PackageInput, facts: Facts) {
  const spec = await experimentSpecOrThrow(deps.db, input.experimentId);
  const evaluated = await evaluatedFit(deps, input);
  const served = await servedFit(deps, input, evaluated);
  const { prepared, bundle } = served;
  const evaluation = parseEvaluation(await deps.artifacts.get(input.evaluation.evaluation));
  const compression = await compressionOf(deps, input, evaluated, spec, () =>
    Context.current().heartbeat(),
  );
  // A refit has no rows left to be calibrated on: its twin has.
  const confidence = await withGraphs(
    packagedBundle(evaluated.bundle, compression),
    spec,
    (graphs) => confidenceOf(graphs, evaluated.prepared, spec),
  );
  // The proof is of the graph as trained; what a smaller one changes was measured.
  const difference = await withSession(bundle.graphs.model, async (session) => {
    await proveEvaluator(session, prepared, bundle);
    return proveEquality(session, prepared, bundle.probes);
  });
  const packaged = packagedBundle(bundle, compression);
  const built = await withGraphs(packaged, spec, async (graphs) => {
    const content: PackageContent = {
      manifest: {
        ...manifestOf(deps, input, served, facts),
        ...declaredColumns(spec),
        ...(compression && { compression }),
      },
      model: packaged.graphs.model,
      monteCarlo: graphs.monteCarlo && packaged.graphs.monteCarlo?.graph,
      trees: bundle.native,
      preprocessing: {
        ...preprocessingOf(prepared, spec, confidence.calibration, evaluation),
        ...ownScalers(graphs.session, prepared),
      },
      golden: await goldenProbes(
        graphs.session,
        prepared,
        graphs.monteCarlo,
        goldenTolerance(compression),
      ),
      outliers: await outliersOf(prepared, breathe),
      evaluation,
      card: cardOf(evaluation, bundle, confidence.reliability, difference),
    };
    const { reliability } = confidence;
    return { ...buildPackage(content, deps.sign), reliability };
  });
  const manifest = await storePackage(deps.db, deps.artifacts, built.files);
  const { packageDigest, reliability } = built;
  deps.log.info({ model: input.unit.model, version: facts.version, difference }, 'packaged');
  return { manifest, packageDigest, difference, reliability, ...(compression && { compression }) };
}

interface Confidence {
  readonly calibration: Preprocessing['confidence'];
  /** On the test part; empty without a calibration. */
  readonly reliability: readonly HorizonReliability[];
}

/** Calibrates on the validation part, then looks at how it does on the test part. */
async function confidenceOf(
  { session, monteCarlo, noiseWidth }: Graphs,
  prepared: Prepared,
  spec: ExperimentSpec,
): Promise<Confidence> {
  const onChunk = (): void => Context.current().heartbeat();
  if (spec.confidence.method === 'probability') {
    return classConfidenceOf({ session, prepared, onChunk });
  }
  if (!monteCarlo) return { calibration: NO_CONFIDENCE, reliability: [] };
  const { method, samples } = spec.confidence;
  const source = { ...prepared, featureCount: prepared.featureNames.length };
  const windowsOf = async (part: Int32Array, max: number) => {
    const rows = evenlySpaced(part, max);
    const forecasts = await forecastRows(session, source, rows, {
      lookback: prepared.lookback,
      outputs: outputsOf(prepared),
      onChunk,
    });
    const sampling = { prepared, monteCarlo, samples, onWindow: breathe };
    return sampleWindows(sampling, rows, forecasts);
  };
  const valid = await windowsOf(prepared.split.valid, CALIBRATION_WINDOWS_MAX);
  const calibration = calibrate(valid, prepared, { method, samples, noiseWidth });
  const test = await windowsOf(prepared.split.test, RELIABILITY_WINDOWS_MAX);
  const label = regressionLabelOrThrow(prepared.labelKind);
  return { calibration, reliability: reliabilityOf(test, calibration, prepared.horizons, label) };
}

function labelOf({ labelKind: kind, horizons, labelParams: params }: Prepared): PackagedLabel {
  return { kind, horizons, ...(Object.keys(params).length > 0 && { params }) };
}

/** Columns of the spec's own travel with the package: no catalogue has them. */
const declaredColumns = ({ features }: ExperimentSpec): Pick<Manifest, 'featureColumns'> =>
  'columns' in features ? { featureColumns: features.columns } : {};

function manifestOf(
  deps: Deps,
  { unit, fit, fits, datasets }: PackageInput,
  { prepared, bundle, refit }: ServedFit,
  { version, made, experiment }: Facts,
): Omit<Manifest, 'format' | 'files'> {
  const members = packagedMembers(bundle.summary);
  return {
    model: unit.model,
    version,
    family: fit.family,
    instruments: unit.instruments,
    timeframe: prepared.timeframe,
    featureSet: prepared.featureSet,
    featureHash: prepared.featureHash,
    label: labelOf(prepared),
    lookback: prepared.lookback,
    datasetHash: unitDatasetHash(datasets),
    specHash: experiment.spec_hash,
    seed: fit.seed,
    ...(fits && { seeds: fits.map(({ seed }) => seed) }),
    weightsDigest: bundle.summary.weightsDigest,
    trainedThrough: knownThrough({ prepared, bundle }),
    ...(refit && { refit }),
    ...(members && { members }),
    workflowId: experiment.workflow_id,
    codeVersion: deps.codeVersion,
    libraries: bundle.libraries,
    createdAt: made.toISOString(),
  };
}

function preprocessingOf(
  prepared: Prepared,
  spec: ExperimentSpec,
  confidence: Preprocessing['confidence'],
  evaluation: Evaluation,
): Preprocessing {
  return {
    featureSet: prepared.featureSet,
    featureNames: prepared.featureNames,
    lookback: prepared.lookback,
    label: labelOf(prepared),
    ...(prepared.classes && { classes: prepared.classes }),
    scalers: prepared.scalers,
    ...(prepared.outliers && { trainingOutliers: prepared.outliers }),
    ...missingRulesOf(spec, prepared.instruments),
    calendar: prepared.calendar,
    timeframe: prepared.timeframe,
    expiresAfter: spec.serving.expiresAfter,
    fallback: spec.serving.fallback,
    confidence,
    ...safetyRules(prepared, spec.serving),
    ...(spec.serving.recommendation && { recommendation: spec.serving.recommendation }),
    beatsNaive: evaluation.beatsNaive,
  };
}

/** Features that the card names. */
const CARD_FEATURES_MAX = 15;

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function cardOf(
  evaluation: Evaluation,
  { summary, context }: FitBundle,
  reliability: readonly HorizonReliability[],
  difference: number,
): CardFacts {
  const { train, valid, test } = evaluation.split;
  const model = evaluation.forecasters.find(({ kind }) => kind === 'model');
  const coverage = reliability.flatMap(({ horizon, coverage80, rows }) =>
    coverage80 === null ? [] : [`${percent(coverage80)} at ${horizon} bars (${rows} windows)`],
  );
  return {
    split: Object.entries({ train, valid, test }).map(([part, facts]) => ({ part, ...facts })),
    metrics: (model?.byHorizon ?? []).map(({ horizon, metrics }) => ({
      horizon,
      values: Object.fromEntries(Object.entries(metrics).map(([name, { value }]) => [name, value])),
    })),
    importance: topFeatures(summary.importance ?? [], context.featureNames, CARD_FEATURES_MAX),
    verdict: evaluation.verdict,
    limits: [
      ...(evaluation.search ? [searchWords(evaluation.search)] : []),
      ...(evaluation.folds ? [spreadText(evaluation.folds)] : []),
      ...evaluation.notTested,
      ...evaluation.warnings,
      ...(coverage.length > 0
        ? [`On the test part the 80 % interval held ${coverage.join(', ')}.`]
        : []),
      `The graph equals the trained model to ${difference.toExponential(1)} of the label's scale.`,
    ],
  };
}
