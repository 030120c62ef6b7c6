import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import {
  canonicalJson,
  expandUnits,
  instrumentSlug,
  lossWeightsOf,
  missingRulesOf,
  parseSpec,
  SpecError,
  specHash,
  type SpecIssue,
} from '../../../core/spec/index.ts';
import { EXAMPLE_SPEC } from '../../../core/spec/docs.ts';
import { editDistance, nearestName } from '../../../core/spec/nearest-name.ts';

const datasets = new Map<string, { instruments?: readonly string[] }>([
  ['index-daily', { instruments: ['^GSPC', '^IXIC'] }],
  ['sp500-daily', { instruments: ['^GSPC'] }],
  ['nasdaq-daily', { instruments: ['^IXIC'] }],
  ['us-stocks-lean', { instruments: ['AAPL', 'BAC', 'GOOG', 'QQQ', 'SPY'] }],
  ['simulated', {}],
  ['simulated-momentum', {}],
]);

type Loose = Record<string, unknown>;
const base = (over: Loose = {}): Loose => ({
  name: 'gspc',
  model: 'index-gspc',
  data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'] },
  ...over,
});
const dataOf = (over: Loose): Loose => ({
  data: { sources: [{ dataset: 'simulated' }], instruments: ['^GSPC'], ...over },
});

function issuesOf(value: unknown): readonly SpecIssue[] {
  try {
    parseSpec(value, { datasets });
  } catch (error) {
    assert.ok(error instanceof SpecError);
    assert.equal(error.code, 'spec.invalid');
    return error.issues;
  }
  assert.fail('the spec was accepted');
}

test('the example of the docs and the bundled examples parse', () => {
  const example = (name: string): string =>
    readFileSync(new URL(`../../../examples/${name}.yaml`, import.meta.url), 'utf8');
  for (const [text, models] of [
    [EXAMPLE_SPEC, 2],
    [example('index-lstm'), 2],
    [example('index-transformer'), 2],
    [example('demo'), 2],
    [example('simulated'), 2],
    [example('stocks-lightgbm'), 4],
    [example('stocks-sweep'), 4],
  ] as const) {
    const spec = parseSpec(parse(text), { datasets });
    assert.equal(expandUnits(spec).length, models);
  }
});

test('a parsed spec parses again to itself: a stored one can be trained again', () => {
  for (const family of ['lstm-multi-horizon', 'ridge', 'naive']) {
    const spec = parseSpec(base({ family }), { datasets });
    assert.deepEqual(parseSpec(structuredClone(spec), { datasets }), spec, family);
    assert.equal(spec.confidence.method, family === 'lstm-multi-horizon' ? 'directional' : 'none');
  }
});

test('the policy freshness takes a margin, and has a default', () => {
  const promotion = { policy: 'freshness', margin: 0.05 };
  assert.equal(parseSpec(base({ promotion })).promotion.margin, 0.05);
  assert.equal(parseSpec(base({ promotion: { policy: 'freshness' } })).promotion.margin, undefined);
  assert.equal(specHash(parseSpec(base({ promotion }))), specHash(parseSpec(base())));
});

test("defaults are filled in, the family's too", () => {
  const spec = parseSpec(base(), { datasets });
  assert.deepEqual(spec.features, { set: 'technical-152' });
  assert.deepEqual(spec.label, { kind: 'forwardLogReturn', horizons: [7, 14, 30] });
  assert.deepEqual(spec.hyperparameters['units'], [50, 50]);
  assert.deepEqual(spec.hyperparameters['earlyStopping'], { patience: 10, minDelta: 0 });
  assert.deepEqual(spec.data.instruments, [{ id: '^GSPC' }]);
});

test('policies for missing bars: of all, by instrument, and of the head', () => {
  const parse = (data: Loose) => parseSpec(base(dataOf(data)));
  const spec = parse({ instruments: [{ id: '^GSPC', missing: 'drop' }], missing: 'zero' });
  assert.deepEqual(missingRulesOf(spec), { missing: 'zero', missingBy: { '^GSPC': 'drop' } });
  assert.deepEqual(missingRulesOf(spec, []), { missing: 'zero' });
  assert.deepEqual(missingRulesOf(parse({})), { missing: 'ffill' });
  assert.deepEqual(missingRulesOf(parse({ missingHead: 'drop' })), {
    missing: 'ffill',
    missingHead: 'drop',
  });
  assert.notEqual(specHash(spec), specHash(parse({ missing: 'zero' })));
  assert.notEqual(specHash(parse({ missingHead: 'drop' })), specHash(parse({})));
});

test('outliers: defaults are filled in; none at all is as if nothing were said', () => {
  const parse = (outliers: unknown) => parseSpec(base({ training: { outliers } }));
  const spec = parse({ features: { kind: 'winsorize' }, labels: { kind: 'clipSd', sds: 4 } });
  assert.deepEqual(spec.training?.outliers, {
    features: { kind: 'winsorize', lower: 0.005, upper: 0.995 },
    labels: { kind: 'clipSd', sds: 4 },
  });
  assert.deepEqual(parseSpec(structuredClone(spec)), spec);
  const hash = specHash(parseSpec(base()));
  assert.equal(specHash(parse({ labels: 'none' })), hash);
  assert.notEqual(specHash(spec), hash);
});

test('levels are filled in where the set has them, and shape the hash', () => {
  const parse = (features: unknown) => parseSpec(base({ features }), { datasets });
  const relative = { set: 'crypto-46', levels: 'relative' };
  assert.deepEqual(parse('crypto-46').features, relative);
  assert.deepEqual(parse({ set: 'crypto-46' }).features, relative);
  assert.equal(specHash(parse('crypto-46')), specHash(parse(relative)));
  const raw = parse({ set: 'crypto-46', levels: 'raw' });
  assert.notEqual(specHash(raw), specHash(parse(relative)));
  assert.deepEqual(parseSpec(structuredClone(raw), { datasets }), raw);
});

test('declared columns are filled in, whichever way they are written', () => {
  const parse = (features: unknown) => parseSpec(base({ features }), { datasets });
  const columns = [
    { indicator: 'rsi', period: 14 },
    { indicator: 'ema', period: 20, overClose: true, lags: [0, 1] },
  ];
  const short = parse([{ indicator: 'rsi' }, { ...columns[1], lags: [0, 1] }]);
  assert.deepEqual(short.features, { columns });
  assert.equal(specHash(short), specHash(parse({ columns })));
  assert.deepEqual(parseSpec(structuredClone(short), { datasets }), short);
  assert.notEqual(specHash(short), specHash(parse(columns.toReversed())));
});

/** What a user would get wrong: where, what is said, what is proposed. */
const MISTAKES: readonly [string, Loose, string, RegExp, RegExp?][] = [
  [
    'units of a set that has none',
    { features: { set: 'technical-152', levels: 'raw' } },
    'features.levels',
    /no levels/,
    /Leave it out/,
  ],
  [
    'an indicator that there is not',
    { features: [{ indicator: 'rsi' }, { indicator: 'emma' }] },
    'features[1].indicator',
    /no indicator "emma"/,
    /Did you mean "ema"/,
  ],
  [
    'a parameter that an indicator does not take',
    { features: { columns: [{ indicator: 'rsi', perod: 14 }] } },
    'features.columns[0].perod',
    /no such field/,
    /Did you mean "period"/,
  ],
  [
    'a field of a column mistyped',
    { features: [{ indicator: 'rsi', lag: [1] }] },
    'features[0].lag',
    /no such field/,
    /Did you mean "lags"/,
  ],
  [
    'a parameter out of range',
    { features: [{ indicator: 'rsi', period: 1 }] },
    'features[0].period',
    />=2/,
  ],
  [
    'a column twice',
    { features: [{ indicator: 'rsi' }, { indicator: 'rsi', period: 14 }] },
    'features',
    /two columns named rsi_14/,
  ],
  [
    'outliers of classes',
    {
      label: { kind: 'threeClass' },
      family: 'ridge',
      training: { outliers: { labels: { kind: 'clipSd' } } },
    },
    'training.outliers.labels',
    /are classes/,
    /Leave it out/,
  ],
  [
    'a column of a source that is not read',
    { features: [{ set: 'daily-22' }, { indicator: 'exogenous', column: 'vix.close' }] },
    'features',
    /no source is the exogenous dataset "vix"/,
    /role: exogenous/,
  ],
  [
    'a set in a list that there is not',
    { features: [{ set: 'daily-23' }] },
    'features[0]',
    /no feature set "daily-23"/,
    /Did you mean "daily-22"/,
  ],
  [
    'units of a set in a list that has none',
    { features: [{ set: 'technical-152', levels: 'raw' }] },
    'features[0].levels',
    /no levels/,
  ],
  ['a typo in a key', { lookbak: 60 }, 'lookbak', /no such field/, /Did you mean "lookback"/],
  [
    'a typo in a nested key',
    { label: { horizon: [7] } },
    'label.horizon',
    /no such field/,
    /"horizons"/,
  ],
  [
    'a typo in an instrument entry',
    dataOf({ instruments: [{ id: '^GSPC', form: '2014-04-03' }] }),
    'data.instruments[0].form',
    /no such field/,
    /"from"/,
  ],
  [
    'a typo in a split',
    { split: { kind: 'chronological', ratio: [0.7, 0.15, 0.15] } },
    'split.ratio',
    /no such field/,
    /"ratios"/,
  ],
  [
    'a typo in a hyperparameter',
    { hyperparameters: { dropuot: 0.1 } },
    'hyperparameters.dropuot',
    /no such field/,
    /"dropout"/,
  ],
  [
    'a nested hyperparameter',
    { hyperparameters: { earlyStopping: { patence: 3 } } },
    'hyperparameters.earlyStopping.patence',
    /no such field/,
    /"patience"/,
  ],
  [
    'an unknown family',
    { family: 'ridg' },
    'family',
    /no model family "ridg"/,
    /Did you mean "ridge"/,
  ],
  [
    'an unknown baseline',
    { baselines: ['naive', 'prophet'] },
    'baselines[1]',
    /no model family "prophet"/,
    /Known: /,
  ],
  [
    'an unknown feature set',
    { features: 'technical-125' },
    'features',
    /no feature set/,
    /"technical-152"/,
  ],
  [
    'an unknown policy',
    { promotion: { policy: 'beat-champion' } },
    'promotion.policy',
    /no policy/,
    /"beats-champion"/,
  ],
  [
    'a margin for a policy without one',
    { promotion: { margin: 0.02 } },
    'promotion.margin',
    /the policy beats-champion has no margin/,
    /`policy: freshness`/,
  ],
  [
    'an unknown dataset',
    dataOf({ sources: [{ dataset: 'sp500-dayly' }] }),
    'data.sources[0].dataset',
    /no dataset/,
    /"sp500-daily"/,
  ],
  [
    'an instrument no dataset has',
    { data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^IXIC'] } },
    'data.instruments[0]',
    /no instrument in these datasets "\^IXIC"/,
    /Known: \^GSPC/,
  ],
  [
    'a missing field',
    { data: { sources: [{ dataset: 'simulated' }] } },
    'data.instruments',
    /is missing/,
  ],
  ['a wrong type', { lookback: 'sixty' }, 'lookback', /must be number, not string/],
  ['a wrong choice', { fit: 'single' }, 'fit', /must be "perInstrument" or "pooled"/],
  ['a mistyped choice', { fit: 'poled' }, 'fit', /must be .*"pooled"/, /^Did you mean "pooled"\?$/],
  ['an unknown split', { split: { kind: 'random' } }, 'split.kind', /chronological|recent/],
  [
    'ratios that do not add up',
    { split: { kind: 'chronological', ratios: [0.7, 0.2, 0.2] } },
    'split.ratios',
    /add up to 1/,
  ],
  ['horizons in disorder', { label: { horizons: [14, 7] } }, 'label.horizons', /must increase/],
  ['equal seeds', { seeds: [1, 1] }, 'seeds', /must differ/],
  [
    'loss weights of another number',
    { hyperparameters: { lossWeights: [0.5, 0.5] } },
    'hyperparameters.lossWeights',
    /has 2 values, label\.horizons has 3/,
    /one weight per horizon/,
  ],
  [
    'one model name for two instruments',
    dataOf({ instruments: ['^GSPC', '^IXIC'] }),
    'model',
    /2 instruments .* need a name each/,
    /"index-gspc-\{instrument\}"/,
  ],
  [
    'a placeholder in a pooled name',
    { fit: 'pooled', model: 'x-{instrument}' },
    'model',
    /pooled/,
    /Leave \{instrument\} out/,
  ],
  [
    'two instruments with one slug',
    { model: 'x-{instrument}', ...dataOf({ instruments: ['^GSPC', 'GSPC'] }) },
    'model',
    /\^GSPC and GSPC would both be the model "x-gspc"/,
  ],
  [
    'an instrument twice',
    { model: 'x-{instrument}', ...dataOf({ instruments: ['^GSPC', '^GSPC'] }) },
    'data.instruments[1]',
    /named twice/,
  ],
  [
    'a source twice',
    dataOf({ sources: [{ dataset: 'simulated' }, { dataset: 'simulated' }] }),
    'data.sources[1].dataset',
    /named twice/,
  ],
  [
    'no primary source',
    dataOf({ sources: [{ dataset: 'simulated', role: 'fallback' }] }),
    'data.sources',
    /no source is primary/,
  ],
  ['from after to', dataOf({ from: '2020-01-01', to: '2019-01-01' }), 'data.from', /lies after/],
  ['a day there is not', dataOf({ from: '2023-02-30' }), 'data.from', /no day 2023-02-30/],
  [
    'relativeStd without minmax',
    { confidence: { method: 'relativeStd' }, scaling: { labels: 'standard' } },
    'confidence.method',
    /0\.\.1/,
    /minmax/,
  ],
  [
    'confidence of a family without dropout',
    { family: 'ridge', confidence: { method: 'directional' } },
    'confidence.method',
    /no dropout/,
  ],
  [
    'a network without scaling',
    { scaling: { features: 'none' } },
    'scaling.features',
    /needs scaled features/,
  ],
  [
    'a path as dataset',
    dataOf({ sources: [{ dataset: '../secret.csv' }] }),
    'data.sources[0].dataset',
    /./,
  ],
];

for (const [what, over, path, message, suggestion] of MISTAKES) {
  test(`mistake: ${what}`, () => {
    const issues = issuesOf(base(over));
    const issue = issues.find((i) => i.path === path);
    assert.ok(issue, `issue at ${path}, got ${JSON.stringify(issues)}`);
    assert.match(issue.message, message);
    if (suggestion) assert.match(issue.suggestion ?? '', suggestion);
  });
}

test('all that is wrong is said at once, on a line each', () => {
  const value = base({ lookbak: 60, seeds: [], fit: 'x' });
  assert.deepEqual(
    issuesOf(value)
      .map((i) => i.path)
      .toSorted(),
    ['fit', 'lookbak', 'seeds'],
  );
  assert.throws(
    () => parseSpec(value),
    (error: Error) => error.message.split('\n').length === 3,
  );
});

test('what is no mapping is refused', () => {
  for (const value of [null, undefined, 'name: x', 7, [], [base()]]) {
    assert.match(issuesOf(value)[0]!.message, /a spec is a mapping/);
  }
});

test('hostile input is refused and changes nothing', () => {
  const value = JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}') as Loose;
  assert.ok(issuesOf({ ...base(), ...value }).length > 0);
  assert.equal(({} as Loose)['polluted'], undefined);
  const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`key${i}`, i]));
  assert.ok(issuesOf({ ...base(), ...many }).length <= 50);
});

test('the hash covers what shapes a version, and nothing else', () => {
  const hash = (over: Loose = {}): string => specHash(parseSpec(base(over), { datasets }));
  const same: Loose[] = [
    { name: 'other' },
    { model: 'other' },
    { forceRetrain: true },
    { promotion: { alpha: 0.01 } },
    { promotion: { trial: { kind: 'shadow' }, guarantee: 'strict' } },
    { retrain: { maxAge: 10 } },
    { retrain: { every: 63, budgetMinutes: 10, refit: 'none' } },
    { monitor: { schedule: 'off' } },
    { serving: { abstain: false } },
    { quality: { minScore: 0.5 } },
    { lookback: 60 },
    { seeds: [3, 2, 1] },
    { features: { set: 'technical-152' } },
    { hyperparameters: { units: [50, 50], dropout: 0.2 } },
    {
      data: {
        instruments: ['^GSPC'],
        sources: [{ role: 'primary', dataset: 'sp500-daily' }],
        recollect: true,
        asOf: '2024-05-01T00:00:00Z',
      },
    },
  ];
  for (const over of same) assert.equal(hash(over), hash(), JSON.stringify(over));
  const other: Loose[] = [
    { lookback: 61 },
    { seeds: [1, 2] },
    { label: { horizons: [7, 14] } },
    { hyperparameters: { dropout: 0.3 } },
    { family: 'ridge' },
    { baselines: ['naive'] },
    { scaling: { features: 'standard' } },
    { split: { kind: 'chronological', embargo: 5 } },
    { confidence: { samples: 50 } },
    { serving: { expiresAfter: 5 } },
    { serving: { abstain: true } },
    { serving: { abstain: true, minConfidence: 0.6 } },
    { refit: 'trainValid' },
    { refit: 'all' },
    { data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'], from: '2000-01-01' } },
  ];
  const hashes = [hash(), ...other.map(hash)];
  assert.equal(new Set(hashes).size, hashes.length);
  assert.match(hash(), /^[0-9a-f]{64}$/);
});

test('parsing a parsed spec changes nothing', () => {
  const spec = parseSpec(base(), { datasets });
  assert.deepEqual(parseSpec(JSON.parse(JSON.stringify(spec)), { datasets }), spec);
});

test('units: a model an instrument, or one pool', () => {
  const instruments = ['^GSPC', 'KRW-BTC', 'BRK.B'];
  const spec = parseSpec(base({ model: 'm-{instrument}', ...dataOf({ instruments }) }), {
    datasets,
  });
  assert.deepEqual(expandUnits(spec), [
    { model: 'm-gspc', instruments: ['^GSPC'] },
    { model: 'm-krw-btc', instruments: ['KRW-BTC'] },
    { model: 'm-brk.b', instruments: ['BRK.B'] },
  ]);
  const pooled = parseSpec(base({ fit: 'pooled', ...dataOf({ instruments }) }), { datasets });
  assert.deepEqual(expandUnits(pooled), [{ model: 'index-gspc', instruments }]);
  assert.deepEqual(['^IXIC', 'EURUSD=X', 'A^B'].map(instrumentSlug), ['ixic', 'eurusd-x', 'a-b']);
});

test('loss weights add up to 1 and have one a horizon', () => {
  const weights = (over: Loose): number[] => lossWeightsOf(parseSpec(base(over), { datasets }));
  assert.deepEqual(weights({}), [0.5, 0.3, 0.2]);
  assert.deepEqual(weights({ label: { horizons: [1, 5] } }), [0.5, 0.5]);
  assert.deepEqual(weights({ family: 'ridge' }), [0.5, 0.3, 0.2]);
  assert.deepEqual(weights({ hyperparameters: { lossWeights: [2, 1, 1] } }), [0.5, 0.25, 0.25]);
});

test('canonical JSON has one spelling per value', () => {
  assert.equal(
    canonicalJson({ b: [1, -0, 'é'], a: { d: null, c: undefined } }),
    '{"a":{"d":null},"b":[1,0,"é"]}',
  );
  for (const value of [NaN, Infinity, () => 1, Symbol('x'), 1n, [undefined]]) {
    assert.throws(() => canonicalJson(value), { code: 'spec.not-json' });
  }
});

test('nearest names: close ones only', () => {
  assert.equal(editDistance('horizon', 'horizons'), 1);
  assert.equal(editDistance('lable', 'label'), 1, 'a swap is one slip');
  assert.equal(nearestName('Lookback', ['lookback', 'label']), 'lookback');
  assert.equal(nearestName('banana', ['lookback', 'label']), undefined);
  assert.equal(nearestName('x', []), undefined);
});
