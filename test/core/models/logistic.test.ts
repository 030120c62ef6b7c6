import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fitContext } from '../../support/fit-context.ts';
import { plantedPrepared } from '../../support/planted-prepared.ts';
import { samplesOf, type Prepared } from '../../../core/features/prepared.ts';
import { logistic, logisticParams } from '../../../core/models/logistic.ts';

async function fit(prepared: Prepared, penalties?: number[]) {
  const { implementation } = await logistic.load();
  return implementation.fit(
    logisticParams.parse(penalties ? { penalties } : {}),
    samplesOf(prepared, prepared.split.train),
    samplesOf(prepared, prepared.split.valid),
    fitContext(prepared),
  );
}

const planted = (changes = {}): Prepared =>
  plantedPrepared({ rows: 600, features: 4, lookback: 2, labelKind: 'threeClass', ...changes });

describe('logistic', () => {
  it('takes a large penalty on noise and a small one on a signal, horizon by horizon', async () => {
    const [noise, signal] = [
      await fit(planted({ signal: 0 })),
      await fit(planted({ signal: 0.9 })),
    ];
    const penalties = (model: typeof noise): readonly number[] => model.summary.chosen!['penalty']!;
    assert.equal(penalties(noise).length, 3);
    assert.ok(Math.min(...penalties(noise)) > 100, `${penalties(noise)}`);
    assert.ok(Math.max(...penalties(signal)) < 10, `${penalties(signal)}`);
  });

  it('with the largest penalty answers the shares of the training part', async () => {
    const prepared = planted();
    const model = await fit(prepared, [1e12]);
    const [first] = [await model.predict(samplesOf(prepared, prepared.split.test.subarray(0, 1)))];
    prepared.classes!.priors.flat().forEach((prior, at) => {
      assert.ok(Math.abs(first![at]! - prior) < 1e-6, `${first![at]} is not ${prior}`);
    });
  });

  it('gives a class that training never saw the share of half a row', async () => {
    const prepared = planted();
    const labels = prepared.labels.slice();
    for (const row of prepared.split.train) {
      for (let k = 0; k < 3; k++) if (labels[row * 3 + k] === 2) labels[row * 3 + k] = 1;
    }
    const model = await fit({ ...prepared, labels }, [1e12]);
    const p = await model.predict(samplesOf(prepared, prepared.split.test));
    const want = 0.5 / prepared.split.train.length;
    for (let at = 2; at < p.length; at += 3) {
      assert.ok(p[at]! > 0.9 * want && p[at]! < 1.1 * want, `${p[at]}`);
    }
  });

  it('is not hurt by constant and repeated columns', async () => {
    const prepared = planted({ signal: 0.8 });
    const features = prepared.features.slice();
    for (let row = 0; row < features.length / 4; row++) {
      features[row * 4 + 1] = 7;
      features[row * 4 + 2] = features[row * 4]!;
    }
    const { bestValidLoss } = (await fit({ ...prepared, features })).summary;
    assert.ok(bestValidLoss < 0.75, `${bestValidLoss}`);
  });

  it('ends when asked to', async () => {
    const prepared = planted();
    const { implementation } = await logistic.load();
    const signal = AbortSignal.abort(new Error('cancelled'));
    const context = { ...fitContext(prepared), signal };
    const part = (rows: Int32Array) => samplesOf(prepared, rows);
    const { train, valid } = prepared.split;
    const fitted = implementation.fit(logisticParams.parse({}), part(train), part(valid), context);
    await assert.rejects(fitted, /cancelled/);
  });
});
