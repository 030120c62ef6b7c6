/** From simulated bars to the gate, without a server: what is planted is found, and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calendarFor } from '../../../core/calendar/index.ts';
import { evaluate, type Evaluation } from '../../../core/evaluation/index.ts';
import { featureSetOrThrow } from '../../../core/features/index.ts';
import { prepareUnit } from '../../../core/features/prepare.ts';
import { samplesOf } from '../../../core/features/prepared.ts';
import { regressionLabelOrThrow } from '../../../core/labels/index.ts';
import { modelFamilyOrThrow } from '../../../core/models/index.ts';
import { beatsChampion } from '../../../core/policies/beats-champion.ts';
import type { Decision } from '../../../core/policies/policy.ts';
import { simulateBars } from '../../../core/sources/simulate.ts';
import { simulatedParams } from '../../../core/sources/simulated.ts';
import { evidenceOf } from '../../support/evidence.ts';
import { fitContext } from '../../support/fit-context.ts';

/** Ridge on simulated daily bars of 25 years, judged on the last 15 %. */
async function judge(momentum: number, instrument: string): Promise<Evaluation> {
  const params = simulatedParams.parse({ momentum });
  const bars = simulateBars(params, instrument, '1d', Date.parse('2025-01-01'));
  const { prepared } = prepareUnit(
    {
      set: featureSetOrThrow('technical-152'),
      lookback: 1,
      label: { kind: 'forwardLogReturn', horizons: [1] },
      split: { kind: 'chronological', ratios: [0.7, 0.15, 0.15], purge: 'auto', embargo: 'auto' },
      scaling: { features: 'standard', labels: 'standard' },
      timeframe: '1d',
      calendar: calendarFor('nyse'),
      missing: 'ffill',
    },
    [bars],
  );
  const family = modelFamilyOrThrow('ridge');
  const { implementation } = await family.load();
  const { train, valid, test: rows } = prepared.split;
  const fitted = await implementation.fit(
    family.params.parse({}),
    samplesOf(prepared, train),
    samplesOf(prepared, valid),
    fitContext(prepared),
  );
  const predictions = await fitted.predict(samplesOf(prepared, rows));
  const part = { samples: rows.length, from: '2021', to: '2024' };
  return evaluate({
    model: 'simulated',
    family: 'ridge',
    codeVersion: '0.1.0',
    instruments: [instrument],
    timeframe: '1d',
    barsPerDay: 1,
    featureSet: prepared.featureSet,
    featureHash: prepared.featureHash,
    featureCount: prepared.featureNames.length,
    lookback: 1,
    label: regressionLabelOrThrow('forwardLogReturn'),
    horizons: [1],
    lossWeights: [1],
    datasets: [],
    quality: [],
    split: { train: part, valid: part, test: part },
    trainedThrough: prepared.trainedThrough,
    trainLabelMean: prepared.trainLabelMean,
    trainLabelVariance: prepared.trainLabelVariance,
    rows: {
      openTime: Float64Array.from(rows, (row) => prepared.openTime[row]!),
      labels: samplesOf(prepared, rows).labels,
    },
    seeds: [{ seed: 1, ...fitted.summary, predictions: Float64Array.from(predictions) }],
    baselines: [],
    champion: null,
    alpha: 0.05,
    triesBefore: 0,
  });
}

const gate = (evaluation: Evaluation): Decision =>
  beatsChampion.decide(evidenceOf(evaluation), beatsChampion.params.parse({ requireSkill: true }));

test('ridge finds a planted momentum: proved better than the naive baseline, and the gate lets it in', async () => {
  const evaluation = await judge(0.1, 'SIM-A');
  assert.match(
    evaluation.verdict,
    /^Better than the naive baseline: .*, and better than the training mean\.$/,
  );
  const { verdict, reasons } = gate(evaluation);
  assert.equal(verdict, 'accept', reasons.join('; '));
  assert.match(reasons.join('; '), /proved better than the naive baseline/);
});

test('ridge finds nothing where nothing is planted, and the gate says so', async () => {
  for (const instrument of ['SIM-A', 'SIM-B', 'SIM-C']) {
    const evaluation = await judge(0, instrument);
    assert.match(
      evaluation.verdict,
      /^(No better|Not proved better) than the naive baseline: /,
      instrument,
    );
    const { verdict, reasons } = gate(evaluation);
    assert.equal(verdict, 'reject');
    assert.match(
      reasons[0]!,
      /must be proved better than the naive baseline and the training mean/,
    );
  }
});
