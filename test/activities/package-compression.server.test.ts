import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { calendarFor } from '../../core/calendar/index.ts';
import { featureSetOrThrow } from '../../core/features/index.ts';
import { prepareUnit } from '../../core/features/prepare.ts';
import type { Prepared } from '../../core/features/prepared.ts';
import type { FitBundle } from '../../core/models/bundle.ts';
import { runFitJob } from '../../core/models/fit-job.impl.ts';
import { openSession } from '../../core/onnx/session.impl.ts';
import type { VerifiedPackage } from '../../core/packages/verify.ts';
import { openMonteCarlo, openPackage, predict } from '../../core/predict/index.ts';
import { sp500 } from '../support/example-bars.ts';
import { fitContext } from '../support/fit-context.ts';
import { openPackagingFixture, type PackagingFixture } from '../support/packaging-fixture.ts';
import { testSpec } from '../support/registry-facts.ts';
import { withoutTensorflow } from '../support/tensorflow.ts';

const calendar = calendarFor('nyse');
const bars = sp500();
const openers = { openSession, openMonteCarlo: openMonteCarlo(openSession) };
/** Of the spec, and of the data. */
const label = { kind: 'forwardLogReturn', horizons: [7, 14] };
const confidence = { method: 'directional', samples: 20 };

const prepared: Prepared = prepareUnit(
  {
    set: featureSetOrThrow('technical-152'),
    lookback: 20,
    label,
    split: { kind: 'chronological', ratios: [0.7, 0.15, 0.15], purge: 'auto', embargo: 'auto' },
    scaling: { features: 'minmax', labels: 'minmax' },
    timeframe: '1d',
    calendar,
    missing: 'ffill',
  },
  [bars],
).prepared;

const params = { units: [32], dense: [12], branch: 8, epochs: 2, batchSize: 64 };

const fit = (family: string, given: object): Promise<FitBundle> =>
  runFitJob(
    { family, params: given, seed: 1, prepared, multiplyByClose: false },
    fitContext(prepared),
  );

let fixture: PackagingFixture;
before(async () => {
  fixture = await openPackagingFixture();
});
after(() => fixture.close());

async function packaged(bundle: FitBundle, asked: object): Promise<VerifiedPackage> {
  const spec = testSpec({ label, confidence, package: asked });
  return fixture.load(await fixture.run(await fixture.inputOf(bundle, prepared, spec)));
}

const cardOf = ({ files }: VerifiedPackage): string =>
  new TextDecoder().decode(files.get('card.md'));

async function answers({ model }: VerifiedPackage): Promise<Float64Array> {
  const session = await openSession(model);
  const row = prepared.split.test[0]!;
  const width = prepared.featureNames.length;
  const data = prepared.features.slice((row - 19) * width, (row + 1) * width);
  try {
    return await session.run({ x: { data, dims: [1, 20, width] } });
  } finally {
    await session.release();
  }
}

describe('packages of smaller graphs', { skip: withoutTensorflow }, () => {
  let network: FitBundle;
  before(async () => {
    network = await fit('lstm-multi-horizon', params);
  });

  test('hold int8 layers where the validation loss stays within the tolerance', async () => {
    const plain = await packaged(network, {});
    assert.equal(plain.manifest.compression, undefined);
    const small = await packaged(network, {
      quantize: 'dynamic',
      prune: { sparsity: 0.3 },
      tolerance: 1,
    });
    const { compression } = small.manifest;
    assert.equal(compression!.status, 'accepted', JSON.stringify(compression));
    const { bytes, deflatedBytes, milliseconds, loss, difference } = compression!.measured!;
    assert.equal(bytes.trained, plain.model.length);
    assert.equal(bytes.smaller, small.model.length);
    assert.ok(bytes.smaller < 0.5 * bytes.trained, `${bytes.smaller} of ${bytes.trained}`);
    assert.ok(deflatedBytes.smaller < 0.5 * deflatedBytes.trained);
    assert.ok(milliseconds.smaller > 0 && milliseconds.trained > 0);
    assert.ok(loss.smaller > 0 && loss.smaller !== loss.trained);
    assert.notDeepEqual(await answers(small), await answers(plain));
    assert.equal(small.golden.tolerance, difference);
    assert.ok(small.golden.tolerance > plain.golden.tolerance);
    assert.notDeepEqual(small.monteCarlo, plain.monteCarlo, 'samples are of the pruned network');
    assert.match(cardOf(small), /## Size and speed\nThe graph is smaller than the trained one: /);
    // Opening probes the golden windows.
    const pkg = await openPackage(small, openers);
    const asOf = calendar.closeTime(Date.parse('2017-11-01'), '1d');
    const { horizons } = await predict(pkg, bars, { asOf, confidence: 'mc' });
    for (const { price } of horizons) assert.ok(price > 2000 && price < 3500, `${price}`);
    await pkg.release();
  });

  test('hold the graph as trained where the smaller one loses too much, and say so', async () => {
    const pkg = await packaged(network, { prune: { sparsity: 0.95 }, tolerance: 0 });
    assert.equal(pkg.manifest.compression!.status, 'rejected');
    assert.deepEqual(Buffer.from(pkg.model), Buffer.from(network.graphs.model));
    assert.deepEqual(Buffer.from(pkg.monteCarlo!), Buffer.from(network.graphs.monteCarlo!.graph));
    assert.match(cardOf(pkg), /packaged as trained, because a smaller one .* loses too much/);
  });

  test('are the same files when packaged again, times included', async () => {
    const spec = testSpec({ label, confidence, package: { quantize: 'dynamic', tolerance: 1 } });
    const input = await fixture.inputOf(network, prepared, spec);
    const first = await fixture.run(input);
    await fixture.database.db.deleteFrom('step_cache').where('step', '=', 'package').execute();
    assert.equal((await fixture.run(input)).packageDigest, first.packageDigest);
  });
});

test('a family without layers to compress says that nothing applies', async () => {
  const ridge = await fit('ridge', {});
  const pkg = await packaged(ridge, { quantize: 'dynamic', prune: { sparsity: 0.5 } });
  const { status, steps, measured } = pkg.manifest.compression!;
  assert.deepEqual([status, measured], ['notApplicable', undefined]);
  assert.deepEqual(
    steps.map(({ what }) => what),
    ['prune', 'quantize'],
  );
  assert.deepEqual(Buffer.from(pkg.model), Buffer.from(ridge.graphs.model));
  assert.match(cardOf(pkg), /Not applicable, quantize: it has no LSTM layers\./);
});
