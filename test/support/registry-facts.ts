/** Rows that tests of the registry start from. */
import { createExperiment, startExperiment } from '../../registry/experiments.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { ensureModel, registerVersion, reserveVersion } from '../../registry/models.ts';
import { experimentSpecSchema, type ExperimentSpec } from '../../core/spec/spec.ts';

export const MODEL = 'index-gspc';
const ASKER = { actor: 'key-1', requestId: 'request-1' };

/** A ULID-shaped id; `n` orders them. */
export const experimentId = (n: number): string => `01J${String(n).padStart(23, '0')}`;

export function testSpec(change: Record<string, unknown> = {}): ExperimentSpec {
  return experimentSpecSchema.parse({
    name: 'gspc-lstm',
    model: MODEL,
    data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'] },
    ...change,
  });
}

export async function addModel(db: Db, name = MODEL): Promise<void> {
  await ensureModel(db, { name, instruments: ['^GSPC'], timeframe: '1d' }, ASKER);
}

/** A running experiment. */
export async function addExperiment(db: Db, n: number, spec = testSpec()): Promise<string> {
  const id = experimentId(n);
  await createExperiment(db, {
    id,
    name: spec.name,
    model: spec.model,
    spec,
    specHash: 'spec-hash',
    workflowId: `experiment/${id}`,
    ...ASKER,
  });
  await startExperiment(db, id);
  return id;
}

export function reservation(n: number, model = MODEL) {
  return {
    model,
    reservationKey: `${experimentId(n)}/${model}`,
    experimentId: experimentId(n),
    family: 'lstm-multi-horizon',
    seed: 1,
    instruments: ['^GSPC'],
    specHash: 'spec-hash',
    datasetHash: `bars-${n}`,
  };
}

export function registration(version: number, model = MODEL) {
  const sha256 = version.toString(16).padStart(64, '0');
  return {
    model,
    version,
    manifestUri: `cas/${sha256}`,
    packageDigest: sha256,
    packageBytes: 1_000 + version,
    evaluationUri: `cas/${sha256}`,
    metrics: { 'h7.rmse': 1 / version, weightedLoss: 0.5 } as Record<string, number | null>,
    beatsNaive: true,
    verdict: 'It beats naive.',
    trainedThrough: '2018-12-31T00:00:00.000Z',
    actor: 'workflow',
    workflowId: 'experiment/x',
  };
}

/** Reserves and registers a version for experiment `n`; gives its number. */
export async function addVersion(db: Db, n: number, model = MODEL): Promise<number> {
  const { version } = await reserveVersion(db, reservation(n, model));
  await registerVersion(db, registration(version, model));
  return version;
}

/** Makes a version the champion, as a promotion does. */
export async function crown(
  db: Db,
  version: number,
  generation: number,
  model = MODEL,
): Promise<void> {
  const id = `promotion-${model === MODEL ? '' : `${model}-`}${generation}`;
  await db
    .insertInto('promotion')
    .values({
      id,
      model,
      version,
      expected_generation: generation - 1,
      status: 'promoted',
      actor: 'key-1',
      reason: 'test',
    })
    .execute();
  await db
    .updateTable('champion')
    .set({ valid_to: new Date() })
    .where('model', '=', model)
    .where('valid_to', 'is', null)
    .execute();
  await db
    .insertInto('champion')
    .values({
      model,
      version,
      generation,
      valid_from: new Date(),
      promotion_id: id,
      actor: 'key-1',
      reason: 'test',
    })
    .execute();
  await db
    .updateTable('model_state')
    .set({ champion_version: version, generation })
    .where('model', '=', model)
    .execute();
}
