import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { samplesOf, type Prepared } from '../../../../core/features/prepared.ts';
import { decodeBundle, encodeBundle } from '../../../../core/models/bundle.ts';
import { runFitJob } from '../../../../core/models/fit-job.impl.ts';
import { modelFamilyOrThrow } from '../../../../core/models/index.ts';
import type { EpochEvent, FitContext, Windows } from '../../../../core/models/model.ts';
import { topFeatures } from '../../../../core/models/trees/top-features.ts';
import { fitContext } from '../../../support/fit-context.ts';
import { plantedPrepared } from '../../../support/planted-prepared.ts';
import { ENGINES, treeData } from '../../../support/tree-cases.ts';
import { withoutTrees } from '../../../support/without-trees.ts';

const NAMES = ['lightgbm', 'xgboost'] as const;
const BASE = { rows: 500, lookback: 3, features: 4, signal: 0.7 };

async function fit(
  name: string,
  prepared: Prepared,
  params: Record<string, unknown> = {},
  changes: Partial<FitContext> = {},
) {
  const family = modelFamilyOrThrow(name);
  const { implementation } = await family.load();
  const model = await implementation.fit(
    family.params.parse({ rounds: 60, ...params }),
    samplesOf(prepared, prepared.split.train),
    samplesOf(prepared, prepared.split.valid),
    fitContext(prepared, changes),
  );
  return { implementation, model };
}

/** Windows to explain. */
const testWindows = (prepared: Prepared): Windows => samplesOf(prepared, prepared.split.test);

for (const name of NAMES) {
  describe(`boosted trees of ${name}`, { skip: withoutTrees }, () => {
    it('tell their progress and stop where validation is best', async () => {
      const prepared = plantedPrepared(BASE);
      const told: EpochEvent[] = [];
      const batches: number[] = [];
      const patience = 15;
      const { model } = await fit(
        name,
        prepared,
        { rounds: 400, learningRate: 0.2, earlyStopping: { patience } },
        { onEpoch: (event) => told.push(event), onBatch: ({ epoch }) => batches.push(epoch) },
      );
      const { summary } = model;
      model.dispose();
      const best = summary.chosen!['rounds']!;
      assert.ok(summary.epochsRun < 400, 'stopped early');
      assert.equal(summary.epochsRun, Math.max(...best) + patience);
      assert.equal(summary.bestEpoch, Math.max(...best));
      best.forEach((round, k) => {
        const losses = summary.history.map((event) => event.validLossByHorizon![k]!);
        const seen = losses.slice(0, round + patience);
        assert.equal(losses[round - 1], Math.min(...seen));
      });
      // Some of the rounds, among them the first and the last.
      assert.ok(told.length <= 110 && told.length > 3);
      assert.deepEqual(told[0], summary.history[0]);
      assert.deepEqual(told.at(-1), summary.history.at(-1));
      assert.equal(batches.length, 3 * summary.epochsRun);
    });

    it('stop when they are cancelled', async () => {
      const cancel = new AbortController();
      const reason = new Error('not wanted any more');
      let rounds = 0;
      const watch = ({ epoch }: { epoch: number }): void => {
        rounds = epoch;
        if (epoch === 5) cancel.abort(reason);
      };
      const changes = { signal: cancel.signal, onBatch: watch };
      await assert.rejects(fit(name, plantedPrepared(BASE), { rounds: 5000 }, changes), reason);
      assert.equal(rounds, 5);
    });

    it('say what each feature contributes, adding up to the answer in label units', async () => {
      const prepared = plantedPrepared(BASE);
      const { implementation, model } = await fit(name, prepared);
      const answers = await model.predict(samplesOf(prepared, prepared.split.test));
      const said = await implementation.contributions!(model.nativeFile!(), testWindows(prepared));
      model.dispose();
      assert.deepEqual([said.horizons, said.outputs, said.unit], [3, 1, 'label']);
      const width = BASE.features + 1;
      assert.equal(said.values.length, answers.length * width);
      const planted = new Float64Array(BASE.features);
      answers.forEach((answer, at) => {
        const shares = said.values.subarray(at * width, (at + 1) * width);
        const sum = shares.reduce((a, b) => a + b, 0);
        assert.ok(Math.abs(sum - answer) < 1e-7, `${sum} for ${answer}`);
        for (let f = 0; f < BASE.features; f++) planted[f]! += Math.abs(shares[f]!);
      });
      // The signal is planted in the first feature.
      assert.ok(planted[0]! > 2 * Math.max(...planted.subarray(1)), String(planted));
    });

    it('say what each feature contributes to the logit of every class', async () => {
      for (const [labelKind, outputs] of [
        ['threeClass', 3],
        ['binaryForwardReturn', 2],
      ] as const) {
        const prepared = plantedPrepared({ ...BASE, labelKind });
        const { implementation, model } = await fit(name, prepared);
        const answers = await model.predict(samplesOf(prepared, prepared.split.test));
        const said = await implementation.contributions!(
          model.nativeFile!(),
          testWindows(prepared),
        );
        model.dispose();
        assert.deepEqual([said.outputs, said.unit], [outputs, 'logit']);
        const width = BASE.features + 1;
        const logits = Float64Array.from({ length: answers.length }, (_, at) =>
          said.values.subarray(at * width, (at + 1) * width).reduce((a, b) => a + b, 0),
        );
        for (let from = 0; from < answers.length; from += outputs) {
          const apart = logits[from + 1]! - logits[from]!;
          // Of two classes both have the log-odds, once with the other sign.
          const odds = Math.log(answers[from + 1]! / answers[from]!) * (outputs === 2 ? 2 : 1);
          assert.ok(Math.abs(apart - odds) < 1e-5, `${apart} for ${odds}`);
        }
      }
    });

    it('keep their native file in the bundle, and no parser sees it when a bit has changed', async () => {
      const prepared = plantedPrepared(BASE);
      const job = {
        family: name,
        params: { rounds: 20 },
        seed: 1,
        prepared,
        multiplyByClose: false,
      };
      const bundle = decodeBundle(encodeBundle(await runFitJob(job, fitContext(prepared))));
      const { implementation } = await modelFamilyOrThrow(name).load();
      const native = bundle.native!;
      await implementation.contributions!(native, testWindows(prepared));
      for (const at of [0, 20, native.length >> 1, native.length - 5]) {
        const altered = native.slice();
        altered[at]! ^= 1;
        const refused = { code: 'bytes.corrupt' };
        await assert.rejects(
          implementation.contributions!(altered, testWindows(prepared)),
          refused,
        );
        await assert.rejects(implementation.restore(altered), refused);
      }
      await assert.rejects(implementation.restore(native), { code: 'bytes.corrupt' });
      const [other] = NAMES.filter((each) => each !== name);
      const { implementation: foreign } = await modelFamilyOrThrow(other!).load();
      await assert.rejects(foreign.restore(bundle.weights), {
        code: 'bytes.corrupt',
        message: new RegExp(`trees of ${name}`),
      });
      const [top] = topFeatures(bundle.summary.importance!, bundle.context.featureNames, 1);
      assert.equal(top!.feature, prepared.featureNames[0]);
    });

    it('learn from a part that lacks a class, and from one with a single class', async () => {
      for (const labelKind of ['threeClass', 'binaryForwardReturn']) {
        const prepared = plantedPrepared({ ...BASE, labelKind });
        const labels = prepared.labels.map((label) => (Number.isNaN(label) ? NaN : 1));
        for (const each of [{ ...prepared, labels }]) {
          const { model } = await fit(name, each);
          const answers = await model.predict(samplesOf(each, each.split.test));
          model.dispose();
          const classes = labelKind === 'threeClass' ? 3 : 2;
          answers.forEach((p, at) => {
            assert.ok(at % classes === 1 ? p > 0.8 : p >= 0 && p < 0.2, `${at}: ${p}`);
          });
        }
      }
    });

    it('weight classes by their share when asked to', async () => {
      const prepared = plantedPrepared({ ...BASE, labelKind: 'binaryForwardReturn', signal: 0 });
      const meanOfRarer = async (classWeights: string): Promise<number> => {
        const { model } = await fit(name, prepared, { classWeights });
        const answers = await model.predict(samplesOf(prepared, prepared.split.train));
        model.dispose();
        const rarer = answers.filter((_, at) => at % 6 === 1);
        return rarer.reduce((a, b) => a + b, 0) / rarer.length;
      };
      const [share] = prepared.classes!.priors[0]!.slice(1);
      assert.ok(Math.abs((await meanOfRarer('none')) - share!) < 0.03);
      assert.ok(Math.abs((await meanOfRarer('balanced')) - 0.5) < 0.03);
    });

    it('give their memory back', async () => {
      const { boost } = ENGINES[name];
      const { x, labels } = treeData(false);
      const copies = 60;
      const many = {
        x: new Float64Array(x.length * copies).map((_, at) => x[at % x.length]!),
        columns: 6,
        y: new Float64Array(labels.regression.length * copies).map(
          (_, at) => labels.regression[at % labels.regression.length]!,
        ),
      };
      const task = { kind: 'regression' } as const;
      const once = () =>
        boost({ task, horizons: [{ train: many }], rounds: { chosen: [2] }, most: 2 });
      for (let i = 0; i < 5; i++) await once();
      const beforeBytes = process.memoryUsage.rss();
      const times = 40;
      for (let i = 0; i < times; i++) await once();
      const grownBytes = process.memoryUsage.rss() - beforeBytes;
      // The rows alone are 2.4 MB in bins or in float32; a quarter of that each time would be seen.
      assert.ok(grownBytes < times * 0.6e6, `${grownBytes} bytes in ${times} fits`);
    });
  });
}
