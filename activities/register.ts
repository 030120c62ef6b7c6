import { TEST_ROWS } from '../core/evaluation/index.ts';
import { withLaterSection } from '../core/evaluation/report/later-section.ts';
import { compressionWords } from '../core/packages/compression.ts';
import type { Manifest } from '../core/packages/manifest.ts';
import { manifestSchema } from '../core/packages/schemas.ts';
import { getJson } from '../registry/artifacts.ts';
import { registerVersion } from '../registry/versions.ts';
import type { EvaluateResult, RegisterInput, RegisterResult } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';

/** Registers a packaged version under the number that its manifest binds. */
export function createRegisterActivities(deps: Pick<ActivityDeps, 'db' | 'artifacts' | 'events'>) {
  return {
    /** Its facts, the audit and the mirror's message in one transaction; a repeat changes nothing. */
    async register(input: RegisterInput): Promise<RegisterResult> {
      const { experimentId, evaluation } = input;
      const { model } = input.unit;
      const { version, manifest: ref, packageDigest } = input.package;
      const manifest = manifestSchema.parse(await getJson(deps.artifacts, ref));
      await registerVersion(deps.db, {
        model,
        version,
        manifestUri: ref.uri,
        packageDigest,
        packageBytes: manifest.files.reduce((sum, file) => sum + file.bytes, ref.bytes),
        evaluationUri: evaluation.evaluation.uri,
        attachments: attachmentsOf({
          ...evaluation,
          ...(await reportOf(deps, evaluation, manifest)),
        }),
        metrics: evaluation.metrics ?? {},
        beatsNaive: evaluation.beatsNaive,
        verdict: evaluation.verdict,
        trainedThrough: manifest.trainedThrough,
        actor: 'workflow',
        workflowId: manifest.workflowId,
      });
      await deps.events.append({
        experimentId,
        kind: 'stage',
        stage: 'register',
        model,
        payload: { version, packageDigest },
        dedupeKey: `stage/register/${model}`,
      });
      return { model, version };
    },
  };
}

/** The report, with what packaging found out where a smaller graph was asked for. */
async function reportOf(
  { artifacts }: Pick<ActivityDeps, 'artifacts'>,
  { report }: EvaluateResult,
  { compression }: Pick<Manifest, 'compression'>,
): Promise<Pick<EvaluateResult, 'report'>> {
  if (report === undefined || compression === undefined) return {};
  const page = new TextDecoder().decode(await artifacts.get(report));
  const sentences = compressionWords(compression);
  const whole = withLaterSection(page, { id: 'size', title: 'Size and speed', sentences });
  return { report: await artifacts.put(new TextEncoder().encode(whole)) };
}

function attachmentsOf({ report, plots = [], testRows }: EvaluateResult) {
  const files = plots.map(({ name, artifact }) => ({ name, artifact }));
  if (report) files.unshift({ name: 'report.html', artifact: report });
  if (testRows) files.push({ name: TEST_ROWS, artifact: testRows });
  return files.map(({ name, artifact: { uri, sha256, bytes } }) => ({ name, uri, sha256, bytes }));
}
