import { setImmediate } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import {
  encodeTestRows,
  evaluateWithPauses,
  flatMetrics,
  testRowsOf,
  type ChampionForecast,
  type Evaluation,
  type EvaluationInput,
} from '../core/evaluation/index.ts';
import { plotsOf, type Plot } from '../core/evaluation/report/plots.ts';
import { renderReport } from '../core/evaluation/report/render.ts';
import { decodePrepared, type Prepared } from '../core/features/prepared.ts';
import { decodeRefit } from '../core/features/refit.ts';
import type { QualityReport } from '../core/quality/report.ts';
import { missingRulesOf } from '../core/spec/missing-rules.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { currentChampion } from '../registry/champions.ts';
import { readBars } from '../registry/datasets.impl.ts';
import { experimentSpecOrThrow } from '../registry/experiments.ts';
import { countGateTries } from '../registry/gate-tries.ts';
import type { ArtifactRef } from '../workflows/messages.ts';
import type { EvaluateInput, EvaluateResult } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';
import {
  championOnFolds,
  foldRuns,
  type FoldRun,
  forecastsOf,
  testRowsOfFolds,
} from './evaluate-forecasts.ts';
import { unitFacts } from './evaluation-facts.ts';
import { parentVersion } from './parent-fit.ts';
import { renderPng } from './evaluation-plots.ts';
import { searchReportOf } from './search-report.ts';
import { forecastOfVersion } from './version-forecast.ts';

/** Judges a unit's seeds on the test rows: figures as JSON, a report as HTML, charts as PNG. */
export function createEvaluateActivities(deps: ActivityDeps) {
  return {
    async evaluate(input: EvaluateInput): Promise<EvaluateResult> {
      const heartbeat = (): void => Context.current().heartbeat();
      const spec = await experimentSpecOrThrow(deps.db, input.experimentId);
      const prepared = decodePrepared(await deps.artifacts.get(input.prepared));
      const run = { artifacts: deps.artifacts, heartbeat };
      const folds = await foldRuns(run, input, prepared);
      const { seeds, baselines, members } = await forecastsOf(run, folds);
      const newest = await championOn({ deps, spec, prepared, heartbeat }, input);
      const champion = championOnFolds(newest, folds);
      const reports = await qualityOf(deps, input);
      heartbeat();
      const key = { experimentId: input.experimentId, model: input.unit.model };
      const search = await searchReportOf(deps, key);
      const facts: EvaluationInput = {
        ...unitFacts(spec, folds, {
          model: input.unit.model,
          instruments: input.unit.instruments,
          datasets: input.datasets,
          codeVersion: deps.codeVersion,
          sources: deps.datasets,
        }),
        continuedFrom: await parentVersion(deps, key, spec),
        refit: await refitOf(deps, input),
        search: search?.facts,
        quality: reports,
        seeds,
        baselines,
        members,
        champion,
        triesBefore: await countGateTries(deps.db, input.unit.model, champion?.version ?? 0),
      };
      const evaluation = await evaluateWithPauses(facts, async () => {
        heartbeat();
        // Lets the heartbeat leave before the next part.
        await setImmediate();
      });
      heartbeat();
      const stored = await storeTestRows(deps, folds, facts, evaluation.servedSeed);
      const plots = [...plotsOf(evaluation, facts), ...(search?.plots ?? [])];
      return store(deps, input, evaluation, plots, stored);
    },
  };
}

/** The serving version on the same rows, or null where nothing serves the model. */
async function championOn(
  run: {
    readonly deps: ActivityDeps;
    readonly spec: ExperimentSpec;
    readonly prepared: Prepared;
    readonly heartbeat: () => void;
  },
  input: EvaluateInput,
): Promise<ChampionForecast | null> {
  const champion = await currentChampion(run.deps.db, input.unit.model);
  if (!champion) return null;
  return forecastOfVersion({
    deps: run.deps,
    prepared: run.prepared,
    missing: missingRulesOf(run.spec, run.prepared.instruments),
    split: run.spec.split,
    barsOf: async (id) => {
      const dataset = input.datasets.find(({ instrument }) => instrument === id);
      return dataset && readBars(run.deps.artifacts, dataset.bars, dataset.datasetHash);
    },
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

/** What drift is measured against later: what is served, on rows that it, or its twin of an older fold, never saw. */
function storeTestRows(
  { artifacts }: ActivityDeps,
  folds: readonly FoldRun[],
  facts: EvaluationInput,
  seed: number,
): Promise<ArtifactRef> {
  const { instruments, timeframe } = folds.at(-1)!.prepared;
  const tested = testRowsOfFolds(folds);
  const instrument = tested.map((row) =>
    instruments.findIndex(({ from, to }) => row >= from && row < to),
  );
  const named = { ...facts, instruments: instruments.map(({ id }) => id) };
  const rows = testRowsOf(named, seed, { timeframe, instrument });
  return artifacts.put(encodeTestRows(rows), tested.length);
}

async function store(
  deps: ActivityDeps,
  input: EvaluateInput,
  evaluation: Evaluation,
  plots: readonly Plot[],
  testRows: ArtifactRef,
): Promise<EvaluateResult> {
  const { experimentId, unit } = input;
  const text = new TextEncoder();
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
    ...(evaluation.serve && { serve: evaluation.serve }),
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
