import type { ChampionForecast } from '../core/evaluation/index.ts';
import type { Prepared } from '../core/features/prepared.ts';
import { labelKindOrThrow } from '../core/labels/index.ts';
import { openSession } from '../core/onnx/session.impl.ts';
import { PACKAGE_PATHS } from '../core/packages/files.ts';
import type { Manifest } from '../core/packages/manifest.ts';
import { manifestSchema } from '../core/packages/schemas.ts';
import { RatchetError } from '../core/errors.ts';
import { getVersionOrThrow } from '../registry/versions.ts';
import type { CollectResult } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';
import { forecastRows, type WindowSource } from './forecast-rows.ts';

interface ChampionRequest {
  readonly deps: Pick<ActivityDeps, 'db' | 'artifacts'>;
  /** The challenger's data: its test rows are what both are compared on. */
  readonly prepared: Prepared;
  readonly datasets: readonly CollectResult[];
  readonly model: string;
  readonly version: number;
  readonly heartbeat: () => void;
}

/**
 * What the serving version says on the challenger's test rows, in the challenger's label units and horizons. Rows or
 * horizons it cannot answer are NaN, so that they are not compared; a champion with other features than were
 * built here has no rows in common.
 */
export async function forecastOfChampion(request: ChampionRequest): Promise<ChampionForecast> {
  const { deps, prepared, model, version } = request;
  const { manifest, graph } = await loadGraph(deps, model, version);
  const answers =
    manifest.featureHash === prepared.featureHash
      ? await answersOf(request, manifest, graph)
      : new Float64Array(prepared.split.test.length * manifest.label.horizons.length).fill(NaN);
  return {
    version,
    trainedThrough: Date.parse(manifest.trainedThrough),
    predictions: inUnitsOf(prepared, manifest, answers),
  };
}

async function loadGraph(
  deps: ChampionRequest['deps'],
  model: string,
  version: number,
): Promise<{ manifest: Manifest; graph: Uint8Array }> {
  const row = await getVersionOrThrow(deps.db, model, version);
  if (row.manifest_uri === null || row.package_digest === null) {
    throw new RatchetError('evaluate.champion', `version ${version} of ${model} has no package`);
  }
  const bytes = await deps.artifacts.get({ uri: row.manifest_uri, sha256: row.package_digest });
  const manifest = manifestSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  const file = manifest.files.find(({ path }) => path === PACKAGE_PATHS.model);
  if (!file) throw new RatchetError('evaluate.champion', `the package of ${model} has no graph`);
  const graph = await deps.artifacts.get({ uri: `cas/${file.sha256}`, sha256: file.sha256 });
  return { manifest, graph };
}

async function answersOf(
  { prepared, heartbeat }: ChampionRequest,
  manifest: Manifest,
  graph: Uint8Array,
): Promise<Float64Array> {
  const session = await openSession(graph);
  try {
    const source: WindowSource = { ...prepared, featureCount: prepared.featureNames.length };
    return await forecastRows(session, source, prepared.split.test, {
      lookback: manifest.lookback,
      horizons: manifest.label.horizons.length,
      onChunk: heartbeat,
    });
  } finally {
    await session.release();
  }
}

/** From the champion's label kind and horizons to the challenger's; a horizon it lacks is NaN. */
function inUnitsOf(prepared: Prepared, manifest: Manifest, answers: Float64Array): Float64Array {
  const from = labelKindOrThrow(manifest.label.kind);
  const to = labelKindOrThrow(prepared.labelKind);
  const columns = prepared.horizons.map((h) => manifest.label.horizons.indexOf(h));
  const theirs = manifest.label.horizons.length;
  const out = new Float64Array(prepared.split.test.length * columns.length).fill(NaN);
  for (let row = 0; row < prepared.split.test.length; row++) {
    columns.forEach((column, k) => {
      if (column < 0) return;
      const answer = answers[row * theirs + column]!;
      // As a move of a price of 1: what every kind of label can be made of.
      out[row * columns.length + k] =
        from.name === to.name ? answer : to.value(1, from.priceFrom(answer, 1));
    });
  }
  return out;
}
