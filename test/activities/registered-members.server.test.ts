/** Ensembles of registered versions through the real steps: two champions and a ridge as one, and what is refused. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { memberVersions } from '../../activities/member-fits.ts';
import { createSkipActivities } from '../../activities/skip.ts';
import { decodeBundle } from '../../core/models/bundle.ts';
import { openSession } from '../../core/onnx/session.impl.ts';
import { decodeFloat64, windowInputs } from '../../core/packages/golden.ts';
import { fileOrThrow } from '../../core/packages/files.ts';
import { openPackage } from '../../core/predict/index.ts';
import type { FitResult } from '../../activities/contracts.ts';
import { openers } from '../support/opened-package.ts';
import { openPipeline, type Pipeline, type PipelineRun } from '../support/pipeline.ts';
import { addExperiment, crown, testSpec } from '../support/registry-facts.ts';
import { withoutTrees } from '../support/without-trees.ts';

const single = {
  data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'], from: '2012-01-01' },
  label: { horizons: [1, 5] },
  features: 'daily-22',
  lookback: 10,
  baselines: ['naive'],
  seeds: [1],
  family: 'ridge',
};
const TREES = { family: 'lightgbm', hyperparameters: { rounds: 20, numLeaves: 4 } };
const STRAIGHT = { model: 'gspc-straight', version: 'champion' };
const ensemble = (members: readonly object[], hyperparameters: object = {}) => ({
  ...single,
  model: 'gspc-together',
  family: 'ensemble',
  hyperparameters: { members, ...hyperparameters },
});

describe('an ensemble of registered versions', { skip: withoutTrees }, () => {
  let pipeline: Pipeline;
  let straight: PipelineRun;
  let trees: PipelineRun;
  let together: PipelineRun;
  const members = [
    STRAIGHT,
    // The name of the unit's own instrument.
    { model: 'trees-{instrument}', version: 'champion' },
    { family: 'ridge', hyperparameters: {} },
  ];
  before(async () => {
    pipeline = await openPipeline();
    straight = await pipeline.run({ ...single, model: 'gspc-straight' });
    trees = await pipeline.run({
      ...single,
      ...TREES,
      model: 'trees-{instrument}',
      scaling: { features: 'robust' },
    });
    await crown(pipeline.db, straight.version, 1, 'gspc-straight');
    await crown(pipeline.db, trees.version, 1, 'trees-gspc');
    together = await pipeline.run(ensemble(members));
  });
  after(() => pipeline.close());

  const bundleOf = async ({ fitted }: FitResult) =>
    decodeBundle(await pipeline.artifacts.get(fitted));

  it('answers the mean of what the packages of its members and its own ridge answer', async () => {
    const { golden, manifest } = await pipeline.load(together);
    const windows = decodeFloat64(golden.windows);
    const said: Float64Array[] = [];
    const own = await pipeline.run({ ...single, model: 'gspc-alone' });
    for (const run of [straight, trees, own]) {
      const pkg = await pipeline.load(run);
      assert.equal(pkg.manifest.featureHash, manifest.featureHash);
      const session = await openSession(fileOrThrow(pkg.files, 'model.onnx'));
      const shape = { lookback: manifest.lookback, features: 22 };
      said.push(await session.run(windowInputs(session, shape, windows, () => 1)));
      await session.release();
    }
    const expected = golden.expected.flat();
    expected.forEach((value, at) => {
      const mean = said.reduce((sum, one) => sum + one[at]! / 3, 0);
      assert.ok(Math.abs(value - mean) < 1e-12, `${value}, the mean is ${mean}`);
    });
    const opened = await openPackage(await pipeline.load(together), openers);
    await opened.release();
  });

  it('says which versions are in it: manifest, card and report', async () => {
    const pkg = await pipeline.load(together);
    assert.deepEqual(pkg.manifest.members, [
      {
        ...{ family: 'ridge', model: 'gspc-straight', version: straight.version },
        weightsDigest: straight.fits[0]!.weightsDigest,
      },
      {
        ...{ family: 'lightgbm', model: 'trees-gspc', version: trees.version },
        weightsDigest: trees.fits[0]!.weightsDigest,
      },
      { family: 'ridge' },
    ]);
    const words =
      /version 1 of trees-gspc \(lightgbm, weights [0-9a-f]{64}\); ridge, fitted with it/;
    assert.match(new TextDecoder().decode(fileOrThrow(pkg.files, 'card.md')), words);
    const report = await pipeline.artifacts.get(together.evaluation.report!);
    assert.match(Buffer.from(report).toString(), words);
    assert.equal((await pipeline.load(straight)).manifest.members, undefined);
    const { libraries } = await bundleOf(together.fits[0]!);
    assert.ok('lightgbm' in libraries);
  });

  it('is the same fit again by number, another one once another champion serves', async () => {
    const byNumber = [
      { model: 'gspc-straight', version: straight.version },
      { model: 'trees-gspc', version: trees.version },
      members[2]!,
    ];
    const again = await pipeline.run(ensemble(byNumber));
    assert.equal(again.fits[0]!.cached, true);
    const other = await pipeline.run({
      ...{ ...single, model: 'gspc-straight', scaling: { features: 'standard' } },
    });
    await crown(pipeline.db, other.version, 2, 'gspc-straight');
    const later = await pipeline.run(ensemble(members));
    assert.equal(later.fits[0]!.cached, false);
    assert.notEqual(later.fits[0]!.weightsDigest, together.fits[0]!.weightsDigest);
    const { manifest } = await pipeline.load(later);
    assert.deepEqual(manifest.members![0], {
      ...{ family: 'ridge', model: 'gspc-straight', version: other.version },
      weightsDigest: other.fits[0]!.weightsDigest,
    });
    // An experiment that was made before has the champion of before, however late it is tried again.
    const unit = { model: 'gspc-together', instruments: ['^GSPC'] };
    const versions = await memberVersions(pipeline.deps, { ...together, unit }, [
      { model: 'gspc-straight', version: 'champion' },
    ]);
    assert.deepEqual(versions, [{ model: 'gspc-straight', version: straight.version }]);
    const { findFittingVersion } = createSkipActivities({ ...pipeline.deps });
    const ask = ({ experimentId, model, datasets }: PipelineRun) =>
      new MockActivityEnvironment().run(findFittingVersion, {
        ...{ experimentId, datasets },
        unit: { model, instruments: ['^GSPC'] },
      }) as Promise<{ skip: boolean; version?: number }>;
    assert.equal((await ask(together)).skip, false, 'the newest of its spec has another member');
    assert.deepEqual((await ask(later)).skip, true);
    assert.equal((await ask(later)).version, later.version);
    // Nothing is computed for members that cannot be any.
    const none = await addExperiment(
      pipeline.db,
      900,
      testSpec({
        ...ensemble([{ model: 'gspc-together', version: 1 }, { family: 'ridge' }]),
        model: 'x',
      }),
    );
    await assert.rejects(ask({ ...together, experimentId: none }), {
      code: 'training.member',
      message: /its family ensemble is made of others/,
    });
  });

  it('takes the evaluated twin of a refitted version, and is refitted around it', async () => {
    const refitted = await pipeline.run({ ...single, model: 'gspc-refitted', refit: 'all' });
    const twin = { model: 'gspc-refitted', version: refitted.version };
    const run = await pipeline.run({
      ...ensemble([twin, { ...TREES }], { voting: 'weighted' }),
      refit: 'all',
    });
    const { manifest } = await pipeline.load(run);
    const [first] = manifest.members!;
    assert.deepEqual(first, {
      ...{ ...twin, family: 'ridge', weightsDigest: refitted.fits[0]!.weightsDigest },
    });
    const [before, now] = [await bundleOf(run.fits[0]!), await bundleOf(run.refit!)];
    assert.deepEqual(now.summary.chosen, before.summary.chosen, 'weights stay as they were chosen');
    const digests = [before, now].map(({ summary }) =>
      summary.members!.map((member) => member.summary.weightsDigest),
    );
    assert.equal(digests[0]![0], digests[1]![0], 'the registered version stays as it is');
    assert.notEqual(digests[0]![1], digests[1]![1], 'the other one is fitted once more');
  });

  it('refuses a version that has learnt what is tested, in any fold', async () => {
    const split = { kind: 'chronological', ratios: [0.9, 0.05, 0.05] };
    const knowing = await pipeline.run({ ...single, model: 'gspc-knowing', split });
    const leaky = [{ model: 'gspc-knowing', version: knowing.version }, { family: 'ridge' }];
    await assert.rejects(pipeline.run(ensemble(leaky)), {
      code: 'training.member-leaks',
      permanent: true,
      message: /version 1 of gspc-knowing has learnt labels up to 20\d\d-.*Z, and the test part/,
    });
    // What is honest on the newest fold is not on those that test older bars.
    const folds = { kind: 'walkForward', folds: 3, testBars: 100, validBars: 100 };
    const honest = [STRAIGHT, { family: 'ridge' }];
    await assert.rejects(pipeline.run({ ...ensemble(honest), split: folds }), {
      code: 'training.member-leaks',
    });
  });

  it('stacks a version on training rows that are new to it, and refuses where there are none', async () => {
    const stacking = { method: 'stacking', folds: 2 };
    const same = [STRAIGHT, { family: 'ridge' }];
    await assert.rejects(pipeline.run(ensemble(same, stacking)), {
      code: 'training.member-leaks',
      message: /stacking: version \d of gspc-straight .* use method: blending/,
    });
    const blended = await pipeline.run(ensemble(same, { method: 'blending' }));
    assert.ok((await bundleOf(blended.fits[0]!)).summary.chosen!['weight1']);
    const old = await pipeline.run({
      ...{ ...single, model: 'gspc-old' },
      data: { ...single.data, to: '2016-12-31' },
    });
    const stacked = await pipeline.run(
      ensemble([{ model: 'gspc-old', version: old.version }, { family: 'ridge' }], stacking),
    );
    const { chosen } = (await bundleOf(stacked.fits[0]!)).summary;
    assert.equal(chosen!['weight1']!.length, 2);
  });

  it('takes a version of a pool for one of its instruments, and into a pool that is scaled as one', async () => {
    const ids = ['^GSPC', '^IXIC'];
    const data = { ...single.data, sources: [{ dataset: 'index-daily' }], instruments: ids };
    const scaling = { per: 'unit' };
    const all = { ...single, fit: 'pooled', data };
    const apart = await pipeline.run({ ...all, model: 'pool-apart' });
    const asOne = await pipeline.run({ ...all, model: 'pool-as-one', scaling });
    const membersOf = (model: string) => [{ model, version: 1 }, { family: 'ridge' }];
    const of = { ...ensemble(membersOf('pool-apart'), { voting: 'weighted', weights: [1, 0] }) };
    const one = await pipeline.run({
      ...{ ...of, model: 'ixic-of-pool' },
      data: { ...data, instruments: ['^IXIC'] },
    });
    const { golden } = await pipeline.load(one);
    const pool = await pipeline.load(apart);
    const session = await openSession(fileOrThrow(pool.files, 'model.onnx'));
    const shape = { lookback: 10, features: 22 };
    const said = await session.run(
      windowInputs(
        session,
        shape,
        decodeFloat64(golden.windows),
        () => 1,
        () => 1,
      ),
    );
    await session.release();
    assert.deepEqual(Float64Array.from(golden.expected.flat()), said, 'as the pool says of it');
    const wide = await pipeline.run({
      ...ensemble(membersOf('pool-as-one')),
      ...all,
      family: 'ensemble',
      model: 'gspc-wide',
      scaling,
    });
    assert.deepEqual((await pipeline.load(wide)).manifest.instruments, ids);
    assert.equal(asOne.version, 1);
    const narrow = {
      ...ensemble([STRAIGHT, { family: 'ridge' }]),
      ...all,
      family: 'ensemble',
      model: 'gspc-narrow',
      scaling,
    };
    await assert.rejects(pipeline.run(narrow), {
      code: 'training.member-differs',
      message: /it answers for \^GSPC, not for \^IXIC/,
    });
  });

  it('names what differs, who never served, and what cannot be a member', async () => {
    for (const [change, code, message] of [
      [
        { label: { horizons: [1, 3] }, lookback: 5 },
        'training.member-differs',
        /its windows have 10 bars, here they have 5: raise lookback; its horizons are 1, 5, here 1, 3/,
      ],
      [
        { features: [{ indicator: 'rsi', period: 14 }] },
        'training.member-differs',
        /its features are others/,
      ],
      [
        {
          hyperparameters: {
            members: [{ model: 'gspc-alone', version: 'champion' }, { family: 'ridge' }],
          },
        },
        'training.member',
        /gspc-alone had no champion when the experiment was made/,
      ],
      [
        {
          hyperparameters: { members: [{ model: 'gspc-alone', version: 9 }, { family: 'ridge' }] },
        },
        'version.unknown',
        /9/,
      ],
      [
        { hyperparameters: { members: [STRAIGHT, { model: 'gspc-straight', version: 2 }] } },
        'training.member',
        /version 2 of gspc-straight cannot be a member: it is named twice/,
      ],
      [
        {
          model: 'gspc-again',
          hyperparameters: {
            members: [{ model: 'gspc-together', version: 1 }, { family: 'ridge' }],
          },
        },
        'training.member',
        /its family ensemble is made of others: name those/,
      ],
    ] as const) {
      const spec = { ...ensemble([STRAIGHT, { family: 'ridge' }]), ...change };
      await assert.rejects(pipeline.run(spec), { code, message, permanent: true });
    }
  });
});
