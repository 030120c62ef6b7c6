import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instrumentScalers } from '../../../core/features/instrument-scaling.ts';
import type { Prepared } from '../../../core/features/prepared.ts';
import { runFitJob, type FitJob } from '../../../core/models/fit-job.impl.ts';
import { seenData, withScalersOf } from '../../../core/models/seen-data.ts';
import { fitContext } from '../../support/fit-context.ts';
import { IDS, pool } from '../../support/planted-pool.ts';

const ridge = (prepared: Prepared): Promise<Awaited<ReturnType<typeof runFitJob>>> => {
  const job: FitJob = { family: 'ridge', params: {}, seed: 1, prepared, multiplyByClose: false };
  return runFitJob(job, fitContext(prepared));
};

/** Share of the variance of an instrument's labels that the probes explain. */
function explained(prepared: Prepared, probes: { rows: Int32Array; predictions: Float64Array }) {
  return IDS.map((_, i) => {
    const { from, to } = prepared.instruments[i]!;
    const at = [...probes.rows.keys()].filter((k) => {
      const row = probes.rows[k]!;
      return row >= from && row < to;
    });
    const labels = at.map((k) => prepared.labels[probes.rows[k]!]!);
    const mean = labels.reduce((a, b) => a + b, 0) / labels.length;
    const rest = at.reduce((sum, k, n) => sum + (labels[n]! - probes.predictions[k]!) ** 2, 0);
    return 1 - rest / labels.reduce((sum, y) => sum + (y - mean) ** 2, 0);
  });
}

test('a family that wants scaled data learns both instruments, which one scaler for all hides', async () => {
  const apart = pool('instrument');
  const bundle = await ridge(apart);
  const shares = explained(apart, bundle.probes);
  assert.ok(
    shares.every((share) => share > 0.3),
    `explained ${shares.join(', ')}`,
  );
  assert.ok(bundle.equality.maxRelative < 1e-5, 'the whole graph is held against the model');
  assert.deepEqual(Object.keys(bundle.context.instrumentScalers!), IDS);
  const together = pool('unit');
  const [calm] = explained(together, (await ridge(together)).probes);
  assert.ok(calm! < 0, `the calm one drowns in the other's scale (${calm})`);
});

test('a family that needs no scaling sees the data as it is', () => {
  const prepared = pool('instrument');
  const seen = seenData(prepared, { needsScaling: false, multiplyByClose: true });
  assert.equal(seen.prepared, prepared);
  assert.deepEqual([seen.raw, seen.multiplyByClose], [true, true]);
});

test('who goes on from a fit keeps the scalers it had, of each instrument too', () => {
  const prepared = pool('instrument');
  const [calm, wild] = instrumentScalers(prepared)!;
  const parent = { scalers: prepared.scalers, instrumentScalers: { WILD: calm!, CALM: wild! } };
  assert.deepEqual(instrumentScalers(withScalersOf(parent, prepared)), [wild, calm]);
  const one = { scalers: calm! };
  const again = withScalersOf(one, prepared);
  assert.equal(again.scalers, calm);
  assert.equal(instrumentScalers(again), undefined, 'nor are instruments scaled apart anew');
  const stranger = { scalers: calm!, instrumentScalers: { CALM: calm! } };
  assert.throws(() => withScalersOf(stranger, prepared), { code: 'training.parent' });
});
