import { parseStoredSpec, type ExperimentSpec } from '../core/spec/index.ts';
import { currentChampion } from '../registry/champions.ts';
import { getExperiment } from '../registry/experiments.ts';
import { getVersion, listVersions, type RegisteredModel } from '../registry/models.ts';
import type { ApiParts } from './parts.ts';
import { readSpec } from './routes/experiments.ts';

/** The spec that retrains run: the model's own template, else that of the champion's (or newest) version; undefined: none. */
export async function templateOf(
  parts: ApiParts,
  model: RegisteredModel,
): Promise<ExperimentSpec | undefined> {
  if (model.template !== null) return readSpec(parts, model.template, parseStoredSpec);
  const champion = await currentChampion(parts.db, model.name);
  const version = champion
    ? await getVersion(parts.db, model.name, champion.version)
    : (await listVersions(parts.db, model.name, { limit: 1 }))[0];
  const experiment = version && (await getExperiment(parts.db, version.experiment_id));
  return experiment && readSpec(parts, experiment.spec, parseStoredSpec);
}
