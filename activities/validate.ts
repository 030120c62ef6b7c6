import { Context } from '@temporalio/activity';
import type { Bars } from '../core/bars/bars.ts';
import type { Calendar } from '../core/calendar/calendar.ts';
import { assessQuality, failureReason, type QualityReport } from '../core/quality/index.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { readBars } from '../registry/datasets.impl.ts';
import { experimentSpecOrThrow } from '../registry/experiments.ts';
import { cachedStep } from '../registry/step-cache.ts';
import type { CollectResult, ValidateInput, ValidateResult } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';
import { calendarOfSpec, openSource } from './source-of.ts';

/** Raised when the rules judge the same bars otherwise, or word it otherwise. */
const VALIDATE_STEP_VERSION = 'validate/3';

interface Judged extends Omit<ValidateResult, 'cached'> {
  readonly summaries: readonly QualityReport[];
}

/** Judges the bars of every instrument by the quality rules. */
export function createValidateActivities(deps: ActivityDeps) {
  return {
    async validate({ experimentId, datasets }: ValidateInput): Promise<ValidateResult> {
      Context.current().heartbeat();
      const spec = await experimentSpecOrThrow(deps.db, experimentId);
      const calendar = await calendarOfSpec(deps, spec);
      const now = (await isLive(deps, spec)) ? momentOf(spec, deps.clock) : undefined;
      const { result, cached } = await cachedStep(
        deps,
        {
          step: 'validate',
          version: VALIDATE_STEP_VERSION,
          key: [
            spec.quality,
            calendar.name,
            datasets.map(({ datasetHash, findings }) => [datasetHash, findings ?? []]),
            // A live series grows old: judged again when another bar is due.
            now === undefined ? null : calendar.indexOf(now, spec.data.timeframe),
          ],
        },
        () => judge(deps, spec, calendar, datasets, now),
      );
      await record(deps, experimentId, result);
      const { summaries: _, ...answer } = result;
      return { ...answer, cached };
    },
  };
}

/** When the bars are looked at: bars of the past are not stale today. */
function momentOf({ data }: ExperimentSpec, clock: () => number): number {
  return data.asOf === undefined ? clock() : Date.parse(data.asOf);
}

/** Does any source still deliver? Files end where they end: no clock judges them. */
async function isLive(deps: ActivityDeps, spec: ExperimentSpec): Promise<boolean> {
  const opened = await Promise.all(spec.data.sources.map((use) => openSource(deps, use.dataset)));
  return opened.some(({ dataset }) => dataset.hosts.length > 0);
}

async function judge(
  deps: ActivityDeps,
  spec: ExperimentSpec,
  calendar: Calendar,
  datasets: readonly CollectResult[],
  now: number | undefined,
): Promise<Judged> {
  const all: Bars[] = [];
  for (const dataset of datasets) {
    all.push(await readBars(deps.artifacts, dataset.bars, dataset.datasetHash));
    Context.current().heartbeat();
  }
  const reports = all.map((bars, i) => {
    const report = assessQuality(bars, calendar, {
      ...spec.quality,
      references: all.filter((other) => other !== bars),
      earlier: datasets[i]!.findings ?? [],
      // Collection dropped what had not closed: on live bars the volume rule would only guess.
      ...(now !== undefined && { now, arrivedAt: now }),
    });
    return report;
  });
  const failed = reports.flatMap((report) => {
    const reason = failureReason(report);
    return reason === undefined ? [] : [{ instrument: report.instrument, reason }];
  });
  const bytes = new TextEncoder().encode(JSON.stringify(reports, undefined, 2));
  return {
    reports: await deps.artifacts.put(bytes, reports.length),
    passed: reports.every(({ passed }) => passed),
    reasons: failed.map(({ reason }) => reason),
    failed,
    summaries: reports,
  };
}

async function record(deps: ActivityDeps, experimentId: string, result: Judged): Promise<void> {
  for (const report of result.summaries) {
    for (const [i, finding] of report.findings.entries()) {
      await deps.events.append({
        experimentId,
        kind: 'finding',
        stage: 'validate',
        payload: { instrument: report.instrument, ...finding },
        dedupeKey: `finding/${report.instrument}/${i}`,
      });
    }
  }
  await deps.events.append({
    experimentId,
    kind: 'stage',
    stage: 'validate',
    payload: {
      passed: result.passed,
      reasons: result.reasons,
      scores: Object.fromEntries(result.summaries.map((r) => [r.instrument, r.score])),
      report: result.reports.uri,
    },
    dedupeKey: 'stage/validate',
  });
}
