import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { samplesOf, type Prepared } from '../../../core/features/prepared.ts';
import type { FitBundle } from '../../../core/models/bundle.ts';
import type { FitMember } from '../../../core/models/fit-members.impl.ts';
import { runFitJob } from '../../../core/models/fit-job.impl.ts';
import { modelFamilyOrThrow } from '../../../core/models/index.ts';
import type { FitContext, FittedModel } from '../../../core/models/model.ts';
import { openSession } from '../../../core/onnx/session.impl.ts';
import { fitContext } from '../../support/fit-context.ts';
import { IDS, pool } from '../../support/planted-pool.ts';
import { plantedPrepared, type PlantedOptions } from '../../support/planted-prepared.ts';
import { withoutTensorflow } from '../../support/tensorflow.ts';
import { withoutTrees } from '../../support/without-trees.ts';

const DAY = 86_400_000;
const BASE: PlantedOptions = { rows: 900, features: 3, lookback: 4, horizons: [1, 2], signal: 0.6 };
const [OLD_TRAIN, OLD_VALID] = [300, 380];

const range = (from: number, to: number): Int32Array =>
  Int32Array.from({ length: to - from }, (_, i) => from + i);

/** The same bars as they were long before: fewer of them, and scalers of their own. */
function older(prepared: Prepared): Prepared {
  const { features, labels } = prepared.scalers;
  const first = prepared.split.train[0]!;
  return {
    ...prepared,
    split: {
      train: range(first, OLD_TRAIN),
      valid: range(OLD_TRAIN + 3, OLD_VALID),
      test: range(OLD_VALID + 3, OLD_VALID + 60),
    },
    trainedThrough: prepared.openTime[OLD_VALID + 1]!,
    scalers: {
      features: { ...features, offset: features.offset.map((value) => value + 0.7) },
      labels:
        prepared.classes === undefined
          ? { ...labels, factor: labels.factor.map((value) => value * 1.3) }
          : labels,
    },
  };
}

const jobOf = (family: string, params: unknown, prepared: Prepared) => ({
  ...{ family, params, seed: 1, prepared },
  multiplyByClose: prepared.labelKind === 'forwardPrice',
});

const bundleOf = (family: string, params: object, prepared: Prepared): Promise<FitBundle> =>
  runFitJob(jobOf(family, params, prepared), fitContext(prepared));

const memberOf = (bundle: FitBundle, data: Prepared, model = 'known'): FitMember => ({
  ...{ ...bundle, model, version: 3 },
  trainedThrough: data.trainedThrough,
});

const named = ({ model, version }: FitMember) => ({ model, version });

function ensembleOf(
  prepared: Prepared,
  members: readonly FitMember[],
  asked: object,
  changes: Partial<FitContext> = {},
): Promise<FitBundle> {
  const params = { members: members.map(named), ...asked };
  return runFitJob(
    { ...jobOf('ensemble', params, prepared), members },
    fitContext(prepared, changes),
  );
}

async function restored({ family, weights }: FitBundle): Promise<FittedModel> {
  const { implementation } = await modelFamilyOrThrow(family).load();
  return implementation.restore(weights);
}

async function graphSays({ graphs }: FitBundle, prepared: Prepared, rows: Int32Array) {
  const [width, depth] = [prepared.featureNames.length, prepared.lookback];
  const x = Float64Array.from(
    [...rows].flatMap((end) => [
      ...prepared.features.subarray((end + 1 - depth) * width, (end + 1) * width),
    ]),
  );
  const close = Float64Array.from(rows, (row) => prepared.close[row]!);
  const session = await openSession(graphs.model);
  try {
    return await session.run({
      x: { data: x, dims: [rows.length, depth, width] },
      ...(session.inputNames.includes('close') && {
        close: { data: close, dims: [rows.length, 1] },
      }),
    });
  } finally {
    await session.release();
  }
}

const TREES = { rounds: 30, numLeaves: 6 };

describe('registered members', { skip: withoutTrees }, () => {
  for (const [labelKind, straight] of [
    ['forwardLogReturn', 'ridge'],
    ['forwardPrice', 'ridge'],
    ['threeClass', 'logistic'],
  ] as const) {
    it(`${labelKind}: they answer bit for bit as their own packages do, in their own scalers`, async () => {
      const prepared = plantedPrepared({ ...BASE, labelKind });
      const before = older(prepared);
      const rows = prepared.split.test;
      for (const [family, params] of [
        [straight, {}],
        ['lightgbm', TREES],
      ] as const) {
        const bundle = await bundleOf(family, params, before);
        const member = memberOf(bundle, before);
        const other = { family: straight };
        // All weight on the registered one: the other adds exactly nothing.
        const asked = { members: [named(member), other], voting: 'weighted', weights: [1, 0] };
        const together = await ensembleOf(prepared, [member], asked);
        const [own, whole] = [await restored(bundle), await restored(together)];
        const samples = samplesOf(prepared, rows);
        assert.deepEqual(await whole.predict(samples), await own.predict(samples));
        for (const each of [own, whole]) each.dispose();
        assert.deepEqual(
          await graphSays(together, prepared, rows),
          await graphSays(bundle, prepared, rows),
        );
        assert.deepEqual(together.summary.members![0], {
          family,
          registered: named(member),
          summary: { ...bundle.summary, history: [] },
        });
        assert.equal(together.summary.members![1]!.registered, undefined);
      }
    });
  }

  it(
    'a version that reads fewer bars gets the newest of the window',
    { skip: withoutTensorflow },
    async () => {
      const prepared = plantedPrepared({ ...BASE, lookback: 6 });
      const before = { ...older(prepared), lookback: 3 };
      const small = {
        units: [4],
        dense: [4],
        branch: 4,
        dropout: 0,
        recurrentDropout: 0,
        epochs: 2,
      };
      const bundle = await bundleOf('lstm-multi-horizon', small, before);
      const member = memberOf(bundle, before);
      const asked = {
        members: [named(member), { family: 'ridge' }],
        voting: 'weighted',
        weights: [1, 0],
      };
      const together = await ensembleOf(prepared, [member], asked);
      const rows = prepared.split.test;
      assert.deepEqual(
        await graphSays(together, prepared, rows),
        await graphSays(bundle, { ...prepared, lookback: 3 }, rows),
      );
    },
  );

  it('a version of a pool that scales each instrument by itself answers for one of them', async () => {
    const all = pool('instrument');
    const bundle = await bundleOf('ridge', {}, all);
    const member = memberOf(bundle, all);
    const [, wild] = all.instruments;
    const within = (row: number): boolean => row >= wild!.from && row < wild!.to;
    const { byInstrument: _all, ...shared } = all;
    const one: Prepared = {
      ...shared,
      instruments: [wild!],
      split: {
        train: all.split.train.filter(within),
        valid: all.split.valid.filter(within),
        test: all.split.test.filter(within),
      },
      scalers: all.byInstrument![1]!.scalers!,
    };
    const asked = {
      members: [named(member), { family: 'ridge' }],
      voting: 'weighted',
      weights: [1, 0],
    };
    const together = await ensembleOf(one, [member], asked);
    const { rows, predictions } = bundle.probes;
    const places = [...rows.keys()].filter((i) => within(rows[i]!));
    assert.ok(places.length > 5);
    assert.deepEqual(
      await graphSays(
        together,
        one,
        Int32Array.from(places, (i) => rows[i]!),
      ),
      Float64Array.from(places, (i) => predictions[i]!),
    );
    const unscaled = pool('unit');
    await assert.rejects(ensembleOf(unscaled, [member], asked), {
      code: 'training.member',
      message: /scales each instrument by itself: use it in a fit of one of them/,
    });
    const plain = memberOf(await bundleOf('ridge', {}, unscaled), unscaled);
    await assert.rejects(ensembleOf(all, [plain], asked), {
      code: 'training.member',
      message: /use scaling: \{ per: unit \}/,
    });
    assert.equal((await ensembleOf(unscaled, [plain], asked)).equality.maxRelative < 1e-12, true);
    assert.deepEqual(IDS, ['CALM', 'WILD']);
  });

  const prepared = plantedPrepared(BASE);
  const before = older(prepared);
  const [validFrom, testFrom] = [prepared.split.valid[0]!, prepared.split.test[0]!].map(
    (row) => prepared.openTime[row]!,
  );

  it('the same fit gives the same weights, whatever crashed, and its own twin is itself', async () => {
    const member = memberOf(await bundleOf('ridge', {}, before), before);
    const trees = { family: 'lightgbm', hyperparameters: TREES };
    for (const asked of [{ method: 'stacking', folds: 2 }, { method: 'blending' }, {}]) {
      const params = { members: [trees, named(member)], ...asked };
      let newest: Uint8Array | undefined;
      const keep = async (bytes: Uint8Array): Promise<void> => void (newest = bytes);
      const whole = await ensembleOf(prepared, [member], params, { saveCheckpoint: keep });
      const again = await ensembleOf(prepared, [member], params, {
        loadCheckpoint: async () => newest,
      });
      assert.equal(again.summary.weightsDigest, whole.summary.weightsDigest);
      assert.deepEqual(again.weights, whole.weights);
      const job = { ...jobOf('ensemble', params, prepared), members: [member] };
      const refit = await runFitJob({ ...job, twin: whole.summary }, fitContext(prepared));
      assert.equal(refit.summary.weightsDigest, whole.summary.weightsDigest);
      const other = { ...member, version: 4 };
      const changed = { ...job, params: { ...params, members: [trees, named(other)] } };
      await assert.rejects(
        runFitJob({ ...changed, members: [other], twin: whole.summary }, fitContext(prepared)),
        { code: 'training.twin' },
      );
      const of = await restored(whole);
      assert.deepEqual(of.save(), whole.weights);
      of.dispose();
    }
  });

  it('its checkpoint is of no fit with other weights in the version', async () => {
    const [one, other] = [0, 1].map(async (seed) => {
      const data = older(plantedPrepared({ ...BASE, seed: 5 + seed }));
      return memberOf(await bundleOf('ridge', {}, data), data);
    });
    const params = (member: FitMember) => ({
      members: [named(member), { family: 'lightgbm', hyperparameters: TREES }],
    });
    let newest: Uint8Array | undefined;
    await ensembleOf(prepared, [await one!], params(await one!), {
      saveCheckpoint: async (bytes) => void (newest = bytes),
    });
    const resumed = ensembleOf(prepared, [await other!], params(await other!), {
      loadCheckpoint: async () => newest,
    });
    await assert.rejects(resumed, { code: 'bytes.corrupt', message: /another fit/ });
  });

  it('what the ensemble knows is what any of its members knows', async () => {
    const bundle = await bundleOf('ridge', {}, before);
    const elder = { fittedThrough: validFrom! - DAY, knownThrough: testFrom! - DAY };
    const member = { ...memberOf(bundle, before), knowledge: elder };
    const together = await ensembleOf(prepared, [member], {
      members: [named(member), { family: 'ridge' }],
    });
    assert.deepEqual(together.knowledge, {
      fittedThrough: Math.max(
        elder.fittedThrough,
        (await bundleOf('ridge', {}, prepared)).knowledge!.fittedThrough,
      ),
      knownThrough: Math.max(elder.knownThrough, prepared.trainedThrough),
    });
  });

  it('kept weights of other data are no member', async () => {
    const bundle = await bundleOf('naive', {}, before);
    const asked = { members: [named(memberOf(bundle, before)), { family: 'ridge' }] };
    await ensembleOf(prepared, [memberOf(bundle, before)], asked);
    for (const change of [{ featureNames: ['a', 'b'] }, { horizons: [1, 3] }, { lookback: 9 }]) {
      const member = memberOf({ ...bundle, context: { ...bundle.context, ...change } }, before);
      await assert.rejects(ensembleOf(prepared, [member], asked), {
        code: 'training.member',
        message: /are those of other data/,
      });
    }
  });

  it('a planted leak is refused, and says who knows what and what to do', async () => {
    // It has seen the labels that it is to be tested on: no score could tell, so the dates must.
    const cheating: Prepared = {
      ...prepared,
      split: { ...prepared.split, train: range(prepared.split.train[0]!, 850) },
      trainedThrough: prepared.openTime[860]!,
    };
    const bundle = await bundleOf('ridge', {}, cheating);
    const member = memberOf(bundle, cheating, 'stocks-aapl');
    for (const method of ['voting', 'stacking', 'blending']) {
      const asked = { members: [named(member), { family: 'ridge' }], method };
      await assert.rejects(ensembleOf(prepared, [member], asked), {
        code: 'training.member-leaks',
        permanent: true,
        message:
          /version 3 of stocks-aapl has learnt labels up to \d{4}-.*Z, and the test part begins at \d{4}-.*Z: .*name an older version/,
        details: {
          ...{ model: 'stocks-aapl', version: 3, part: 'test' },
          knows: new Date(prepared.openTime[860]!).toISOString(),
          begins: new Date(testFrom!).toISOString(),
        },
      });
    }
    const fitted = { fittedThrough: validFrom!, knownThrough: testFrom! - DAY };
    const chosen = { fittedThrough: validFrom! - DAY, knownThrough: testFrom! - DAY };
    const asked = { members: [named(member), { family: 'ridge' }] };
    const knowing = (knowledge: typeof fitted) => ({
      ...member,
      ...{ knowledge, trainedThrough: knowledge.knownThrough },
    });
    await assert.rejects(ensembleOf(prepared, [knowing(fitted)], asked), {
      code: 'training.member-leaks',
      message: /the validation part begins/,
    });
    await ensembleOf(prepared, [knowing(chosen)], asked);
  });
});

describe('stacking of registered members', { skip: withoutTrees }, () => {
  // Nothing to be learnt: whoever is right about a row has seen it.
  const noise = plantedPrepared({ ...BASE, rows: 1200, signal: 0, features: 8 });
  const { train } = noise.split;

  /** A version that remembers labels up to a row, as trees do that are grown to the end. */
  async function remembering(through: number): Promise<FitMember> {
    const before = {
      ...noise,
      split: { ...noise.split, train: range(train[0]!, through - 2) },
      trainedThrough: noise.openTime[through]!,
    };
    const grown = { rounds: 150, numLeaves: 60, minDataInLeaf: 1, learningRate: 0.3 };
    const params = { ...grown, earlyStopping: { patience: 150 } };
    const bundle = await bundleOf('lightgbm', params, before);
    // The rounds that were best on noise are few: what it would remember is what counts here.
    const knowledge = {
      fittedThrough: noise.openTime[through]!,
      knownThrough: noise.openTime[through]!,
    };
    return { ...memberOf(bundle, before), knowledge };
  }

  it('weights come from rows that no registered member knows', async () => {
    const through = train[Math.floor(train.length / 2)]!;
    const member = await remembering(through);
    const asked = { members: [named(member), { family: 'ridge' }], method: 'stacking', folds: 3 };
    const honest = await ensembleOf(noise, [member], asked);
    // The same weights, said to know nothing: as if its memories were forecasts.
    const early = { fittedThrough: 0, knownThrough: 0 };
    const liar = { ...member, knowledge: early, trainedThrough: 0 };
    const fooled = await ensembleOf(noise, [liar], asked);
    const weightOf = ({ summary }: FitBundle): number => summary.chosen!['weight1']![0]!;
    assert.ok(
      weightOf(fooled) > weightOf(honest) + 0.1,
      `${weightOf(fooled)} where memories count, ${weightOf(honest)} where they do not`,
    );
  });

  it('is refused where nothing new is left; blending and voting are not', async () => {
    const member = await remembering(train.at(-20)!);
    const members = [named(member), { family: 'ridge' }];
    await assert.rejects(ensembleOf(noise, [member], { members, method: 'stacking' }), {
      code: 'training.member-leaks',
      message:
        /stacking: version 3 of known has learnt labels up to .* leaves 19 samples .* at least 30 are needed: use method: blending/,
    });
    for (const method of ['blending', 'voting']) {
      await ensembleOf(noise, [member], { members, method });
    }
  });
});
