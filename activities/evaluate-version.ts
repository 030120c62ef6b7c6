import { setImmediate } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { Bars } from '../core/bars/bars.ts';
import { barCount } from '../core/bars/bars.ts';
import { hashBars } from '../core/bars/hash.ts';
import { isoTime } from '../core/calendar/day.ts';
import type { Calendar } from '../core/calendar/calendar.ts';
import { RatchetError } from '../core/errors.ts';
import {
  evaluateWithPauses,
  flatMetrics,
  parseEvaluation,
  type Evaluation,
  type EvaluationInput,
  type JudgedAgain,
  type SeedForecast,
} from '../core/evaluation/index.ts';
import { plotsOf } from '../core/evaluation/report/plots.ts';
import { renderReport } from '../core/evaluation/report/render.ts';
import { packagedFeatureSetOrThrow } from '../core/features/index.ts';
import { prepareJudged, type LearntRows } from '../core/features/prepare-judged.ts';
import type { Prepared } from '../core/features/prepared.ts';
import type { Manifest } from '../core/packages/manifest.ts';
import { manifestSchema } from '../core/packages/schemas.ts';
import { assessQuality } from '../core/quality/index.ts';
import { missingRulesOf } from '../core/spec/missing-rules.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { getJson, refOf, sha256OfUri } from '../registry/artifacts.ts';
import {
  beginEvaluation,
  endEvaluation,
  evaluationOrThrow,
  knownAtOf,
  type VersionEvaluation,
} from '../registry/evaluations.ts';
import { experimentSpecOrThrow } from '../registry/experiments.ts';
import { countGateTries } from '../registry/gate-tries.ts';
import { getVersionOrThrow } from '../registry/versions.ts';
import { barsAsOf } from './bars-as-of.ts';
import { rowsPlanOf } from './build-features.ts';
import type {
  EvaluateVersionInput,
  EvaluateVersionResult,
  EvaluationRef,
  FailEvaluationInput,
} from './contracts-evaluation.ts';
import type { ActivityDeps } from './deps.ts';
import { unitFacts } from './evaluation-facts.ts';
import { calendarOfSpec } from './source-of.ts';
import { forecastOfVersion } from './version-forecast.ts';

/** Judges a version that exists, on rows that came after all it knows. All may run twice: the row decides. */
export function createEvaluateVersionActivities(deps: ActivityDeps) {
  return {
    async openEvaluation({ evaluationId }: EvaluationRef): Promise<void> {
      await beginEvaluation(deps.db, evaluationId);
    },

    /**
     * Permanent errors: `evaluation.noRows`, `evaluation.noTraining`, `evaluation.package`, `evaluate.package`,
     * `features.notFinite`, `features.noBars`, `dataset.unknown`.
     */
    async evaluateVersion(input: EvaluateVersionInput): Promise<EvaluateVersionResult> {
      const row = await evaluationOrThrow(deps.db, input.evaluationId);
      if (row.verdict !== null) return { verdict: row.verdict };
      const { facts, evaluation } = await judge(deps, row);
      const text = new TextEncoder();
      const stored = await deps.artifacts.put(text.encode(JSON.stringify(evaluation)));
      const html = renderReport(evaluation, plotsOf(evaluation, facts));
      const report = await deps.artifacts.put(text.encode(html));
      const { verdict } = evaluation;
      await endEvaluation(deps.db, row.id, {
        status: 'completed',
        message: input.missing.length > 0 ? input.missing.join(' ') : null,
        verdict,
        metrics: flatMetrics(evaluation),
        evaluationUri: stored.uri,
        reportUri: report.uri,
      });
      return { verdict };
    },

    async failEvaluation(input: FailEvaluationInput): Promise<void> {
      const { evaluationId, status = 'failed', reason } = input;
      await endEvaluation(deps.db, evaluationId, { status, message: reason });
    },
  };
}

interface Judged {
  readonly spec: ExperimentSpec;
  readonly manifest: Manifest;
  /** The evaluation that it was registered with. */
  readonly own: Evaluation;
}

async function judge(
  deps: ActivityDeps,
  row: VersionEvaluation,
): Promise<{ facts: EvaluationInput; evaluation: Evaluation }> {
  const context = Context.current();
  const heartbeat = (): void => context.heartbeat();
  const version = await judgedVersion(deps, row);
  const { spec, manifest } = version;
  const calendar = await calendarOfSpec(deps, spec);
  const bars = await barsOf(deps, row, version, heartbeat);
  const set = packagedFeatureSetOrThrow(manifest);
  const prepared = prepareJudged(
    rowsPlanOf(spec, set, calendar),
    [...bars.values()],
    learntBy(version),
    { from: row.decided_from?.getTime() ?? -Infinity, to: row.decided_to?.getTime() ?? Infinity },
  );
  heartbeat();
  const facts = await factsOf({ deps, row, bars, prepared, heartbeat }, version, calendar);
  const evaluation = await evaluateWithPauses(facts, async () => {
    heartbeat();
    // Lets the heartbeat leave before the next part.
    await setImmediate();
    if (context.cancellationSignal.aborted) await context.cancelled;
  });
  return { facts, evaluation };
}

/** By instrument, as they were known once the newest had been brought. */
async function barsOf(
  deps: ActivityDeps,
  row: VersionEvaluation,
  { spec, manifest }: Judged,
  heartbeat: () => void,
): Promise<ReadonlyMap<string, Bars>> {
  const { timeframe, sources } = spec.data;
  const asOf = knownAtOf(row);
  const found = new Map<string, Bars>();
  for (const instrument of manifest.instruments) {
    const bars = await barsAsOf(deps, { instrument, timeframe, sources, asOf });
    if (barCount(bars) === 0) {
      const known = new Date(asOf).toISOString();
      throw new RatchetError('features.noBars', `no bar of ${instrument} was known at ${known}`);
    }
    found.set(instrument, bars);
    heartbeat();
  }
  return found;
}

async function judgedVersion(
  { db, artifacts }: ActivityDeps,
  { model, version: number }: VersionEvaluation,
): Promise<Judged> {
  const version = await getVersionOrThrow(db, model, number);
  const { manifest_uri: manifest, evaluation_uri: evaluation } = version;
  if (manifest === null || evaluation === null) {
    throw new RatchetError(
      'evaluation.package',
      `version ${number} of ${model} has no package to judge`,
    );
  }
  const read = (uri: string) => refOf(sha256OfUri(uri));
  return {
    spec: await experimentSpecOrThrow(db, version.experiment_id),
    manifest: manifestSchema.parse(await getJson(artifacts, read(manifest))),
    own: parseEvaluation(await artifacts.get(read(evaluation))),
  };
}

/** Dates of an evaluation are days or minutes, in UTC. */
const timeOf = (date: string): number => Date.parse(date.length === 10 ? date : `${date}Z`);

function learntBy({ spec, manifest, own }: Judged): LearntRows {
  const times = ({ from, to }: Evaluation['split']['train']) => ({
    from: timeOf(from),
    to: timeOf(to),
  });
  return {
    trainedThrough: Date.parse(manifest.trainedThrough),
    split: spec.split,
    testFrom: timeOf(own.split.test.from),
    train: times(own.split.train),
    valid: times(own.split.valid),
    refitSamples: manifest.refit?.samples,
  };
}

interface Run {
  readonly deps: ActivityDeps;
  readonly row: VersionEvaluation;
  readonly bars: ReadonlyMap<string, Bars>;
  readonly prepared: Prepared;
  readonly heartbeat: () => void;
}

async function factsOf(
  run: Run,
  { spec, manifest, own }: Judged,
  calendar: Calendar,
): Promise<EvaluationInput> {
  const { deps, row, bars, prepared, heartbeat } = run;
  const forecast = (version: number) =>
    forecastOfVersion({
      ...{ deps, prepared, heartbeat, version },
      missing: missingRulesOf(spec, prepared.instruments),
      barsOf: async (id) => bars.get(id),
      ...{ split: spec.split, model: row.model },
    });
  const series = [...bars.values()];
  const quality = series.map((one) =>
    assessQuality(one, calendar, {
      ...spec.quality,
      references: series.filter((other) => other !== one),
    }),
  );
  const { predictions } = await forecast(row.version);
  const unit = {
    model: row.model,
    instruments: manifest.instruments,
    datasets: series.map((one) => datasetOf(one, spec)),
    codeVersion: deps.codeVersion,
    sources: deps.datasets,
  };
  return {
    ...unitFacts(spec, [{ prepared, fits: [], baselines: [] }], unit),
    ...(own.members && { members: own.members }),
    serve: own.serve ?? 'medianSeed',
    again: againFacts(row, { manifest, own }),
    quality,
    seeds: [{ ...judgedSeed({ manifest, own }), history: [], predictions }],
    baselines: [],
    champion: row.champion === null ? null : await forecast(row.champion),
    triesBefore: await countGateTries(deps.db, row.model, row.champion ?? 0),
  };
}

function againFacts(
  row: VersionEvaluation,
  { manifest, own }: Pick<Judged, 'manifest' | 'own'>,
): JudgedAgain {
  const iso = (time: Date | null): string | null => time?.toISOString() ?? null;
  return {
    version: row.version,
    asOf: new Date(knownAtOf(row)).toISOString(),
    serving: row.serving,
    chosen: { from: iso(row.decided_from), to: iso(row.decided_to) },
    weights: manifest.refit === undefined ? 'trained' : 'refitted',
    ...(manifest.seeds && { seeds: [...manifest.seeds] }),
    ownTestTo: timeOf(own.split.test.to),
  };
}

/** What answered. Of a refit, and of a mean, no validation part says anything: what is known of one is its twin's. */
function judgedSeed({
  manifest,
  own,
}: Pick<Judged, 'manifest' | 'own'>): Omit<SeedForecast, 'history' | 'predictions'> {
  const { weightsDigest } = manifest;
  const { seed, bestValidLoss, bestEpoch, epochsRun } = own.seeds.find(
    (one) => one.seed === own.servedSeed,
  )!;
  if (manifest.refit !== undefined || own.serve === 'seedEnsemble') {
    return { seed, weightsDigest, bestValidLoss: NaN, bestEpoch: null, epochsRun: null };
  }
  return { seed, weightsDigest, bestValidLoss: bestValidLoss ?? NaN, bestEpoch, epochsRun };
}

/** No dataset version is frozen of them; their content has a name all the same. */
const datasetOf = (bars: Bars, { data }: ExperimentSpec) => ({
  instrument: bars.instrument,
  datasetHash: hashBars(bars),
  firstBar: isoTime(bars.openTime[0]!),
  lastBar: isoTime(bars.openTime[barCount(bars) - 1]!),
  deliveredBy: data.sources.map(({ dataset }) => dataset).join(', '),
});
