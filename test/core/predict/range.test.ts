import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sliceBars, type Bars } from '../../../core/bars/bars.ts';
import { takeBars } from '../../../core/bars/build.ts';
import { MISSING_POLICIES } from '../../../core/bars/index.ts';
import { RatchetError } from '../../../core/errors.ts';
import { cutterOf, type CutWindows } from '../../../core/predict/cut-windows.ts';
import { windowShape } from '../../../core/predict/opened.ts';
import { labelParamsOf } from '../../../core/labels/index.ts';
import {
  forecastRange,
  NO_CONFIDENCE,
  predict,
  type OpenedPackage,
  type RangeAnswer,
} from '../../../core/predict/index.ts';
import { seeded } from '../../support/made-bars.ts';
import { syntheticBars } from '../../support/synthetic-bars.ts';
import { bars, calendar, code, openMade, releaseAll } from '../../support/opened-package.ts';

after(releaseAll);
const pkg = await openMade();

async function collect(
  of: OpenedPackage,
  recorded: Bars,
  asOf: Float64Array,
  knownAt?: Float64Array,
) {
  const answers: RangeAnswer[] = [];
  for await (const chunk of forecastRange(of, recorded, { asOf, knownAt })) answers.push(...chunk);
  return answers;
}

/** Half an hour after the close of each session, whether it left a bar or not. */
function instants(recorded: Bars): Float64Array {
  const [first, last] = [recorded.openTime[0]!, recorded.openTime.at(-1)!];
  const open = calendar.between(first, last, '1d');
  return Float64Array.from(open, (time) => calendar.closeTime(time, '1d') + 1_800_000);
}

/** What `predict` says at that instant, or its problem. */
async function alone(of: OpenedPackage, recorded: Bars, asOf: number) {
  try {
    return await predict(of, recorded, { asOf, confidence: 'none', fromFirstBar: true });
  } catch (error) {
    assert.ok(error instanceof RatchetError, String(error));
    return error.code;
  }
}

const said = (answer: RangeAnswer) => ('problem' in answer ? answer.problem.code : answer.forecast);

async function compare(of: OpenedPackage, recorded: Bars, looks: number): Promise<void> {
  const asOf = instants(recorded);
  const answers = await collect(of, recorded, asOf);
  assert.equal(answers.length, asOf.length);
  const step = Math.ceil(asOf.length / looks);
  for (let i = 0; i < asOf.length; i += step) {
    assert.deepEqual(said(answers[i]!), await alone(of, recorded, asOf[i]!), `instant ${i}`);
  }
}

test('each answer of a range is that of the instant alone, warm-up and problems included', async () => {
  await compare(pkg, bars, 90);
  const [first] = await collect(pkg, bars, instants(bars));
  assert.equal(said(first!), 'predict.too-few-bars');
});

test('of instants far from each other only their own windows go to another thread', async () => {
  const { verified, session } = pkg;
  const { lookback, featureNames } = verified.preprocessing;
  const asOf = instants(bars).filter((_, i) => i > 100 && i % (3 * lookback) === 0);
  assert.ok(asOf.length > 3);
  const cut = cutterOf(session, windowShape(verified));
  const windows: CutWindows[] = [];
  const run = (some: CutWindows): Promise<Float64Array> => {
    windows.push(some);
    return cut(some);
  };
  const answers: RangeAnswer[] = [];
  const elsewhere = { run, release: () => undefined };
  for await (const chunk of forecastRange(pkg, bars, { asOf }, elsewhere)) answers.push(...chunk);
  for (const answer of answers) {
    assert.deepEqual(said(answer), await alone(pkg, bars, answer.asOf));
  }
  const sizes = windows.map(({ rows, ends }) => rows.length / ends.length);
  assert.deepEqual(new Set(sizes), new Set([lookback * featureNames.length]));
});

const random = seeded(4);
const holed = takeBars(
  bars,
  Array.from(bars.openTime.keys()).filter((i) => i === 0 || random() > 0.02),
);
for (const missing of MISSING_POLICIES) {
  test(`where bars are missing (${missing}) too, from bars that are older`, async () => {
    const { verified } = pkg;
    const preprocessing = { ...verified.preprocessing, missing };
    await compare({ ...pkg, verified: { ...verified, preprocessing } }, holed, 60);
  });
}

test('a bar that nobody had yet is not looked at, and the one before it is called stale', async () => {
  const asOf = instants(bars).subarray(-200);
  const random = seeded(9);
  // Each comes up to two sessions late; none behind a later one.
  const late = Float64Array.from(bars.openTime, (time) => {
    return calendar.closeTime(time, '1d') + 1_800_000 + (random() < 0.4 ? 7_200_000 : 0);
  });
  const answers = await collect(pkg, bars, asOf, late);
  let stale = 0;
  for (const [i, at] of asOf.entries()) {
    const known = late.filter((time) => time <= at).length;
    const then = sliceBars(bars, 0, known);
    assert.deepEqual(said(answers[i]!), await alone(pkg, then, at), `instant ${i}`);
    const answer = answers[i]!;
    if ('forecast' in answer && answer.forecast.staleBars === 1) stale++;
  }
  assert.ok(stale > 40, `${stale} of 200 rest on an older bar`);
});

test('long ranges are built block by block, without a seam', async () => {
  const long = syntheticBars(9_000, { seed: 'long', first: '1980-01-02', instrument: '^GSPC' });
  const asOf = instants(long);
  const answers = await collect(pkg, long, asOf);
  assert.equal(answers.length, 9_000);
  for (const at of [4_094, 4_095, 4_096, 4_097, 8_191, 8_192, 8_999]) {
    assert.deepEqual(said(answers[at]!), await alone(pkg, long, asOf[at]!), `instant ${at}`);
  }
});

test('later bars change no answer', async () => {
  const early = sliceBars(bars, 0, 900);
  const asOf = instants(early).subarray(-100);
  const before = await collect(pkg, early, asOf);
  assert.deepEqual(await collect(pkg, bars, asOf), before);
});

test('classes with a threshold of the instant', async () => {
  const label = { kind: 'threeClass', horizons: [7], window: 40, floor: 0 };
  const { verified } = pkg;
  const preprocessing = {
    ...verified.preprocessing,
    label: { kind: label.kind, horizons: label.horizons, params: labelParamsOf(label) },
    classes: { priors: [[0.2, 0.5, 0.3]], changes: [[-0.03, 0.001, 0.04]] },
    confidence: NO_CONFIDENCE,
  };
  // Its three outputs are taken for probabilities.
  const session = {
    ...pkg.session,
    run: async (inputs: { x: { dims: readonly number[] } }) => {
      const n = inputs.x.dims[0]!;
      return Float64Array.from({ length: n * 3 }, (_, at) => [0.5, 0.3, 0.2][at % 3]!);
    },
  } as unknown as OpenedPackage['session'];
  await compare({ ...pkg, session, verified: { ...verified, preprocessing } }, bars, 60);
});

test('a computation that fails takes no other with it: fallback where declared, else its problem', async () => {
  const asOf = instants(bars).subarray(-130);
  const bad = asOf[40]!;
  const badClose = bars.close[bars.openTime.length - 130 + 40]!;
  const whole = await collect(pkg, bars, asOf);
  const run: OpenedPackage['session']['run'] = async (inputs) => {
    const values = await pkg.session.run(inputs);
    const rows = inputs['x']!.dims[0]!;
    if (rows > 1) throw new Error('out of memory');
    return values;
  };
  const session = { ...pkg.session, inputNames: pkg.session.inputNames, run };
  const answers = await collect({ ...pkg, session }, bars, asOf);
  assert.deepEqual(answers.map(said), whole.map(said));

  const never: OpenedPackage['session']['run'] = () => Promise.reject(new Error('out of memory'));
  const dead = { ...pkg, session: { ...session, run: never } };
  for (const answer of await collect(dead, bars, asOf)) {
    assert.ok('forecast' in answer && answer.fallback === 'naive');
    assert.equal(answer.fallbackReason, 'inference-failed');
    assert.equal(answer.forecast.horizons[0]!.change, 0);
    if (answer.asOf === bad) assert.equal(answer.forecast.lastClose, badClose);
  }
  const { verified } = pkg;
  const none = { ...verified, preprocessing: { ...verified.preprocessing, fallback: 'none' } };
  for (const answer of await collect({ ...dead, verified: none as never }, bars, asOf)) {
    assert.ok('problem' in answer);
    assert.equal(answer.problem.code, 'predict.inference-failed');
  }
});

test('an instrument or a timeframe that is not the package`s is refused', async () => {
  const asOf = instants(bars).subarray(-1);
  const foreign = { ...bars, instrument: '^IXIC' };
  await assert.rejects(collect(pkg, foreign, asOf), code('predict.unknown-instrument'));
  const hourly = { ...bars, timeframe: '1h' as const };
  await assert.rejects(collect(pkg, hourly, asOf), code('predict.timeframe'));
});
