import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  expandUnits,
  parseSpec,
  retrainSpec,
  specHash,
  templateHash,
  type ExperimentSpec,
  type RetrainRequest,
} from '../../../core/spec/index.ts';

type Loose = Record<string, unknown>;

const template = (over: Loose = {}, data: Loose = {}): ExperimentSpec =>
  parseSpec({
    name: 'index',
    model: 'index-{instrument}',
    data: {
      sources: [{ dataset: 'index-daily' }],
      instruments: ['^GSPC', { id: '^IXIC', from: '2001-01-01', to: '2015-12-31' }],
      from: '1999-01-01',
      to: '2018-12-31',
      ...data,
    },
    ...over,
  });

const request = (over: Partial<RetrainRequest> = {}): RetrainRequest => ({
  model: 'index-gspc',
  instruments: ['^GSPC'],
  samples: { train: 3400, valid: 700, test: 720 },
  asOf: '2024-05-01T20:30:00.000Z',
  ...over,
});

test('a per-instrument template is narrowed to one model, on the newest bars of the moment', () => {
  const before = template();
  const spec = retrainSpec(before, request());
  assert.deepEqual(parseSpec(structuredClone(spec)), spec, 'it passes the parser as it is');
  assert.deepEqual(expandUnits(spec), [{ model: 'index-gspc', instruments: ['^GSPC'] }]);
  assert.equal('to' in spec.data, false);
  assert.deepEqual(
    [spec.data.asOf, spec.data.from, spec.forceRetrain, spec.refit],
    ['2024-05-01T20:30:00.000Z', '1999-01-01', true, 'all'],
  );
  assert.deepEqual(spec.split, {
    ...{ kind: 'recent', trainBars: 3400, validBars: 700, testBars: 720 },
    ...{ purge: 'auto', embargo: 'auto' },
  });
  assert.deepEqual(before, template(), 'the template is left as it was');
});

test('an instrument keeps its own begin and loses its own end', () => {
  const spec = retrainSpec(template(), request({ model: 'index-ixic', instruments: ['^IXIC'] }));
  assert.deepEqual(spec.data.instruments, [{ id: '^IXIC', from: '2001-01-01' }]);
  assert.deepEqual(expandUnits(spec), [{ model: 'index-ixic', instruments: ['^IXIC'] }]);
});

test('an instrument keeps its own policy for missing bars', () => {
  const instruments = ['^GSPC', { id: '^IXIC', missing: 'drop' }];
  const spec = retrainSpec(
    template({}, { instruments }),
    request({ model: 'index-ixic', instruments: ['^IXIC'] }),
  );
  assert.deepEqual(spec.data.instruments, [{ id: '^IXIC', missing: 'drop' }]);
});

test('a pooled template keeps its pool', () => {
  const pooled = template({ fit: 'pooled', model: 'indices' });
  const instruments = ['^GSPC', '^IXIC'];
  const spec = retrainSpec(pooled, request({ model: 'indices', instruments }));
  assert.deepEqual(expandUnits(parseSpec(structuredClone(spec))), [
    { model: 'indices', instruments },
  ]);
});

test('the split of retrains is the declared one, then a recent one of the template', () => {
  const recent = { kind: 'recent', trainBars: 1000, validBars: 100, testBars: 90 } as const;
  const declared = { ...recent, trainBars: 500, purge: 40 } as const;
  const splitOf = (over: Loose): object => retrainSpec(template(over), request()).split;
  assert.deepEqual(splitOf({ split: recent }), { ...recent, purge: 'auto', embargo: 'auto' });
  assert.deepEqual(splitOf({ split: recent, retrain: { split: declared } }), {
    ...declared,
    embargo: 'auto',
  });
  assert.deepEqual(splitOf({ split: { kind: 'chronological', purge: 33, embargo: 2 } }), {
    ...{ kind: 'recent', trainBars: 3400, validBars: 700, testBars: 720 },
    ...{ purge: 33, embargo: 2 },
  });
});

test('a split with several folds is retrained on one, of the sizes of the newest', () => {
  const newest = { kind: 'recent', trainBars: 3400, validBars: 700, testBars: 720 };
  const splitOf = (split: object): object => retrainSpec(template({ split }), request()).split;
  assert.deepEqual(splitOf({ kind: 'walkForward', validBars: 100, testBars: 90, embargo: 3 }), {
    ...newest,
    ...{ purge: 'auto', embargo: 3 },
  });
  // Strict is a word for rows after a test part: here there are none.
  assert.deepEqual(splitOf({ kind: 'purgedKFold', purge: 40, embargo: 'strict' }), {
    ...newest,
    ...{ purge: 40, embargo: 'auto' },
  });
});

test('refit is that of retrains; parts that the schema would refuse are raised to what it takes', () => {
  const spec = retrainSpec(
    template({ refit: 'none', retrain: { refit: 'trainValid' } }),
    request({ samples: { train: 60, valid: 30, test: 30 } }),
  );
  assert.equal(spec.refit, 'trainValid');
  assert.equal(spec.split.kind === 'recent' && spec.split.trainBars, 100);
  assert.deepEqual(parseSpec(structuredClone(spec)), spec);
});

test('two retrains of one template are one spec at two moments, so freshness can compare them', () => {
  const hashAt = (asOf: string): string => specHash(retrainSpec(template(), request({ asOf })));
  assert.equal(hashAt('2024-05-01T20:30:00.000Z'), hashAt('2024-06-03T20:30:00.000Z'));
});

test('an instrument that the template lacks is refused by name', () => {
  assert.throws(() => retrainSpec(template(), request({ instruments: ['^DJI'] })), {
    code: 'retrain.instrument',
    message: /index-\{instrument\} has no instrument \^DJI/,
  });
});

test('a retrain is of its template, as freshness asks, and another spec is not', () => {
  const before = template();
  const spec = retrainSpec(before, request());
  assert.notEqual(specHash(spec), specHash(before), 'split, refit and range are others');
  assert.equal(templateHash(spec), templateHash(before));
  assert.notEqual(templateHash(template({ lookback: 30 })), templateHash(before));
  assert.notEqual(templateHash(template({}, { from: '2005-01-01' })), templateHash(before));
  const pooled = (ids: readonly string[]): string =>
    templateHash(template({ fit: 'pooled', model: 'indices' }, { instruments: ids }));
  assert.notEqual(pooled(['^GSPC', '^IXIC']), pooled(['^GSPC', '^DJI']));
});
