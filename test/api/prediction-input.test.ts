import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inputOf, onlyInstrumentOrThrow } from '../../api/prediction-input.ts';

const now = Date.parse('2020-01-03T12:00:00Z');

test('a time of the past goes with the only instrument, named or not', () => {
  const asOf = Date.parse('2019-12-01T23:59:59.999Z');
  for (const instrument of ['^GSPC', undefined]) {
    assert.deepEqual(inputOf({ instrument, asOf: '2019-12-01' }, now), {
      kind: 'instrument',
      instrument,
      asOf,
    });
    assert.deepEqual(inputOf({ instrument }, now), { kind: 'instrument', instrument });
  }
});

test('who names no instrument means the only one; of several none is taken', () => {
  assert.equal(onlyInstrumentOrThrow('index', ['^GSPC']), '^GSPC');
  assert.throws(() => onlyInstrumentOrThrow('index', ['^GSPC', '^IXIC']), {
    code: 'predict.instrument',
    message: /several instruments; name one of \^GSPC, \^IXIC/,
  });
});
