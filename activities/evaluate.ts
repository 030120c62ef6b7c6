import { Context } from '@temporalio/activity';
import { calendarFor } from '../core/calendar/index.ts';
import {
  encodeTestRows,
  evaluate,
  flatMetrics,
  rowsByInstrument,
  testRowsOf,
  trainingByInstrument,
  type ChampionForecast,
  type Evaluation,
  type EvaluationInput,
  type NamedForecast,
  type SeedForecast,
} from '../core/evaluation/index.ts';
import { plotsOf } from '../core/evaluation/report/plots.ts';
import { renderReport } from '../core/evaluation/report/render.ts';
import { decodePrepared, outputsOf, samplesOf, type Prepared } from '../core/features/prepared.ts';
import { decodeRefit } from '../core/features/refit.ts';
import { labelKindOrThrow } from '../core/labels/index.ts';
import { decodeBundle, type FitBundle } from '../core/models/bundle.ts';
import { openSession } from '../core/onnx/session.impl.ts';
import type { QualityReport } from '../core/quality/report.ts';
import { outlierWords } from '../core/scaling/index.ts';
import { lossWeightsOf } from '../core/spec/loss-weights.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { currentChampion } from '../registry/champions.ts';
import { experimentSpecOrThrow } from '../registry/experiments.ts';
import { countGateTries } from '../registry/gate-tries.ts';
import type { ArtifactRef } from '../workflows/messages.ts';
import { forecastOfChampion } from './champion-forecast.ts';
import type { EvaluateInput, EvaluateResult, FitResult } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';
import { renderPng } from './evaluation-plots.ts';
import { forecastRows } from './forecast-rows.ts';

/** Judges a unit's seeds on the test rows: figures as JSON, a report as HTML, charts as PNG. */
export function createEvaluateActivities(deps: ActivityDeps) {
  return {
    async evaluate(input: EvaluateInput): Promise<EvaluateResult> {
      const heartbeat = (): void => Context.current().heartbeat();
      const spec = await experimentSpecOrThrow(deps.db, input.experimentId);
      const prepared = decodePrepared(await deps.artifacts.get(input.prepared));
      const run = { deps, prepared, heartbeat };
      const seeds: SeedForecast[] = [];
      for (const fit of input.fits) seeds.push(await forecastOfSeed(run, fit));
      const baselines: NamedForecast[] = [];
      for (const fit of input.baselines) baselines.push(await forecastOfBaseline(run, fit));
      const champion = await championOn(run, input);
      const reports = await qualityOf(deps, input);
      heartbeat();
      const facts: EvaluationInput = {
        ...unitFacts(deps, input, spec, prepared),
        refit: await refitOf(deps, input),
        quality: reports,
        seeds,
        baselines,
        champion,
        triesBefore: await countGateTries(deps.db, input.unit.model, champion?.version ?? 0),
      };
      const evaluation = evaluate(facts);
      heartbeat();
      const stored = await storeTestRows(deps, prepared, facts, evaluation.servedSeed);
      return store(deps, input, evaluation, facts, stored);
    },
  };
}

interface Run {
  readonly deps: ActivityDeps;
  readonly prepared: Prepared;
  readonly heartbeat: () => void;
}

async function forecastOf(
  { deps, prepared, heartbeat }: Run,
  fit: FitResult,
): Promise<{ bundle: FitBundle; predictions: Float64Array }> {
  const bundle = decodeBundle(await deps.artifacts.get(fit.fitted));
  const session = await openSession(bundle.graphs.model);
  try {
    const source = { ...prepared, featureCount: prepared.featureNames.length };
    const predictions = await forecastRows(session, source, prepared.split.test, {
      lookback: prepared.lookback,
      outputs: outputsOf(prepared),
      onChunk: heartbeat,
    });
    return { bundle, predictions };
  } finally {
    await session.release();
  }
}

async function forecastOfSeed(run: Run, fit: FitResult): Promise<SeedForecast> {
  const { bundle, predictions } = await forecastOf(run, fit);
  return {
    seed: fit.seed,
    bestValidLoss: fit.bestValidLoss,
    bestEpoch: fit.bestEpoch,
    epochsRun: fit.epochsRun,
    weightsDigest: fit.weightsDigest,
    history: bundle.summary.history,
    importance: bundle.summary.importance,
    predictions,
  };
}

async function forecastOfBaseline(run: Run, fit: FitResult): Promise<NamedForecast> {
  const { predictions } = await forecastOf(run, fit);
  return { name: fit.family, predictions };
}

/** The serving version on the same rows, or null where nothing serves the model. */
async function championOn(run: Run, input: EvaluateInput): Promise<ChampionForecast | null> {
  const champion = await currentChampion(run.deps.db, input.unit.model);
  if (!champion) return null;
  return forecastOfChampion({
    deps: run.deps,
    prepared: run.prepared,
    datasets: input.datasets,
    model: input.unit.model,
    version: champion.version,
    heartbeat: run.heartbeat,
  });
}

/** What will be served in place of the evaluated weights. */
async function refitOf(
  { artifacts }: Pick<ActivityDeps, 'artifacts'>,
  { refit: ref }: EvaluateInput,
): Promise<Evaluation['refit']> {
  if (ref === undefined) return undefined;
  const { part, rows, newer, trainedThrough } = decodeRefit(await artifacts.get(ref));
  return {
    part,
    samples: rows.length,
    newer,
    trainedThrough: new Date(trainedThrough).toISOString(),
  };
}

/** Reports of the unit's own instruments. */
async function qualityOf(deps: ActivityDeps, input: EvaluateInput): Promise<QualityReport[]> {
  const bytes = await deps.artifacts.get(input.validation.reports);
  const reports = JSON.parse(new TextDecoder().decode(bytes)) as readonly QualityReport[];
  return reports.filter((report) => input.unit.instruments.includes(report.instrument));
}

type UnitFacts = Omit<
  EvaluationInput,
  'quality' | 'seeds' | 'baselines' | 'champion' | 'triesBefore' | 'refit'
>;

function unitFacts(
  deps: ActivityDeps,
  input: EvaluateInput,
  spec: ExperimentSpec,
  prepared: Prepared,
): UnitFacts {
  const calendar = calendarFor(prepared.calendar);
  const { test } = prepared.split;
  const part = (rows: Int32Array) => ({
    samples: rows.length,
    times: new Set(Array.from(rows, (row) => prepared.openTime[row])).size,
    from: dateOf(prepared, rows[0]),
    to: dateOf(prepared, rows.at(-1)),
  });
  return {
    model: input.unit.model,
    family: spec.family,
    codeVersion: deps.codeVersion,
    instruments: input.unit.instruments,
    timeframe: prepared.timeframe,
    barsPerDay: Math.round(calendar.barsPerYear(prepared.timeframe) / calendar.barsPerYear('1d')),
    featureSet: prepared.featureSet,
    featureHash: prepared.featureHash,
    featureCount: prepared.featureNames.length,
    featureNames: prepared.featureNames,
    lookback: prepared.lookback,
    outliers: prepared.outliers && outlierWords(prepared.outliers),
    label: labelKindOrThrow(prepared.labelKind),
    labelParams: prepared.labelParams,
    classes: prepared.classes,
    horizons: prepared.horizons,
    lossWeights: lossWeightsOf(spec),
    datasets: input.datasets.map((dataset) => ({
      instrument: dataset.instrument,
      hash: dataset.datasetHash,
      firstBar: dataset.firstBar,
      lastBar: dataset.lastBar,
      deliveredBy: dataset.deliveredBy,
    })),
    split: {
      train: part(prepared.split.train),
      valid: part(prepared.split.valid),
      test: part(test),
    },
    trainedThrough: prepared.trainedThrough,
    trainLabelMean: prepared.trainLabelMean,
    trainLabelVariance: prepared.trainLabelVariance,
    byInstrument: trainingByInstrument(prepared, input.unit.instruments),
    rows: {
      openTime: Float64Array.from(test, (row) => prepared.openTime[row]!),
      labels: samplesOf(prepared, test).labels,
      changes: changesOf(prepared, test),
      ...rowsByInstrument(prepared, input.unit.instruments),
    },
    alpha: spec.promotion.alpha,
  };
}

/** Simple returns of some rows, row-major [rows x horizons]; only labels with classes keep them. */
function changesOf(
  { labelChanges, horizons }: Prepared,
  rows: Int32Array,
): Float64Array | undefined {
  if (labelChanges === undefined) return undefined;
  const h = horizons.length;
  const out = new Float64Array(rows.length * h);
  rows.forEach((row, i) => out.set(labelChanges.subarray(row * h, (row + 1) * h), i * h));
  return out;
}

function dateOf(prepared: Prepared, row: number | undefined): string {
  if (row === undefined) return '-';
  const iso = new Date(prepared.openTime[row]!).toISOString();
  return prepared.timeframe === '1d' ? iso.slice(0, 10) : iso.slice(0, 16);
}

/** What drift is measured against later: the served seed on rows that it never saw. */
function storeTestRows(
  { artifacts }: ActivityDeps,
  prepared: Prepared,
  facts: EvaluationInput,
  seed: number,
): Promise<ArtifactRef> {
  const { instruments, split, timeframe } = prepared;
  const instrument = split.test.map((row) =>
    instruments.findIndex(({ from, to }) => row >= from && row < to),
  );
  const named = { ...facts, instruments: instruments.map(({ id }) => id) };
  const rows = testRowsOf(named, seed, { timeframe, instrument });
  return artifacts.put(encodeTestRows(rows), split.test.length);
}

async function store(
  deps: ActivityDeps,
  input: EvaluateInput,
  evaluation: Evaluation,
  facts: EvaluationInput,
  testRows: ArtifactRef,
): Promise<EvaluateResult> {
  const { experimentId, unit } = input;
  const text = new TextEncoder();
  const plots = plotsOf(evaluation, facts);
  const html = renderReport(evaluation, plots);
  const result: EvaluateResult = {
    evaluation: await deps.artifacts.put(text.encode(JSON.stringify(evaluation))),
    report: await deps.artifacts.put(text.encode(html)),
    plots: await Promise.all(
      plots.map(async ({ name, svg }) => ({
        name: `${name}.png`,
        artifact: await deps.artifacts.put(await renderPng(svg)),
      })),
    ),
    testRows,
    metrics: flatMetrics(evaluation),
    servedSeed: evaluation.servedSeed,
    beatsNaive: evaluation.beatsNaive,
    verdict: evaluation.verdict,
  };
  await deps.events.append({
    experimentId,
    kind: 'verdict',
    stage: 'evaluate',
    model: unit.model,
    seed: evaluation.servedSeed,
    payload: {
      verdict: evaluation.verdict,
      beatsNaive: evaluation.beatsNaive,
      metrics: result.metrics,
      warnings: evaluation.warnings,
      evaluation: result.evaluation,
      report: result.report,
    },
    dedupeKey: `evaluate/${unit.model}`,
  });
  return result;
}
