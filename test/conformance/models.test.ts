import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { modelFamilies, modelFamilyOrThrow } from '../../core/models/index.ts';
import { modelSuites } from './model-suite.ts';

describe('catalogue of model families', () => {
  it('has unique names and says what there is when asked for another', () => {
    const names = modelFamilies.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    assert.throws(() => modelFamilyOrThrow('lstm'), {
      code: 'model.unknown-family',
      message: /"lstm".*lstm-multi-horizon, .*ridge, .*naive/,
    });
  });
});

await modelSuites(modelFamilies.filter(({ traits }) => !traits.needsTensorflow));
