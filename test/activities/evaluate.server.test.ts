import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import type {
  DecideResult,
  EvaluateInput,
  EvaluateResult,
  FitResult,
} from '../../activities/contracts.ts';
import { createDecideActivities } from '../../activities/decide.ts';
import type { ActivityDeps, NamedDataset } from '../../activities/deps.ts';
import { createEvaluateActivities } from '../../activities/evaluate.ts';
import { decodeTestRows, parseEvaluation } from '../../core/evaluation/index.ts';
import { encodePrepared, samplesOf, type Prepared } from '../../core/features/prepared.ts';
import { regressionLabelOrThrow } from '../../core/labels/index.ts';
import { encodeBundle } from '../../core/models/bundle.ts';
import { buildLinearGraph } from '../../core/onnx/networks.ts';
import { buildPackage, type PackageContent } from '../../core/packages/build.ts';
import { generateSigningKeys, signerFrom, type Signer } from '../../core/packages/signature.ts';
import { openDirectoryStore } from '../../registry/artifacts-directory.ts';
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import { decisionById, listDecisions } from '../../registry/decisions.ts';
import { experimentEvents, readEvents } from '../../registry/experiments.ts';
import { countGateTries, recordGateTry } from '../../registry/gate-tries.ts';
import { currentChampion } from '../../registry/champions.ts';
import { beginTrial, completeSearch, endRung, openSearch } from '../../registry/searches.ts';
import { storePackage } from '../../registry/packages.ts';
import { getVersionOrThrow, registerVersion, reserveVersion } from '../../registry/versions.ts';
import { testKeys, testSigner } from '../support/model-package.ts';
import { plantedPrepared } from '../support/planted-prepared.ts';
import { openTestDatabase, type TestDatabase } from '../support/postgres.ts';
import {
  MODEL,
  addExperiment,
  addModel,
  crown,
  registration,
  reservation,
  testSpec,
} from '../support/registry-facts.ts';

let database: TestDatabase;
let artifacts: ArtifactStore;
let root: string;
let experiments = 0;

before(async () => {
  database = await openTestDatabase();
  root = await mkdtemp(join(tmpdir(), 'ratchet-evaluate-'));
  artifacts = openDirectoryStore(root);
  await addModel(database.db);
});
after(async () => {
  await database.close();
  await rm(root, { recursive: true, force: true });
});

/** Forecasts `share` of what the newest row knows of the label; 1 is the best there is. */
function linearGraph(prepared: Prepared, share: number, seed = 0): Uint8Array {
  const width = prepared.featureNames.length;
  const { offset, factor } = prepared.scalers.features;
  const coefficients = new Float64Array(width * 3);
  // Per scaled unit of the first feature: the planted slope, 0.02 sqrt(signal) per 4 units of it.
  const slope = ((0.02 * Math.sqrt(0.5)) / 4 / factor[0]!) * share;
  for (let k = 0; k < 3; k++) coefficients[k] = slope * (1 + 0.001 * seed);
  const unchanged = regressionLabelOrThrow(prepared.labelKind).unchanged;
  const intercept = unchanged + slope * (offset[0]! - 50) * factor[0]!;
  return buildLinearGraph(
    { coefficients, intercepts: new Float64Array(3).fill(intercept) },
    contextOf(prepared),
  );
}

function contextOf(prepared: Prepared) {
  return {
    featureNames: prepared.featureNames,
    lookback: prepared.lookback,
    horizons: prepared.horizons,
    scalers: {
      features: prepared.scalers.features,
      labels: { kind: 'none' as const, offset: [0, 0, 0], factor: [1, 1, 1] },
    },
    classes: 0,
    multiplyByClose: regressionLabelOrThrow(prepared.labelKind).multiplyByClose,
  };
}

async function fitOf(
  prepared: Prepared,
  family: string,
  seed: number,
  share: number,
): Promise<FitResult> {
  const bytes = encodeBundle({
    family,
    params: {},
    seed,
    summary: {
      epochsRun: 3,
      bestEpoch: 2,
      bestValidLoss: 1,
      weightsDigest: 'ab'.repeat(32),
      history: [],
    },
    weights: new Uint8Array(8),
    graphs: { model: linearGraph(prepared, share, seed) },
    context: contextOf(prepared),
    probes: { rows: new Int32Array(0), predictions: new Float64Array(0) },
    equality: { maxRelative: 0, rows: 0 },
    libraries: {},
  });
  return {
    family,
    seed,
    fitted: await artifacts.put(bytes),
    weightsDigest: 'ab'.repeat(32),
    bestValidLoss: 1 + ((seed * 7) % 5) / 10,
    bestEpoch: 2,
    epochsRun: 3,
    attempt: 1,
    resumedFromEpoch: null,
    cached: false,
  };
}

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

async function inputOf(
  prepared: Prepared,
  share: number,
  promotion = {},
  change = {},
): Promise<EvaluateInput> {
  const label = { kind: prepared.labelKind, horizons: [1, 2, 3] };
  const spec = testSpec({ label, promotion, ...change });
  const experimentId = await addExperiment(database.db, ++experiments, spec);
  const reports = await artifacts.put(json([{ instrument: '^OTHER', rows: 1, findings: [] }]));
  return {
    experimentId,
    unit: { model: MODEL, instruments: ['^GSPC'] },
    prepared: await artifacts.put(encodePrepared(prepared)),
    fits: await Promise.all([1, 2, 3].map((s) => fitOf(prepared, 'lstm-multi-horizon', s, share))),
    baselines: [await fitOf(prepared, 'naive', 0, 0), await fitOf(prepared, 'ridge', 0, 0.3)],
    validation: { reports, passed: true, reasons: [], cached: false },
    datasets: [],
  };
}

/** Series of a vendor that archives its revisions, or gives the newest values only. */
const macro = (name: string, vintages: boolean): [string, NamedDataset] => [
  name,
  {
    ...{ name, source: 'fred', calendar: 'nyse', hosts: [] },
    params: { vintages, series: { cpi: { id: 'CPI', frequency: 'monthly', delayDays: 15 } } },
  },
];

function depsOf(): ActivityDeps {
  const { db } = database;
  return {
    db,
    artifacts,
    events: experimentEvents(db),
    trustedKeys: testKeys,
    codeVersion: 'test',
    datasets: new Map([macro('macro', false), macro('archived', true)]),
  } as Partial<ActivityDeps> as ActivityDeps;
}

const evaluateOnce = (input: EvaluateInput): Promise<EvaluateResult> =>
  new MockActivityEnvironment().run(createEvaluateActivities(depsOf()).evaluate, input);

/** Registers a version of the input's experiment, its package made of the given graph. */
async function registerAs(
  prepared: Prepared,
  input: EvaluateInput,
  share: number,
  sign: Signer = testSigner,
): Promise<number> {
  const { db } = database;
  const { version } = await reserveVersion(db, {
    ...reservation(experiments),
    experimentId: input.experimentId,
  });
  const built = buildPackage(contentOf(prepared, version, share), sign);
  const stored = await storePackage(db, artifacts, built.files);
  await registerVersion(db, {
    ...registration(version),
    manifestUri: stored.uri,
    packageDigest: stored.sha256,
  });
  return version;
}

function contentOf(prepared: Prepared, version: number, share: number): PackageContent {
  const label = { kind: prepared.labelKind, horizons: prepared.horizons };
  const { featureSet, featureNames, featureHash, lookback, scalers } = prepared;
  return {
    manifest: {
      ...{ model: MODEL, version, family: 'ridge', instruments: ['PLANTED'], timeframe: '1d' },
      ...{ featureSet, featureHash, label, lookback, seed: 1, libraries: {} },
      datasetHash: 'd'.repeat(64),
      specHash: 'e'.repeat(64),
      weightsDigest: 'ab'.repeat(32),
      trainedThrough: new Date(prepared.trainedThrough).toISOString(),
      workflowId: 'experiment/x',
      codeVersion: 'test',
      createdAt: '2026-01-01T00:00:00.000Z',
    },
    model: linearGraph(prepared, share),
    monteCarlo: undefined,
    preprocessing: {
      ...{ featureSet, featureNames, lookback, label, scalers },
      ...{ missing: 'ffill', calendar: '24x7', timeframe: '1d', expiresAfter: 3 },
      fallback: 'naive',
      confidence: { method: 'none', samples: 0, noiseWidth: 0, byHorizon: [] },
      beatsNaive: true,
    },
    golden: { windows: '', close: [1], expected: [[0]], tolerance: 1e-5, labelSd: [1] },
    evaluation: {},
    card: { split: [], metrics: [], verdict: 'Made for a test.', limits: [] },
  };
}

const decideOnce = (
  input: EvaluateInput,
  evaluation: EvaluateResult,
  version: number,
): Promise<DecideResult> =>
  new MockActivityEnvironment().run(createDecideActivities(depsOf()).decide, {
    experimentId: input.experimentId,
    unit: input.unit,
    version,
    evaluation,
  });

const data = plantedPrepared({ rows: 1400, signal: 0.5 });

test('a report says what its figures cannot: revisions nobody knew, and seeds that began alike', async () => {
  const columns = (...names: string[]) => [
    { indicator: 'logReturn', bars: 1 },
    ...names.map((name) => ({ indicator: 'exogenous', column: `${name}.cpi`, period: 45 })),
  ];
  const report = async (change: object) => {
    const { evaluation } = await evaluateOnce(await inputOf(data, 0.3, {}, change));
    return parseEvaluation(await artifacts.get(evaluation));
  };
  const revised = await report({ features: columns('macro', 'archived') });
  const told = revised.warnings.filter((text) => text.includes('no vintages'));
  assert.equal(told.length, 1);
  assert.match(told[0]!, /^Dataset macro has no vintages: .* figures look ahead by them\.$/);
  const spread = ({ notTested }: typeof revised) =>
    notTested.filter((text) => text.startsWith('The spread over fresh starts'));
  assert.deepEqual(spread(revised), []);

  const split = { kind: 'recent', trainBars: 600, validBars: 100, testBars: 100 };
  const continued = { family: 'lightgbm', split, features: columns('archived') };
  const child = await report({ ...continued, continueFrom: { version: 2 } });
  assert.match(spread(child)[0]!, /every seed went on from version 2/);
  assert.ok(!child.warnings.some((text) => text.includes('no vintages')));
});

test('a first version, then a worse and a better challenger: evidence from graph to decision', async () => {
  const { db } = database;
  const first = await inputOf(data, 0.3);
  const evaluated = await evaluateOnce(first);
  assert.match(evaluated.verdict, /^Better than the naive baseline: /);
  assert.equal(evaluated.beatsNaive, true);
  assert.equal(evaluated.servedSeed, 1);
  const evaluation = parseEvaluation(await artifacts.get(evaluated.evaluation));
  assert.deepEqual(
    evaluation.forecasters.map((f) => f.name),
    ['model', 'naive', 'training mean', 'ridge'],
  );
  assert.equal(evaluation.rows.rows, data.split.test.length);
  assert.deepEqual(evaluation.data.quality, [], 'reports of other instruments do not belong here');
  const v1 = await registerAs(data, first, 0.3);
  const accepted = await decideOnce(first, evaluated, v1);
  assert.equal(accepted.verdict, 'accept');
  assert.equal(accepted.expectedGeneration, 0);
  await db
    .insertInto('model_state')
    .values({ model: MODEL, generation: 0, champion_version: null, changed_at: new Date() })
    .onConflict((oc) => oc.doNothing())
    .execute();
  await crown(db, v1, 1);

  const worse = await inputOf(data, 0.1);
  const worseResult = await evaluateOnce(worse);
  assert.match(worseResult.verdict, new RegExp(`^Not proved better than champion v${v1}: `));
  const v2 = await registerAs(data, worse, 0.1);
  const rejected = await decideOnce(worse, worseResult, v2);
  assert.equal(rejected.verdict, 'reject');
  assert.equal(rejected.expectedGeneration, 1);

  const better = await inputOf(data, 1);
  const betterResult = await evaluateOnce(better);
  assert.match(betterResult.verdict, new RegExp(`^Proved better than champion v${v1}: .*try 2`));
  const v3 = await registerAs(data, better, 1);
  const promoted = await decideOnce(better, betterResult, v3);
  assert.equal(promoted.verdict, 'accept');
  assert.match(promoted.reasons[0]!, /\(try 2 against this champion\)$/);
  const sheet = (await decisionById(db, promoted.promotionId))!;
  const evidence = sheet.evidence as {
    alphaK: number;
    tries: { k: number };
    data: { evaluation: string };
  };
  assert.equal(evidence.tries.k, 2);
  assert.equal(evidence.data.evaluation, betterResult.evaluation.sha256);
  assert.equal((await listDecisions(db, MODEL, 10)).length, 3);
});

test('both activities may run twice: same artifacts, one event, one try, one decision', async () => {
  const { db } = database;
  const input = await inputOf(data, 0.9);
  const [a, b] = [await evaluateOnce(input), await evaluateOnce(input)];
  assert.deepEqual(a, b);
  const version = await registerAs(data, input, 0.9);
  const champion = await db
    .selectFrom('champion')
    .select('version')
    .where('valid_to', 'is', null)
    .executeTakeFirst();
  const before = await countGateTries(db, MODEL, champion?.version ?? 0);
  const decisions = await Promise.all([1, 2, 3].map(() => decideOnce(input, a, version)));
  assert.deepEqual(decisions[1], decisions[0]);
  assert.deepEqual(decisions[2], decisions[0]);
  assert.equal(await countGateTries(db, MODEL, champion?.version ?? 0), before + 1);
  const events = await readEvents(db, input.experimentId, { afterSeq: '0', limit: 50 });
  assert.deepEqual(
    events.filter((e) => e.kind === 'verdict').map((e) => e.stage),
    ['evaluate', 'decide'],
  );
});

test('a search is told with its number of trials, and is one try of the gate', async () => {
  const { db } = database;
  const input = await inputOf(data, 0.5);
  const key = { experimentId: input.experimentId, model: MODEL };
  await openSearch(db, {
    ...key,
    ...{ family: 'lstm-multi-horizon', method: 'random', pruner: 'none', seed: 1, fitSeed: 1 },
    ...{ trials: 9, parallel: 1, budgetMinutes: undefined, rungs: [], startedAt: new Date(0) },
    space: [{ kind: 'choice', path: 'units', choices: [[8], [16], [32]] }],
  });
  for (let trial = 0; trial < 9; trial++) {
    await beginTrial(db, { ...key, trial }, { units: [8 << (trial % 3)] });
    const end = { rung: 0, loss: 1 - trial / 100, state: 'completed' as const };
    await endRung(db, { ...key, trial }, { ...end, epochsRun: 1, bestEpoch: 1 });
  }
  await completeSearch(db, key);
  const result = await evaluateOnce(input);
  const { search } = parseEvaluation(await artifacts.get(result.evaluation));
  assert.deepEqual([search?.trials, search?.bestTrial, search?.validLoss], [9, 8, 0.92]);
  assert.deepEqual(search?.chosen, [{ path: 'units', value: [32] }]);
  assert.ok(search.deflatedValidLoss > 0.92 && search.deflatedValidLoss < 1);
  const names = result.plots!.map(({ name }) => name);
  assert.ok(names.includes('search-parallel.png') && names.includes('search-importance.png'));
  const version = await registerAs(data, input, 0.5);
  const champion = (await currentChampion(db, MODEL))?.version ?? 0;
  const before = await countGateTries(db, MODEL, champion);
  const decision = await decideOnce(input, result, version);
  assert.equal(await countGateTries(db, MODEL, champion), before + 1);
  const kept = await decisionById(db, decision.promotionId);
  const { tries } = kept!.evidence as { tries: { k: number; searchTrials: number } };
  assert.deepEqual([tries.k, tries.searchTrials], [before + 1, 9]);
  assert.match(decision.reasons.at(-1)!, /best of 9 trials on the validation part/);
});

test('report and charts are stored, readable and complete', async () => {
  const result = await evaluateOnce(await inputOf(data, 0.5));
  const report = new TextDecoder().decode(await artifacts.get(result.report!));
  assert.match(report, /^<!doctype html>/);
  assert.ok(report.includes('id="not-tested"'));
  assert.deepEqual(
    result.plots!.map((p) => p.name),
    [
      'skill.png',
      ...[1, 2, 3].flatMap((h) => [`forecast-${h}.png`, `residuals-${h}.png`]),
      'slices.png',
    ],
  );
  for (const { artifact } of result.plots!) {
    const png = await artifacts.get(artifact);
    assert.deepEqual([...png.subarray(1, 4)], [...Buffer.from('PNG')]);
  }
  assert.ok(result.metrics!['h1.rmse']! > 0);
});

test('the rows that drift is measured against are those of the served seed, as evaluated', async () => {
  const result = await evaluateOnce(await inputOf(data, 0.5));
  const rows = decodeTestRows(await artifacts.get(result.testRows!));
  assert.deepEqual([rows.model, rows.seed, rows.instruments], [MODEL, 1, ['PLANTED']]);
  assert.deepEqual(
    rows.openTime,
    Float64Array.from(data.split.test, (row) => data.openTime[row]!),
  );
  assert.deepEqual(rows.labels, samplesOf(data, data.split.test).labels);
  const evaluation = parseEvaluation(await artifacts.get(result.evaluation));
  const mean = rows.weightedLoss.reduce((sum, x) => sum + x, 0) / rows.weightedLoss.length;
  assert.ok(Math.abs(mean / evaluation.forecasters[0]!.weightedLoss.value! - 1) < 1e-12);
});

test('forwardPrice: the graph answers prices, the evaluation is in ratios', async () => {
  const prices = plantedPrepared({ rows: 900, labelKind: 'forwardPrice' });
  const result = await evaluateOnce(await inputOf(prices, 1));
  const evaluation = parseEvaluation(await artifacts.get(result.evaluation));
  const model = evaluation.forecasters[0]!;
  assert.ok(model.byHorizon[0]!.metrics['rmse']!.value! < 0.02, 'not in prices of 1,000');
  assert.ok(result.metrics!['skillVsNaive']! > 0.3);
});

test('a champion with other features and no bars to build them from is not compared', async () => {
  const { db } = database;
  const other = { ...data, featureHash: '9'.repeat(64), featureSet: 'gone' };
  const input = await inputOf(data, 0.4);
  const version = await registerAs(other, input, 0.4);
  const { generation } = await db
    .selectFrom('model_state')
    .select('generation')
    .where('model', '=', MODEL)
    .executeTakeFirstOrThrow();
  await crown(db, version, generation + 1);
  const challenger = await inputOf(data, 1);
  const result = await evaluateOnce(challenger);
  assert.match(result.verdict, new RegExp(`^No test rows in common with champion v${version}`));
  const v = await registerAs(data, challenger, 1);
  const decision = await decideOnce(challenger, result, v);
  assert.equal(decision.verdict, 'reject');
  assert.match(decision.reasons[0]!, /^Insufficient evidence/);
});

test("damaged bytes of the champion's package stop the evaluation before native code sees them", async () => {
  const { db } = database;
  const input = await inputOf(data, 0.4);
  const version = await registerAs(data, input, 0.41);
  const { generation } = await db
    .selectFrom('model_state')
    .select('generation')
    .where('model', '=', MODEL)
    .executeTakeFirstOrThrow();
  await crown(db, version, generation + 1);
  const row = await getVersionOrThrow(db, MODEL, version);
  const file = join(root, 'cas', row.package_digest!.slice(0, 2), row.package_digest!);
  const bytes = await readFile(file);
  bytes[40]! ^= 1;
  await writeFile(file, bytes);
  await assert.rejects(evaluateOnce(await inputOf(data, 1)), { code: 'artifact.corrupt' });
});

test('a champion whose package nobody we trust signed is never opened', async () => {
  const { db } = database;
  const stranger = signerFrom(generateSigningKeys().privatePem);
  const version = await registerAs(data, await inputOf(data, 0.4), 0.42, stranger);
  const { generation } = await db
    .selectFrom('model_state')
    .select('generation')
    .where('model', '=', MODEL)
    .executeTakeFirstOrThrow();
  await crown(db, version, generation + 1);
  await assert.rejects(evaluateOnce(await inputOf(data, 1)), { code: 'package.signature' });
});

test('gate tries: counted per champion, the same test once, two at a time without doubles', async () => {
  const { db } = database;
  const at = (challengerVersion: number, rowsDigest = 'rows', championVersion = 900) =>
    recordGateTry(db, { model: MODEL, championVersion, rowsDigest, challengerVersion });
  assert.deepEqual([await at(1), await at(1), await at(2)], [1, 1, 2]);
  assert.equal(await at(1, 'newer rows'), 3, 'other rows are another look');
  assert.equal(await at(1, 'rows', 901), 1, 'a new champion starts at 1');
  const many = await Promise.all(Array.from({ length: 12 }, (_, i) => at(100 + i, 'rows', 902)));
  assert.deepEqual(
    many.toSorted((a, b) => a - b),
    Array.from({ length: 12 }, (_, i) => i + 1),
  );
});
