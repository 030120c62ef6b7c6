import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { withoutTensorflow } from '../support/tensorflow.ts';
import { openFitFixture, type FitFixture } from '../support/fit-fixture.ts';
import { plantedPrepared, type PlantedOptions } from '../support/planted-prepared.ts';
import type { FitInput } from '../../activities/contracts.ts';
import { encodeRefit } from '../../core/features/refit.ts';
import { readEvents } from '../../registry/experiments.ts';

/** Without dropout the planted signal is learnt until the end: the twin keeps one of its last epochs. */
const NETWORK = {
  ...{ units: [8], dense: [8], branch: 4, epochs: 10 },
  ...{ dropout: 0, recurrentDropout: 0, learningRate: 0.01 },
};
const planted = (seed: number): PlantedOptions => ({
  ...{ seed, rows: 700, lookback: 4, features: 3, signal: 0.9 },
});

describe('the fit activity, refitting', { skip: withoutTensorflow }, () => {
  let fixture: FitFixture;
  let asked = 0;
  before(async () => {
    fixture = await openFitFixture();
  });
  after(() => fixture.close());

  /** A fit that is done, and the question for its refit on all samples. */
  async function refitOf(here: FitFixture, seed: number): Promise<FitInput> {
    const input = await here.ask(NETWORK, planted(seed));
    const { fitted: twin, bestEpoch } = await here.attempt(input).result;
    assert.ok(bestEpoch >= 5, `the twin kept epoch ${bestEpoch}: too few to be interrupted`);
    const prepared = plantedPrepared(planted(seed));
    const { train, valid, test } = prepared.split;
    const { scalers, trainLabelMean, trainLabelVariance, trainedThrough } = prepared;
    const refit = {
      part: 'all' as const,
      rows: Int32Array.from([...train, ...valid, ...test]),
      newer: valid.length + test.length,
      ...{ scalers, trainLabelMean, trainLabelVariance, trainedThrough },
    };
    const rows = await here.artifacts.put(encodeRefit(refit), refit.rows.length);
    return { ...input, refit: { rows, twin } };
  }

  it('goes on from its own checkpoint and ends with the weights of one that was not interrupted', async () => {
    const seed = ++asked;
    const input = await refitOf(fixture, seed);
    let killed = false;
    const first = fixture.attempt(input, {
      onHeartbeat: ({ checkpoint }) => {
        if (killed || !checkpoint || checkpoint.epoch < 3) return;
        killed = true;
        process.kill(first.pid(), 'SIGKILL');
      },
    });
    await assert.rejects(first.result, { code: 'training.process-died', permanent: false });
    const result = await fixture.attempt(input, { attempt: 2 }).result;
    assert.ok(result.resumedFromEpoch! >= 3, `resumed from ${result.resumedFromEpoch}`);

    const other = await openFitFixture();
    try {
      const whole = await other.attempt(await refitOf(other, seed)).result;
      assert.equal(whole.resumedFromEpoch, null);
      assert.equal(result.weightsDigest, whole.weightsDigest);
    } finally {
      await other.close();
    }
  });

  it('is found again by content, and tells its epochs apart from those of its twin', async () => {
    const input = await refitOf(fixture, ++asked);
    const result = await fixture.attempt(input).result;
    assert.deepEqual(await fixture.attempt(input).result, { ...result, cached: true });
    const { refit: _refit, ...twin } = input;
    assert.notEqual((await fixture.attempt(twin).result).weightsDigest, result.weightsDigest);
    const events = await readEvents(fixture.database.db, input.experimentId, { kind: 'epoch' });
    const epochsOf = (stage: string): unknown[] =>
      events.filter((event) => event.stage === stage).map(({ payload }) => payload['epoch']);
    assert.equal(epochsOf('fit').length, 10);
    assert.deepEqual(
      epochsOf('refit'),
      Array.from({ length: result.bestEpoch }, (_, i) => i + 1),
    );
  });

  it('refuses rows of other data and a twin that is none, for good', async () => {
    const input = await refitOf(fixture, ++asked);
    const { rows, twin } = input.refit!;
    const other = { ...input, refit: { rows: twin, twin } };
    await assert.rejects(fixture.attempt(other).result, { code: 'refit.corrupt', permanent: true });
    const swapped = { ...input, refit: { rows, twin: rows } };
    await assert.rejects(fixture.attempt(swapped).result, { code: 'bytes.corrupt' });
  });
});
