import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { crown } from '../support/registry-facts.ts';
import { openFitFixture, type FitFixture } from '../support/fit-fixture.ts';
import { plantedPrepared, type PlantedOptions } from '../support/planted-prepared.ts';
import { withoutTrees } from '../support/without-trees.ts';
import type { FitInput, FitResult } from '../../activities/contracts.ts';
import { decodeBundle } from '../../core/models/bundle.ts';
import { runFitJob } from '../../core/models/fit-job.impl.ts';
import { ensureModel, registerVersion, reserveVersion } from '../../registry/models.ts';
import { fitContext } from '../support/fit-context.ts';

const MODEL = 'planted';
const TREES = { rounds: 30, numLeaves: 8 };
const FAMILY = { family: 'lightgbm' };
/** Of the parent and of the child: the same market, another draw. */
const [FIRST, SECOND]: readonly PlantedOptions[] = [1, 2].map((seed) => ({
  ...{ seed, rows: 700, lookback: 4, features: 3, signal: 0.6 },
}));

describe('the fit activity, going on from a version', { skip: withoutTrees }, () => {
  let fixture: FitFixture;
  before(async () => {
    fixture = await openFitFixture();
    const asker = { actor: 'test', requestId: 'test' };
    const model = { name: MODEL, instruments: ['PLANTED'], timeframe: '1d' } as const;
    await ensureModel(fixture.database.db, model, asker);
  });
  after(() => fixture.close());

  /** Registers a version whose manifest names these weights. */
  async function register(
    { experimentId }: FitInput,
    { weightsDigest }: Pick<FitResult, 'weightsDigest'>,
    trainedThrough: number,
  ): Promise<number> {
    const { db } = fixture.database;
    const { version } = await reserveVersion(db, {
      ...{ model: MODEL, reservationKey: `${experimentId}/${MODEL}`, experimentId },
      ...{ ...FAMILY, seed: 1, instruments: ['PLANTED'], specHash: 's', datasetHash: 'd' },
    });
    const until = new Date(trainedThrough).toISOString();
    const manifest = {
      ...{ format: 1, model: MODEL, version, ...FAMILY, instruments: ['PLANTED'] },
      ...{ timeframe: '1d', featureSet: 'planted', featureHash: '0', lookback: 4, seed: 1 },
      label: { kind: 'forwardLogReturn', horizons: [1, 2, 3] },
      ...{ datasetHash: 'd', specHash: 's', weightsDigest, trainedThrough: until },
      ...{ workflowId: 'w', codeVersion: 'test', libraries: {}, createdAt: until, files: [] },
    };
    const stored = await fixture.artifacts.put(new TextEncoder().encode(JSON.stringify(manifest)));
    await registerVersion(db, {
      ...{ model: MODEL, version, manifestUri: stored.uri, packageDigest: stored.sha256 },
      ...{ packageBytes: 1, evaluationUri: stored.uri, metrics: {}, beatsNaive: true },
      ...{ verdict: 'Made for a test.', trainedThrough: until, actor: 'test' },
    });
    return version;
  }

  it('begins anew without a champion, and where the champion ended once there is one', async () => {
    const first = await fixture.ask(TREES, FIRST, { ...FAMILY, continueFrom: 'champion' });
    const parent = await fixture.attempt(first).result;
    const prepared = plantedPrepared(FIRST);
    const version = await register(first, parent, prepared.trainedThrough);
    await crown(fixture.database.db, version, 1, MODEL);

    const next = await fixture.ask(TREES, SECOND, { ...FAMILY, continueFrom: 'champion' });
    const child = await fixture.attempt(next).result;
    const bundle = decodeBundle(await fixture.artifacts.get(child.fitted));
    const parentBundle = decodeBundle(await fixture.artifacts.get(parent.fitted));
    const later = plantedPrepared(SECOND);
    const job = { ...FAMILY, params: TREES, seed: 1, prepared: later, multiplyByClose: false };
    const here = await runFitJob({ ...job, parent: parentBundle }, fitContext(later));
    assert.equal(child.weightsDigest, here.summary.weightsDigest);
    assert.deepEqual(bundle.context.scalers, parentBundle.context.scalers);

    const again = await fixture.attempt(next).result;
    assert.deepEqual(again, { ...child, cached: true });
    const named = await fixture.ask(TREES, SECOND, { ...FAMILY, continueFrom: { version } });
    assert.equal((await fixture.attempt(named).result).cached, true, 'the same parent by number');
    const anew = await fixture.ask(TREES, SECOND, FAMILY);
    const fresh = await fixture.attempt(anew).result;
    assert.equal(fresh.cached, false);
    assert.notEqual(fresh.weightsDigest, child.weightsDigest);

    const old = await fixture.attempt(first).result;
    assert.deepEqual(old, { ...parent, cached: true }, 'the champion of the moment it was made');
  });

  it('refuses a version that knows what is tested, one whose weights are gone, and one that never was', async () => {
    const made = await fixture.ask(TREES, { ...FIRST, seed: 5 }, FAMILY);
    const fitted = await fixture.attempt(made).result;
    const { openTime } = plantedPrepared(FIRST);
    const knowing = await register(made, fitted, openTime.at(-2)!);
    const other = await fixture.ask(TREES, { ...FIRST, seed: 6 }, FAMILY);
    const gone = await register(other, { weightsDigest: 'f'.repeat(64) }, openTime[0]!);
    for (const [version, code] of [
      [knowing, 'training.parent-leaks'],
      [gone, 'training.parent'],
      [gone + 1, 'version.unknown'],
    ] as const) {
      const change = { ...FAMILY, continueFrom: { version } };
      const input = await fixture.ask(TREES, { ...FIRST, seed: 7 }, change);
      await assert.rejects(fixture.attempt(input).result, { code, permanent: true });
    }
  });
});
