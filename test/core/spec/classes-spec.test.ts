import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSpec, specHash } from '../../../core/spec/index.ts';

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
