/** A feature that holds the label: models fitted on real bars with it are named, without it they are not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sliceBars } from '../../../core/bars/bars.ts';
import { calendarFor } from '../../../core/calendar/index.ts';
import {
  evaluate,
  rowsByInstrument,
  type Evaluation,
  type EvaluationInput,
} from '../../../core/evaluation/index.ts';
import { featureSetOrThrow } from '../../../core/features/index.ts';
import { prepareUnit } from '../../../core/features/prepare.ts';
import { type Prepared, samplesOf } from '../../../core/features/prepared.ts';
import { labelKindOrThrow, type LabelSpec } from '../../../core/labels/index.ts';
import { modelFamilyOrThrow } from '../../../core/models/index.ts';
import { fitScaler } from '../../../core/scaling/index.ts';
import { sp500 } from '../../support/example-bars.ts';
import { fitContext } from '../../support/fit-context.ts';
import { normals, plant, seedOf } from './planted.ts';

const BARS = 2500;
const bars = sliceBars(sp500(), 0, BARS);

function prepare(label: LabelSpec): Prepared {
  return prepareUnit(
    {
      set: featureSetOrThrow('technical-152'),
      lookback: 1,
      label,
      split: { kind: 'chronological', ratios: [0.6, 0.15, 0.25], purge: 'auto', embargo: 'auto' },
      scaling: { features: 'standard', labels: 'none' },
      timeframe: '1d',
      calendar: calendarFor('nyse'),
      missing: 'ffill',
    },
    [bars],
  ).prepared;
}

/**
 * The same with the first column replaced by the return that is to be foretold, plus noise of `noise` of its SD: what a
 * bar too many in a feature, or a merge by the wrong time, does.
 */
function leaky(prepared: Prepared, noise: number): Prepared {
  const columns = prepared.featureNames.length;
  const horizon = prepared.horizons[0]!;
  const normal = normals(3);
  const spread = 0.01 * Math.sqrt(horizon);
  const features = prepared.features.slice();
  for (let row = 0; row + horizon < prepared.close.length; row++) {
    const move = prepared.close[row + horizon]! / prepared.close[row]! - 1;
    features[row * columns] = move + noise * spread * normal();
  }
  const scaler = fitScaler('standard', features, columns, prepared.split.train);
  return { ...prepared, features, scalers: { ...prepared.scalers, features: scaler } };
}

async function evaluateFamily(family: string, prepared: Prepared): Promise<Evaluation> {
  const entry = modelFamilyOrThrow(family);
  const { implementation } = await entry.load();
  const { train, valid, test: tested } = prepared.split;
  const model = await implementation.fit(
    entry.params.parse({}),
    samplesOf(prepared, train),
    samplesOf(prepared, valid),
    fitContext(prepared),
  );
  const predictions = Float64Array.from(await model.predict(samplesOf(prepared, tested)));
  model.dispose();
  const h = prepared.horizons.length;
  const changes = prepared.labelChanges;
  const input: EvaluationInput = {
    ...plant({ rows: tested.length, horizons: prepared.horizons }).input,
    family,
    label: labelKindOrThrow(prepared.labelKind),
    classes: prepared.classes,
    trainLabelMean: prepared.trainLabelMean,
    trainLabelVariance: prepared.trainLabelVariance,
    rows: {
      openTime: Float64Array.from(tested, (row) => prepared.openTime[row]!),
      labels: samplesOf(prepared, tested).labels,
      changes:
        changes &&
        Float64Array.from({ length: tested.length * h }, (_, i) => {
          return changes[tested[Math.floor(i / h)]! * h + (i % h)]!;
        }),
      ...rowsByInstrument(prepared, ['^GSPC']),
    },
    seeds: [seedOf(1, predictions)],
  };
  return evaluate(input);
}

const suspects = ({ warnings }: Evaluation): string[] =>
  warnings.filter((text) => text.includes('look for a leak first'));

for (const { family, label } of [
  { family: 'ridge', label: { kind: 'forwardLogReturn', horizons: [5] } },
  { family: 'logistic', label: { kind: 'threeClass', horizons: [5] } },
  { family: 'logistic', label: { kind: 'binaryForwardReturn', horizons: [5] } },
]) {
  test(`${family} on ${label.kind}: honest features are not suspected, a leak is`, async () => {
    const prepared = prepare(label);
    assert.deepEqual(suspects(await evaluateFamily(family, prepared)), []);
    const found = suspects(await evaluateFamily(family, leaky(prepared, 0.5)));
    assert.ok(found.length > 0, 'a feature that is mostly the label');
    assert.match(found[0]!, /at 5 bars is more than honest models reach/);
  });
}
