import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lossesByTime } from '../../../core/evaluation/losses.ts';
import { regressionLabelOrThrow } from '../../../core/labels/index.ts';
import { groupByTime } from '../../../core/metrics/bootstrap.ts';
import { averageByTime, decisionLosses, type LossRow } from '../../../core/outcomes/index.ts';
import { plant } from '../evaluation/planted.ts';
import { seeded } from '../../support/made-bars.ts';

const scale = {
  labelKind: 'forwardLogReturn',
  horizons: [1, 5],
  variance: [0.01, 0.05],
  weights: [0.7, 0.3],
};

test('settled rows lose what an evaluation says they lose', () => {
  const { input } = plant({ horizons: [7, 14, 30], rows: 120 });
  const label = regressionLabelOrThrow(input.label.name);
  const random = seeded(5);
  const labels = input.rows.labels.map((value) => (Number.isFinite(value) ? value : 0.01));
  const predictions = labels.map(() => (random() - 0.5) * 0.1);
  const { openTime } = input.rows;
  const facts = { ...input, rows: { openTime, labels } };
  const expected = lossesByTime(facts, predictions, groupByTime(openTime));
  const rows: LossRow[] = Array.from(openTime, (asOf, row) =>
    input.horizons.map((horizon, k) => ({
      ...{ instrument: `I${row}`, asOf, horizon },
      forecastChange: label.returnFrom(predictions[row * 3 + k]!),
      actualChange: label.returnFrom(labels[row * 3 + k]!),
    })),
  ).flat();
  const found = decisionLosses(rows, {
    labelKind: label.name,
    horizons: input.horizons,
    variance: input.trainLabelVariance,
    weights: input.lossWeights,
  });
  const { columns } = averageByTime([...found.values()], 1, ({ loss }) => [loss]);
  assert.equal(columns[0]!.length, expected.length);
  columns[0]!.forEach((loss, i) => assert.ok(Math.abs(loss / expected[i]! - 1) < 1e-9));
});

test('a decision counts once all its horizons are settled; a foreign horizon is no part of it', () => {
  const row = (asOf: number, horizon: number, actualChange: number): LossRow => ({
    ...{ instrument: 'A', asOf, horizon, forecastChange: 0, actualChange },
  });
  const found = decisionLosses(
    [row(1, 1, 0.1), row(1, 5, 0.2), row(2, 1, 0.1), row(1, 9, 1)],
    scale,
  );
  assert.deepEqual([...found.keys()], ['1/A']);
  const loss = (0.7 * Math.log(1.1) ** 2) / 0.01 + (0.3 * Math.log(1.2) ** 2) / 0.05;
  const { loss: ours, naive } = found.get('1/A')!;
  assert.ok(Math.abs(ours - loss) < 1e-12);
  assert.equal(naive, ours, 'the forecast was that nothing changes');
});

test('instruments of one time are averaged first, times ascend', () => {
  const rows = [
    { asOf: 2, value: 5 },
    { asOf: 1, value: 1 },
    { asOf: 1, value: 3 },
  ];
  const { asOf, columns, rows: count } = averageByTime(rows, 2, ({ value }) => [value, -value]);
  assert.deepEqual(
    [[...asOf], [...columns[0]!], [...columns[1]!], count],
    [[1, 2], [2, 5], [-2, -5], 3],
  );
});
