import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { calendarFor } from '../../core/calendar/index.ts';
import { featureSetOrThrow } from '../../core/features/index.ts';
import { prepareUnit } from '../../core/features/prepare.ts';
import { runFitJob } from '../../core/models/fit-job.impl.ts';
import { implementation } from '../../core/models/lightgbm.impl.ts';
import type { BuiltPackage } from '../../core/packages/build.ts';
import { sp500 } from '../support/example-bars.ts';
import { fitContext } from '../support/fit-context.ts';
import { openPackageScene, spy, testBitFlips } from '../support/package-scene.ts';
import type { PackageScene } from '../support/package-scene.ts';
import { openPackagingFixture } from '../support/packaging-fixture.ts';
import { testSpec } from '../support/registry-facts.ts';
import { withoutTrees } from '../support/without-trees.ts';

const label = { kind: 'forwardLogReturn', horizons: [5, 10] };

/** A package as the packaging step makes it of trees that LightGBM fitted to real bars. */
async function treePackage(): Promise<BuiltPackage> {
  const { prepared } = prepareUnit(
    {
      set: featureSetOrThrow('technical-152'),
      lookback: 12,
      label,
      split: { kind: 'chronological', ratios: [0.7, 0.15, 0.15], purge: 'auto', embargo: 'auto' },
      scaling: { features: 'none', labels: 'none' },
      timeframe: '1d',
      calendar: calendarFor('nyse'),
      missing: 'ffill',
    },
    [sp500()],
  );
  const params = { rounds: 20 };
  const job = { family: 'lightgbm', params, seed: 1, prepared, multiplyByClose: false };
  const bundle = await runFitJob(job, fitContext(prepared));
  const fixture = await openPackagingFixture();
  try {
    const spec = testSpec({ label, family: 'lightgbm' });
    const packaged = await fixture.run(await fixture.inputOf(bundle, prepared, spec));
    const { files, packageDigest, manifest } = await fixture.load(packaged);
    return { files, packageDigest, manifest };
  } finally {
    await fixture.close();
  }
}

if (withoutTrees) {
  test('bit flips in a package of trees', { skip: withoutTrees }, () => {});
} else {
  const built = await treePackage();
  let scene: PackageScene;
  before(async () => {
    scene = await openPackageScene(built);
  });
  after(() => scene.close());

  test('the package of trees as it is serves, and its native file says what features contribute', async () => {
    const { opened, openSession: opener } = spy();
    const pkg = await scene.serve(opener);
    assert.equal(opened(), 1, 'trees have no Monte-Carlo graph');
    await pkg.release();
    assert.ok(built.files.has('trees.bin'));
    const { featureNames, lookback } = pkg.verified.preprocessing;
    const features = new Float64Array(featureNames.length * lookback).fill(0.01);
    const windows = {
      features,
      featureCount: featureNames.length,
      lookback,
      endRow: Int32Array.of(lookback - 1),
    };
    const answer = await implementation.contributions!(pkg.verified.trees!, windows);
    assert.equal(answer.values.length, label.horizons.length * (featureNames.length + 1));
  });

  testBitFlips(built, () => scene);

  test('other bytes in the place of the native file are refused', async () => {
    const trees = built.files.get('trees.bin')!;
    const listed = built.manifest.files.find(({ path }) => path === 'trees.bin')!;
    assert.equal(listed.bytes, trees.length);
    const store = scene.lying(listed.sha256, () => built.files.get('model.onnx')!);
    await scene.assertRefused({ store }, /^package\.(size|digest)$/, 'swapped for the graph');
    const cut = scene.lying(listed.sha256, (bytes) => bytes.subarray(0, bytes.length >> 1));
    await scene.assertRefused({ store: cut }, /^package\.size$/, 'cut');
  });
}
