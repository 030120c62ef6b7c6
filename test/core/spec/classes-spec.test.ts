import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  issueText,
  parseSpec,
  parseStoredSpec,
  SpecError,
  specHash,
} from '../../../core/spec/index.ts';

const base = (more: object) => ({
  name: 'classes',
  model: 'crypto-btc',
  data: { sources: [{ dataset: 'upbit-hourly' }], instruments: ['KRW-BTC'], timeframe: '1h' },
  ...more,
});

test('a label of classes is never scaled: specs that differ in that alone are one', () => {
  const classes = { label: { kind: 'threeClass' }, family: 'logistic' };
  const of = (labels: string) =>
    parseSpec(base({ ...classes, scaling: { features: 'standard', labels } }));
  assert.equal(of('standard').scaling.labels, 'none');
  assert.equal(specHash(of('standard')), specHash(of('none')));
  assert.equal(of('none').confidence.method, 'probability');
  assert.deepEqual(of('none').baselines, ['majority', 'logistic']);
});

const labelled = (label: object) =>
  base({ label: { kind: 'threeClass', horizons: [5], ...label }, family: 'logistic' });

test('a threshold without `by` is a fixed one', () => {
  const spec = parseSpec(labelled({ threshold: 0.01 }));
  assert.deepEqual([spec.label['by'], spec.label['threshold']], ['fixed', 0.01]);
  assert.equal(specHash(spec), specHash(parseSpec(labelled({ by: 'fixed', threshold: 0.01 }))));
  assert.equal(parseSpec(labelled({ k: 1 })).label['by'], 'volatility');
  assert.equal(parseSpec(labelled({})).label['by'], 'volatility');
  assert.deepEqual(parseSpec(structuredClone(spec)), spec, 'a parsed spec parses to itself');
});

test('a setting that would have no effect on the threshold is refused, with what to write', () => {
  const told = (label: object): string[] => {
    try {
      parseSpec(labelled(label));
      return [];
    } catch (error) {
      assert.ok(error instanceof SpecError);
      return error.issues.map(issueText);
    }
  };
  assert.deepEqual(told({ by: 'volatility', threshold: 0.01 }), [
    'label.threshold: has no effect where the threshold follows the volatility. Write `by: fixed`, or leave it out: ' +
      '`k`, `window` and `floor` count',
  ]);
  const fixed = (name: string): string =>
    `label.${name}: has no effect where the threshold is fixed. Leave it out, or write \`by: volatility\` and leave ` +
    '`threshold` out';
  assert.deepEqual(told({ by: 'fixed', k: 1 }), [fixed('k')]);
  assert.deepEqual(told({ threshold: 0.01, k: 1, floor: 0 }), [fixed('k'), fixed('floor')]);
  assert.deepEqual(told({ by: 'fixed', threshold: 0.01, k: 0.5 }), [], 'as a parsed spec has it');
  const both = told({ by: 'fixed', k: 1, horizons: [0] });
  assert.deepEqual([both.length, both[1]], [2, fixed('k')], 'beside what else is wrong');
});

test('a stored spec means what it meant, and has the hash that it had', () => {
  const stored = parseSpec(labelled({}));
  const old = { ...stored, label: { ...stored.label, threshold: 0.01 } };
  const read = parseStoredSpec(structuredClone(old));
  assert.deepEqual(read, old);
  assert.equal(specHash(read), 'e285804dc16708424e698bb6124c28a9fd37732f1e06069966e7a9d2110d7a6d');
  assert.equal(parseStoredSpec(labelled({ threshold: 0.01 })).label['by'], 'volatility');
});
