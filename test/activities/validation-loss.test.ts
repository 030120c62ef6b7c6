import assert from 'node:assert/strict';
import { test } from 'node:test';
import { validationLossOf } from '../../activities/validation-loss.ts';
import { encodePrepared, samplesOf } from '../../core/features/prepared.ts';
import { encodeBundle } from '../../core/models/bundle.ts';
import { runFitJob } from '../../core/models/fit-job.impl.ts';
import { modelFamilyOrThrow } from '../../core/models/index.ts';
import { logLossOf } from '../../core/models/network/head.ts';
import { experimentSpecSchema } from '../../core/spec/spec.ts';
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import { fitContext } from '../support/fit-context.ts';
import { withMarket } from '../support/planted-market.ts';
import { plantedPrepared } from '../support/planted-prepared.ts';

const SHAPE = { rows: 500, lookback: 2, features: 2, horizons: [1], labelKind: 'threeClass' };
const prepared = withMarket(plantedPrepared(SHAPE));

/** What a search is told of a fit of this family, and the fit. */
async function told(family: string, params: object) {
  const job = { family, params, seed: 1, prepared, multiplyByClose: false };
  const bundle = await runFitJob(job, fitContext(prepared));
  const stored = new Map([
    ['prepared', encodePrepared(prepared)],
    ['fitted', encodeBundle(bundle)],
  ]);
  const get = async ({ uri }: { readonly uri: string }) => stored.get(uri)!;
  const refOf = (uri: string) => ({ uri, sha256: uri, bytes: 0 });
  const spec = experimentSpecSchema.parse({
    ...{
      name: 'searched',
      model: 'searched',
      family,
      label: { kind: 'threeClass', horizons: [1] },
    },
    data: { sources: [{ dataset: 'index-daily' }], instruments: ['^GSPC'] },
  });
  const loss = await validationLossOf(
    { artifacts: { get } as unknown as ArtifactStore, heartbeat: () => {} },
    { spec, prepared: refOf('prepared'), fit: { fitted: refOf('fitted') } },
  );
  return { loss, bundle };
}

test('a search compares classifiers by log loss, agents by what they earned', async () => {
  const { loss, bundle } = await told('logistic', {});
  const { implementation } = await modelFamilyOrThrow('logistic').load();
  const valid = samplesOf(prepared, prepared.split.valid);
  const said = await (await implementation.restore(bundle.weights)).predict(valid);
  const losses = valid.labels.map((y, at) => logLossOf(said[at * valid.classes + y]!));
  const mean = losses.reduce((sum, x) => sum + x, 0) / losses.length;
  assert.ok(Math.abs(loss - mean) < 1e-9, `${loss} for ${mean}`);

  const agent = await told('policy-gradient', { rollouts: 4, epochs: 10 });
  assert.equal(agent.loss, agent.bundle.summary.bestValidLoss);
  assert.ok(agent.loss < 0, 'minus a reward: it earns what is planted');
});
