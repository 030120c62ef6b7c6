import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import { Command } from 'commander';
import { register, type FindTarget } from '../../../api/cli/lookahead/command.ts';
import {
  featurePlan,
  labelPlan,
  strategyPlan,
  type Plan,
} from '../../../api/cli/lookahead/plan.ts';
import { seededBars } from '../../../api/cli/lookahead/stand-in.ts';
import { targetOf } from '../../../api/cli/lookahead/target.ts';
import { createOutput, EXIT, type CliContext, type CliError } from '../../../api/cli/output.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import { defineFeatureSet, named } from '../../../core/features/feature-set.ts';
import { featureSets } from '../../../core/features/index.ts';
import { indicators, use, type IndicatorUse } from '../../../core/indicators/index.ts';
import { labelKinds } from '../../../core/labels/index.ts';
import type { ColumnsOf } from '../../../core/lookahead/index.ts';
import { strategies } from '../../../core/strategies/index.ts';
import { readConfig } from '../../../infra/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'ratchet-lookahead-'));
after(() => rmSync(folder, { recursive: true }));
const examples = new URL('../../../examples/', import.meta.url).pathname;

interface Outcome {
  readonly code: number;
  readonly text: string;
}

async function ratchet(find: FindTarget, ...argv: string[]): Promise<Outcome> {
  const stdout = new PassThrough();
  const chunks: Buffer[] = [];
  stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const json = argv.includes('--json');
  const ctx: CliContext = {
    json,
    interactive: false,
    config: readConfig({}),
    out: createOutput(stdout, () => json),
    signal: new AbortController().signal,
    connect: () => Promise.reject(new Error('nothing of the stack is needed')),
  };
  const program = new Command('ratchet').option('--json').exitOverride();
  program.configureOutput({ writeErr: () => undefined });
  register(program, ctx, find);
  const before = process.exitCode;
  process.exitCode = undefined;
  await program.parseAsync(argv, { from: 'user' });
  const code = Number(process.exitCode ?? EXIT.ok);
  process.exitCode = before;
  return { code, text: Buffer.concat(chunks).toString('utf8') };
}

/** The same plan, with other columns under the same names. */
const replacing = (plan: Plan, other: (asked: Parameters<Plan['open']>[0]) => ColumnsOf): Plan => ({
  ...plan,
  open: (asked) => ({ ...plan.open(asked), of: other(asked) }),
});

const next = (values: Float64Array): Float64Array =>
  values.map((value, t) => values[t + 1] ?? value);

const sma = use(indicators.get('sma')!, { period: 20 });
/** An average that already has the bar to come. */
const peeking: IndicatorUse = {
  ...sma,
  key: 'peeking',
  compute: (input) => next(input.column(sma)),
};
const plantedFeatures = featurePlan(
  defineFeatureSet({
    ...{ name: 'planted-set', docs: '', version: 1 },
    columns: named('averages', [
      ['honest', sma],
      ['peeking', peeking],
    ]),
  }),
);
/** A label of 5 bars that is made of 6. */
const label = labelPlan({ kind: 'forwardLogReturn', horizons: [5] });
const plantedLabel = replacing(label, (asked) => {
  const later = labelPlan({ kind: 'forwardLogReturn', horizons: [6] }).open(asked);
  return (bars) => ({ forwardLogReturn_5: later.of(bars)['forwardLogReturn_6']! });
});
/** A crossover that trades a bar before it is there. */
const cross = strategyPlan('cross', { kind: 'sma-cross', fast: 5, slow: 20, short: false });
const plantedStrategy = replacing(cross, (asked) => {
  const honest = cross.open(asked);
  return (bars) => ({ position: next(honest.of(bars)['position']!) });
});

const plans: Readonly<Record<string, readonly Plan[]>> = {
  planted: [plantedFeatures, label, plantedLabel, cross, plantedStrategy],
};
const planted: FindTarget = (name, options) =>
  plans[name] ? Promise.resolve({ plans: plans[name] }) : targetOf(name, options);

test('look-ahead planted in a feature, a label and a strategy: all three named, nothing else', async () => {
  const { code, text } = await ratchet(planted, 'lookahead', 'planted');
  assert.equal(code, EXIT.failed);
  const rows = text.split('\n').filter((line) => / or more /.test(line));
  assert.deepEqual(
    rows.map((line) => line.split(/\s{2,}/).slice(0, 4)),
    [
      ['planted-set', 'peeking', '0', '1 or more'],
      // One bar more than the five that it may.
      ['forwardLogReturn', 'forwardLogReturn_5', '5', '6 or more'],
      ['cross', 'position', '0', '1 or more'],
    ],
  );
  assert.match(text, /^3 of 6 columns look ahead\.$/m);
});

test('the same as JSON: which bars, and how much', async () => {
  const { code, text } = await ratchet(planted, '--json', 'lookahead', 'planted', '--cuts', '5');
  assert.equal(code, EXIT.failed);
  const { subjects, found, bars } = JSON.parse(text) as {
    found: number;
    bars: { bars: number; source: string };
    subjects: { name: string; changed: Record<string, unknown>[] }[];
  };
  assert.deepEqual([bars.source, bars.bars], ['simulated', 2000]);
  const [features] = subjects;
  assert.deepEqual(
    subjects.map(({ changed }) => changed.length),
    [1, 0, 1, 0, found - 2],
  );
  const { openTimes, largest } = features!.changed[0]! as {
    openTimes: string[];
    largest: { openTime: string; before: number; after: number };
  };
  // One bar a cut: the last before it.
  assert.equal(openTimes.length, 5);
  assert.ok(openTimes.includes(largest.openTime) && largest.before !== largest.after);
});

test('what the catalogue has is clean, and all of it is asked', async () => {
  const { plans: all } = await targetOf('all', {});
  assert.equal(all.length, featureSets.size + labelKinds.length + strategies.length);
  const found = await ratchet(targetOf, 'lookahead', 'all', '--cuts', '3', '--seed', '5');
  assert.deepEqual([found.code, /None of the \d+ columns/.test(found.text)], [0, true]);
  assert.match(found.text, /seeded model stand in for those that ask one: .*model-signal/);
  const hourly = ['--timeframe', '1h', '--starts', '2'];
  const warm = await ratchet(targetOf, 'warmup', 'all', ...hourly);
  assert.deepEqual([warm.code, /declares too small/.test(warm.text)], [0, true], warm.text);
});

test('declarations that are too small are named, whichever they are', async () => {
  const ema = use(indicators.get('ema')!, { period: 20 });
  const short = featurePlan(
    defineFeatureSet({
      ...{ name: 'short', docs: '', version: 1 },
      columns: named('averages', [
        ['honest', sma],
        ['starts_late', { ...sma, key: 'warm', warmupBars: 18 }],
        ['remembers', { ...sma, key: 'memory', memoryBars: 18 }],
        // By its anchors it would be exact; without them the bars of before still count.
        ['fades', { ...ema, key: 'settles', memoryBars: ema.memoryBars - 60 }],
      ]),
    }),
  );
  let sum = 0;
  const forever = replacing(cross, () => (bars) => {
    sum = 0;
    return { position: bars.close.map((close) => (sum += close)) };
  });
  const find: FindTarget = () => Promise.resolve({ plans: [short, forever] });
  const { code, text } = await ratchet(find, 'warmup', 'anything');
  assert.equal(code, EXIT.failed);
  const row = (name: string): string =>
    text.split('\n').find((line) => line.includes(` ${name} `)) ?? '';
  assert.match(row('starts_late'), / 18 +19 .*warm-up too small$/);
  assert.match(row('remembers'), / 18 +19 .*memory too small$/);
  assert.match(row('fades'), /memory too small$/);
  assert.match(row('position'), /no end .*memory too small$/);
  assert.ok(!/too small/.test(row('honest')), text);
  assert.match(text, /^4 of 5 columns declare too small a warm-up or memory\.$/m);
});

test('files: an experiment, a backtest with what it trains, a strategy', async () => {
  const names = async (file: string) => {
    const { plans: found, timeframe } = await targetOf(file, {});
    return [timeframe, ...found.map(({ name }) => name)];
  };
  assert.deepEqual(await names(join(examples, 'crypto-hybrid.yaml')), [
    ...['1h', 'crypto-46-relative', 'threeClass'],
  ]);
  assert.deepEqual(await names(join(examples, 'backtest-index.yaml')), [
    ...['1d', 'daily-22-relative', 'threeClass'],
    ...['model', 'filtered-cross', 'cross', 'steady'],
  ]);
  const file = join(folder, 'strategy.yaml');
  writeFileSync(file, 'kind: sma-cross\nfast: 3\n');
  assert.deepEqual(await names(file), [undefined, 'sma-cross']);
  const { code, text } = await ratchet(targetOf, 'lookahead', file, 'threeClass');
  assert.deepEqual([code, /None of the 2 columns of 2/.test(text)], [0, true], text);
});

test('portfolios of a backtest are asked too, and declare nothing that could be measured', async () => {
  const file = join(folder, 'shared.yaml');
  const spec = [
    'name: shared',
    'data: { sources: [{ dataset: index-daily }], instruments: [^GSPC] }',
    'period: { from: 2012-01-01 }',
    'strategies: { trend: { kind: sma-cross }, revert: { kind: rsi } }',
    'portfolios: { both: { of: [trend, revert], allocation: { kind: inverse-volatility } } }',
  ];
  writeFileSync(file, spec.join('\n'));
  const { plans: found } = await targetOf(file, {});
  assert.deepEqual(
    found.map(({ kind, name }) => `${kind} ${name}`),
    ['strategy trend', 'strategy revert', 'portfolio both'],
  );
  const { code, text } = await ratchet(targetOf, 'lookahead', file);
  assert.deepEqual([code, /None of the 3 columns of 3/.test(text)], [0, true], text);
  const [shared] = found.slice(-1);
  const early = replacing(shared!, (asked) => {
    const honest = shared!.open(asked);
    return (bars) => ({ target: next(honest.of(bars)['target']!) });
  });
  const planted = await ratchet(() => Promise.resolve({ plans: [early] }), 'lookahead', 'both');
  assert.equal(planted.code, EXIT.failed, planted.text);
  assert.match((await ratchet(targetOf, 'warmup', file)).text, /None of the 2 columns of 2/);
});

test('an experiment is asked with its rule for missing bars', async () => {
  const { plans: found } = await targetOf(join(examples, 'crypto-hybrid.yaml'), {});
  const plain = featurePlan(featureSets.get('crypto-46-relative')!);
  const calendar = calendarFor('24x7');
  const bars = seededBars({ timeframe: '1h', calendar, count: 1200, seed: 3 });
  const asked = { bars, calendar, seed: 3 };
  const [filled, recorded] = [found[0]!, plain].map((plan) => plan.open(asked).of(bars)['roc_5']!);
  assert.equal(filled!.length, recorded!.length);
  // Five bars ago is another bar where one of them was filled in.
  assert.ok(filled!.some((value, t) => !Object.is(value, recorded![t]) && t > 300));
});

test('an exogenous column that simulated bars lack: a seeded one stands in, and it is said', async () => {
  const file = join(folder, 'macro.yaml');
  const spec = [
    'name: macro',
    'model: macro',
    'data:',
    '  sources: [{ dataset: index-daily }, { dataset: vix, role: exogenous }]',
    "  instruments: ['^GSPC']",
    'features: [{ indicator: sma }, { indicator: exogenous, column: vix.close, period: 5 }]',
    'label: { kind: forwardReturn, horizons: [3] }',
    'family: ridge',
  ];
  writeFileSync(file, spec.join('\n'));
  const { code, text } = await ratchet(targetOf, 'lookahead', file);
  assert.equal(code, EXIT.ok, text);
  assert.match(text, /stand in for vix\.close/);
  assert.doesNotMatch(text, /Not checked/);
});

test('mistakes: names, files, settings', async () => {
  const fails = (code: number, message: RegExp, ...argv: string[]) =>
    assert.rejects(ratchet(targetOf, ...argv), (error: CliError) => {
      assert.match(`${error.message} ${error.hint}`, message);
      return error.exitCode === code;
    });
  await fails(EXIT.usage, /"tecnical-152".*technical-152/, 'lookahead', 'tecnical-152');
  await fails(EXIT.notFound, /no file/, 'warmup', 'nowhere.yaml');
  await fails(EXIT.usage, /100 bars are too few.*at least/, 'warmup', 'rsi', '--bars', '100');
  const file = join(folder, 'other.yaml');
  writeFileSync(file, 'some: thing\n');
  await fails(EXIT.usage, /holds no experiment, backtest or strategy/, 'lookahead', file);
  const both = ratchet(targetOf, 'lookahead', 'rsi', '-i', '^GSPC', '--simulated');
  await assert.rejects(both, /cannot be used with/);
});
