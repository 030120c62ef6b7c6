import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { withoutTensorflow } from '../support/tensorflow.ts';
import { openFitFixture, type FitFixture } from '../support/fit-fixture.ts';
import { plantedPrepared } from '../support/planted-prepared.ts';
import { randomFor } from '../../core/models/random.ts';

/** `kill -9` of the training child at seeded random moments. */
const RUNS = process.env['RATCHET_TEST_FULL'] ? 20 : 5;
const SEED = Number(process.env['RATCHET_FAULT_SEED'] ?? 20_261_121);
const DATA = { rows: 1500, features: 30, lookback: 30 } as const;
const NETWORK = { units: [32, 32], dense: [16], branch: 8, epochs: 6, batchSize: 16 } as const;
const BATCHES = Math.ceil(plantedPrepared(DATA).split.train.length / NETWORK.batchSize);
const KILLED = { code: 'training.process-died', permanent: false };

describe('kill -9 inside an epoch', { skip: withoutTensorflow }, () => {
  let fixture: FitFixture;
  let wholeDigest = '';
  before(async () => {
    fixture = await openFitFixture();
    const input = await fixture.ask(NETWORK, DATA);
    wholeDigest = (await fixture.attempt(input).result).weightsDigest;
    await fixture.close();
  });

  const random = randomFor(SEED);
  for (let run = 0; run < RUNS; run++) {
    // Epochs in turn, moments inside them at random. Not the last epoch: a moment late in it could
    // pass before the next heartbeat tells.
    const epoch = 1 + (run % (NETWORK.epochs - 1));
    const afterBatch = 1 + Math.floor(random() * (BATCHES - 2));
    const delayMs = Math.floor(random() * 5);

    it(`run ${run}: epoch ${epoch}, after batch ${afterBatch} of ${BATCHES}`, async (t) => {
      fixture = await openFitFixture();
      after(() => fixture.close());
      const input = await fixture.ask(NETWORK, DATA);
      const startMs = performance.now();
      let last = { epoch: 0, batch: 0 };
      let killed: { epoch: number; batch: number } | undefined;
      const first = fixture.attempt(input, {
        onHeartbeat: ({ epoch: e, batch }) => {
          last = { epoch: e, batch };
          // The first heartbeat at or after the moment that lies inside an epoch.
          const due = e > epoch || (e === epoch && batch >= afterBatch);
          if (killed || !due || batch === 0 || batch >= BATCHES - 2) return;
          killed = last;
          setTimeout(() => process.kill(first.pid(), 'SIGKILL'), delayMs);
        },
      });
      await assert.rejects(first.result, KILLED);
      const atMs = Math.round(performance.now() - startMs);
      t.diagnostic(
        `seed ${SEED}: killed ${atMs} ms after the start, in epoch ${killed!.epoch}, ` +
          `after batch ${killed!.batch} of ${BATCHES}`,
      );
      assert.ok(killed!.batch > 0 && killed!.batch < BATCHES, 'inside an epoch');

      const second = await fixture.attempt(input, { attempt: 2 }).result;
      t.diagnostic(`attempt 2 went on from epoch ${second.resumedFromEpoch ?? 'none'}`);
      assert.equal(second.attempt, 2);
      const from = second.resumedFromEpoch ?? 1;
      assert.ok(from === killed!.epoch || from === killed!.epoch - 1, `from epoch ${from}`);
      assert.equal(second.weightsDigest, wholeDigest);
      assert.equal(second.epochsRun, NETWORK.epochs);
    });
  }
});
