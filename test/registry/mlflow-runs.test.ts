import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { epochMetrics, flatParams, mlflowName } from '../../registry/mlflow-runs.ts';

describe('metrics of an epoch', () => {
  const at = new Date(1_000);

  test('have a name for each horizon, the epoch as step and the event as time', () => {
    const payload = { epoch: 4, loss: 0.5, validLoss: 0.6, validLossByHorizon: [0.1, 0.2] };
    assert.deepEqual(epochMetrics({ at, payload }, [7, 14]), [
      { key: 'loss', value: 0.5, timestamp: 1_000, step: 4 },
      { key: 'validLoss', value: 0.6, timestamp: 1_000, step: 4 },
      { key: 'validLoss_h7', value: 0.1, timestamp: 1_000, step: 4 },
      { key: 'validLoss_h14', value: 0.2, timestamp: 1_000, step: 4 },
    ]);
  });

  test('that are not finite numbers are never sent', () => {
    const payload = { epoch: 1, loss: null, validLoss: Number.NaN, learningRate: Infinity };
    assert.deepEqual(epochMetrics({ at, payload }, []), []);
  });
});

describe('parameters', () => {
  test('are the leaves of the spec, lists as JSON', () => {
    const spec = { name: 'a', label: { horizons: [7, 14], kind: 'forwardReturn' }, force: false };
    assert.deepEqual(flatParams(spec), {
      name: 'a',
      'label.horizons': '[7,14]',
      'label.kind': 'forwardReturn',
      force: 'false',
    });
  });

  test('have names that MLflow takes', () => {
    assert.equal(mlflowName('hyper^parameters"x'), 'hyper_parameters_x');
    assert.equal(mlflowName('h7.rmse'), 'h7.rmse');
  });
});
