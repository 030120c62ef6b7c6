import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TrainingCallbacks, TrainingJob } from '../../activities/deps.ts';
import { encodePrepared } from '../../core/features/prepared.ts';
import { decodeBundle } from '../../core/models/bundle.ts';
import { runFitJob } from '../../core/models/fit-job.impl.ts';
import { createTrainer } from '../../workers/training-slot.ts';
import { fitContext } from '../support/fit-context.ts';
import { withMarket } from '../support/planted-market.ts';
import { plantedPrepared } from '../support/planted-prepared.ts';
import { callbacks } from '../support/training-job.ts';

const prepared = withMarket(plantedPrepared({ labelKind: 'threeClass', rows: 900 }));

const job: TrainingJob = {
  family: 'policy-gradient',
  params: { hidden: 4, rollouts: 8, epochs: 30, earlyStopping: { patience: 30 } },
  seed: 3,
  prepared: encodePrepared(prepared),
  checkpoint: undefined,
  multiplyByClose: false,
};

function start(of: TrainingJob, changes: Partial<TrainingCallbacks> = {}) {
  const child = { pid: 0 };
  const onStart = (pid: number): void => void (child.pid = pid);
  const trainer = createTrainer({ log: { debug: () => {} }, onStart });
  return { child, result: trainer.train(of, callbacks(changes), new AbortController().signal) };
}

const here = () =>
  runFitJob({ ...job, prepared, parent: undefined, members: undefined }, fitContext(prepared));

describe('an agent in the training child', () => {
  it('trades in the engine of backtests and ends with the weights of this process', async () => {
    const bundle = decodeBundle(await start(job).result);
    const { summary, equality } = await here();
    assert.equal(bundle.summary.weightsDigest, summary.weightsDigest);
    assert.equal(bundle.summary.history.length, 30);
    assert.ok(bundle.equality.rows > 0 && equality.maxRelative <= 1e-5);
  });

  it('killed in the middle it ends with the same weights', async () => {
    const crashing = start(job, {
      onEpoch: ({ epoch }) => void (epoch === 10 && process.kill(crashing.child.pid, 'SIGKILL')),
    });
    await assert.rejects(crashing.result, { code: 'training.process-died' });
    const again = decodeBundle(await start(job).result);
    assert.equal(again.summary.weightsDigest, (await here()).summary.weightsDigest);
  });

  it('refuses data that nobody told it the market of', async () => {
    const { open: _open, ...rest } = prepared;
    const blind = start({ ...job, prepared: encodePrepared(rest) });
    await assert.rejects(blind.result, { code: 'training.no-market' });
  });
});
