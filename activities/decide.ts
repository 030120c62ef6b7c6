import { createHash } from 'node:crypto';
import { flatMetrics, parseEvaluation, type Evaluation } from '../core/evaluation/index.ts';
import { policyOrThrow } from '../core/policies/index.ts';
import { isTested } from '../core/policies/guards.ts';
import type { Evidence } from '../core/policies/policy.ts';
import { templateHash } from '../core/spec/spec-hash.ts';
import { experimentSpecSchema } from '../core/spec/spec.ts';
import { currentChampion, modelGeneration } from '../registry/champions.ts';
import { decisionById, recordDecision, type Decision } from '../registry/decisions.ts';
import { experimentSpecOrThrow, getExperimentOrThrow } from '../registry/experiments.ts';
import { appendLifecycleEvent } from '../registry/lifecycle-events.ts';
import { settledAsOf } from '../registry/lifecycle-state.ts';
import { countGateTries, recordGateTry } from '../registry/gate-tries.ts';
import { getVersionOrThrow } from '../registry/versions.ts';
import type { DecideInput, DecideResult } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';

/** The gate: evidence in, a kept decision out. A repeat gives the decision that was made first. */
export function createDecideActivities(
  deps: Pick<ActivityDeps, 'db' | 'artifacts' | 'events' | 'codeVersion'>,
) {
  return {
    async decide(input: DecideInput): Promise<DecideResult> {
      const id = decisionId(input);
      const made = (await decisionById(deps.db, id)) ?? (await decideNow(deps, input, id));
      await deps.events.append({
        experimentId: input.experimentId,
        kind: 'verdict',
        stage: 'decide',
        model: input.unit.model,
        payload: {
          verdict: made.verdict,
          reasons: made.reasons,
          version: made.version,
          championVersion: made.champion_version,
          decision: made.id,
        },
        dedupeKey: `decide/${input.unit.model}/${input.version}`,
      });
      return {
        verdict: made.verdict,
        reasons: made.reasons,
        promotionId: made.id,
        expectedGeneration: made.expected_generation,
        ...(await trialOf(deps, input.experimentId, made)),
      };
    },
  };
}

/** The trial that comes before a promotion; a first champion has nobody to be tried against. */
async function trialOf(
  deps: Pick<ActivityDeps, 'db'>,
  experimentId: string,
  { verdict, champion_version: champion }: Decision,
): Promise<Pick<DecideResult, 'trial'>> {
  const { promotion } = await experimentSpecOrThrow(deps.db, experimentId);
  const { kind } = promotion.trial;
  return verdict === 'reject' || champion === null || kind === 'none' ? {} : { trial: kind };
}

/** The same version of the same experiment asks for the same promotion, however often it is tried. */
function decisionId({ experimentId, unit, version }: DecideInput): string {
  const key = `${experimentId}\n${unit.model}\n${version}`;
  return `decision-${createHash('sha256').update(key).digest('hex').slice(0, 26)}`;
}

async function decideNow(
  deps: Pick<ActivityDeps, 'db' | 'artifacts' | 'codeVersion'>,
  input: DecideInput,
  id: string,
): Promise<Decision> {
  const { unit, version } = input;
  const experiment = await getExperimentOrThrow(deps.db, input.experimentId);
  const spec = experimentSpecSchema.parse(experiment.spec);
  const { promotion, refit } = spec;
  const evaluation = parseEvaluation(await deps.artifacts.get(input.evaluation.evaluation));
  // Generation first: a switch after this line makes the promotion a conflict, never a wrong success.
  const expectedGeneration = await modelGeneration(deps.db, unit.model);
  const champion = await currentChampion(deps.db, unit.model);
  const row = await getVersionOrThrow(deps.db, unit.model, version);
  const championVersion = champion?.version ?? null;
  const before =
    championVersion === null ? null : await getVersionOrThrow(deps.db, unit.model, championVersion);
  const k = await tryOf(deps, evaluation, { model: unit.model, version, championVersion });
  const evidence = evidenceOf(evaluation, {
    version,
    championVersion,
    k,
    codeVersion: deps.codeVersion,
    refit: refit !== 'none',
    trial: promotion.trial.kind,
    lineage: {
      template: templateHash(spec),
      // What will serve, not the twin that was evaluated.
      trainedThrough: evaluation.refit?.trainedThrough ?? evaluation.split.trainedThrough,
      champion: before && {
        template: templateHash(await experimentSpecOrThrow(deps.db, before.experiment_id)),
        trainedThrough: before.trained_through?.toISOString() ?? null,
      },
    },
    data: {
      evaluation: input.evaluation.evaluation.sha256,
      dataset: row.dataset_hash,
      features: evaluation.data.featureHash,
      rows: evaluation.rows.digest,
      spec: row.spec_hash,
      package: row.package_digest ?? '',
    },
  });
  const policy = policyOrThrow(promotion.policy);
  const judged = policy.decide(evidence, policy.params.parse(promotion));
  const decision = { ...judged, reasons: [...judged.reasons, ...searchReason(evaluation)] };
  if (decision.verdict === 'reject' && championVersion !== null) {
    await tellOfRefusal(deps, { model: unit.model, version, id, reasons: decision.reasons });
  }
  return recordDecision(deps.db, {
    id,
    model: unit.model,
    version,
    championVersion,
    expectedGeneration,
    policy: policy.name,
    verdict: decision.verdict,
    reasons: decision.reasons,
    evidence: decision.evidence,
    workflowId: experiment.workflow_id,
  });
}

/** A search chose on other rows than the gate looks at: it is told, and counts as no further try. */
const searchReason = ({ search }: Evaluation): string[] =>
  search === undefined
    ? []
    : [
        `its hyperparameters are the best of ${search.trials} trials on the validation part, which are part of this one try`,
      ];

/** The how manieth try this is, put on record where there is a test. */
async function tryOf(
  { db }: Pick<ActivityDeps, 'db'>,
  { comparisons, rows }: Evaluation,
  { model, version, championVersion }: Pick<Evidence, 'model' | 'version' | 'championVersion'>,
): Promise<number> {
  const champion = championVersion ?? 0;
  if (!isTested({ championVersion, comparisons })) {
    return (await countGateTries(db, model, champion)) + 1;
  }
  const { digest: rowsDigest } = rows;
  return recordGateTry(db, {
    ...{ model, championVersion: champion, rowsDigest },
    challengerVersion: version,
  });
}

/** A challenger that the gate refused is part of the model's story. */
async function tellOfRefusal(
  deps: Pick<ActivityDeps, 'db'>,
  refused: {
    readonly model: string;
    readonly version: number;
    readonly id: string;
    readonly reasons: readonly string[];
  },
): Promise<void> {
  const { model, version, id, reasons } = refused;
  await appendLifecycleEvent(deps.db, {
    model,
    asOf: await settledAsOf(deps.db, model),
    kind: 'gate.rejected',
    version,
    actor: 'policy',
    words: `Version ${version} was refused by the gate: ${reasons.join('; ')}`,
    payload: { decision: id, reasons },
    dedupeKey: `gate.rejected/${id}`,
  });
}

function evidenceOf(
  evaluation: Evaluation,
  at: Pick<
    Evidence,
    'version' | 'championVersion' | 'codeVersion' | 'data' | 'lineage' | 'refit' | 'trial'
  > & { k: number },
): Evidence {
  const { k, ...rest } = at;
  return {
    ...rest,
    model: evaluation.model,
    comparisons: evaluation.comparisons,
    servedLoss: evaluation.seeds.find((seed) => seed.served)?.weightedLoss ?? null,
    metrics: flatMetrics(evaluation),
    beatsNaive: evaluation.beatsNaive,
    beatsTrainingMean: evaluation.beatsTrainingMean,
    verdict: evaluation.verdict,
    warnings: evaluation.warnings,
    independent: evaluation.rows.independent,
    power: evaluation.power,
    tries: {
      k,
      rowsDigest: evaluation.rows.digest,
      ...(evaluation.search && { searchTrials: evaluation.search.trials }),
    },
  };
}
