import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trainingSpec } from '../../api/training-spec.ts';
import { modelFamilies } from '../../core/models/index.ts';
import { parseSpec, type ExperimentSpec } from '../../core/spec/index.ts';
import { DATASETS } from '../support/api-fixture.ts';

const template = (change: object = {}): ExperimentSpec =>
  parseSpec(
    {
      ...{ name: 'x', model: 'x', label: { kind: 'threeClass', horizons: [5] } },
      data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'] },
      ...{ features: 'daily-22', family: 'lightgbm', hyperparameters: { rounds: 300 } },
      ...{ promotion: { trial: { kind: 'none' } } },
      ...change,
    },
    { datasets: DATASETS },
  );
const MODEL = { name: 'x', instruments: ['^GSPC'] };

test('a threshold makes the label a fixed one; rounds are those of the family; both are what a spec takes', () => {
  const spec = trainingSpec(template(), MODEL, { threshold: 0.03, rounds: 77 });
  const parsed = parseSpec(spec, { datasets: DATASETS });
  const label = parsed.label as ExperimentSpec['label'] & { by: string; threshold: number };
  assert.deepEqual([label.kind, label.by, label.threshold], ['threeClass', 'fixed', 0.03]);
  const { rounds } = parsed.hyperparameters as { rounds: number };
  assert.equal(rounds, 77);
  const untouched = trainingSpec(template(), MODEL, {});
  assert.deepEqual(untouched.label, template().label);
  assert.deepEqual(untouched.hyperparameters, template().hyperparameters);
});

test('a quantity has no threshold, and a family without rounds none: 422 that says why', () => {
  const quantity = template({
    label: { kind: 'forwardLogReturn', horizons: [5] },
    family: 'ridge',
    hyperparameters: {},
  });
  assert.throws(() => trainingSpec(quantity, MODEL, { threshold: 0.02 }), {
    ...{ code: 'train.no-threshold', kind: 'unprocessable' },
    issues: [
      {
        path: '/threshold',
        message:
          'the template learns forwardLogReturn, a quantity: only labels with classes have a threshold',
      },
    ],
  });
  assert.throws(() => trainingSpec(quantity, MODEL, { rounds: 10 }), {
    ...{ code: 'train.no-rounds', kind: 'unprocessable' },
    message: 'rounds: the family ridge does not train in rounds.',
  });
});

for (const { name, traits, params } of modelFamilies) {
  const path = traits.rounds ?? traits.budget;
  if (path === undefined) continue;
  test(`the rounds of ${name} are a hyperparameter of it (${path})`, () => {
    const spec = { ...template(), family: name, hyperparameters: {} };
    const asked = trainingSpec(spec, MODEL, { rounds: 12 }).hyperparameters;
    const full: unknown = params.parse(asked);
    const value = path
      .split('.')
      .reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], full);
    assert.equal(value, 12);
  });
}
