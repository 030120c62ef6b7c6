import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { samplesOf, type Prepared } from '../../../../core/features/prepared.ts';
import { runFitJob } from '../../../../core/models/fit-job.impl.ts';
import { fitContext } from '../../../support/fit-context.ts';
import { withMarket } from '../../../support/planted-market.ts';
import { plantedPrepared } from '../../../support/planted-prepared.ts';

const SHAPE = { features: 3, lookback: 2, horizons: [1], labelKind: 'threeClass', signal: 0.5 };

/** Two instruments one after the other, each with scalers of its own. */
function pool(): Prepared {
  const [one, other] = [1, 2].map((seed) => withMarket(plantedPrepared({ ...SHAPE, seed })));
  const rows = one!.openTime.length;
  const both = (column: (of: Prepared) => Float64Array): Float64Array =>
    Float64Array.from([...column(one!), ...column(other!)]);
  const part = (of: Int32Array): Int32Array =>
    Int32Array.from([...of, ...of.map((row) => row + rows)]);
  const { train, valid, test: tested } = one!.split;
  const ownOf = ({ scalers, classes, trainLabelMean, trainLabelVariance }: Prepared) => ({
    ...{ scalers, trainLabelMean, trainLabelVariance },
    ...(classes && { classes }),
  });
  return {
    ...one!,
    instruments: [
      { id: 'FIRST', from: 0, to: rows },
      { id: 'SECOND', from: rows, to: 2 * rows },
    ],
    openTime: both(({ openTime }) => openTime),
    open: both(({ open }) => open!),
    close: both(({ close }) => close),
    features: both(({ features }) => features),
    labels: both(({ labels }) => labels),
    labelChanges: both(({ labelChanges }) => labelChanges!),
    split: { train: part(train), valid: part(valid), test: part(tested) },
    byInstrument: [ownOf(one!), ownOf(other!)],
  };
}

const jobOf = (prepared: Prepared, family: string, params: object) => ({
  ...{ family, params, seed: 1, prepared, multiplyByClose: false },
});

describe('an agent among others', () => {
  test('learns from a pool whose instruments are scaled each by itself, in one graph', async () => {
    const prepared = pool();
    const params = { rollouts: 4, epochs: 10 };
    const bundle = await runFitJob(
      jobOf(prepared, 'policy-gradient', params),
      fitContext(prepared),
    );
    assert.equal(bundle.equality.rows, prepared.split.valid.length);
    assert.ok(bundle.equality.maxRelative <= 1e-5);
    assert.ok(bundle.context.instrumentScalers?.['SECOND']);
    const { loss } = bundle.summary.history.at(-1)!;
    assert.ok(loss < -0.1, `it earns in both: ${loss}`);
  });

  test('can be a member of an ensemble, which hands it the market', async () => {
    const prepared = withMarket(plantedPrepared({ ...SHAPE, rows: 900 }));
    const agent = { family: 'policy-gradient', hyperparameters: { rollouts: 4, epochs: 6 } };
    const params = { members: [agent, { family: 'logistic' }], method: 'stacking', folds: 2 };
    const job = jobOf(prepared, 'ensemble', params);
    const bundle = await runFitJob(job, fitContext(prepared));
    assert.ok(bundle.equality.maxRelative <= 1e-5);
    assert.deepEqual(
      bundle.summary.members?.map(({ family }) => family),
      ['policy-gradient', 'logistic'],
    );
    assert.ok(samplesOf(prepared, prepared.split.valid).market, 'rows with their market');
  });
});
