/** Planted data: labels with a part that a forecast may know, and inputs of an evaluation around them. */
import type { EvaluationInput, SeedForecast } from '../../../core/evaluation/index.ts';
import { regressionLabelOrThrow } from '../../../core/labels/index.ts';
import { seededUniform } from '../../../core/seeded-uniform.ts';

export const DAY_MS = 86_400_000;
const FIRST_TEST_DAY = Date.UTC(2016, 0, 4);

export interface Planted {
  readonly input: EvaluationInput;
  /** The part of each label that can be known, row-major. */
  readonly signal: Float64Array;
}

/** Standard normal numbers of a seed. */
export function normals(seed: number): () => number {
  const uniform = seededUniform(seed);
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

export interface PlantOptions {
  readonly rows?: number;
  readonly horizons?: readonly number[];
  /** Share of the label's variance that can be known. */
  readonly known?: number;
  readonly seed?: number;
  /** What a seed's forecast is made of: share of the signal, and SD of noise in label SDs. */
  readonly forecast?: { readonly signal: number; readonly noise: number };
  readonly seeds?: readonly number[];
}

export function plant(options: PlantOptions = {}): Planted {
  const { rows = 600, horizons = [1, 5, 10], known = 0.3, seed = 1 } = options;
  const { forecast = { signal: 1, noise: 0.05 }, seeds = [1, 2, 3] } = options;
  const normal = normals(seed);
  const sd = horizons.map((h) => 0.01 * Math.sqrt(h));
  const signal = new Float64Array(rows * horizons.length);
  const labels = new Float64Array(rows * horizons.length);
  for (let row = 0; row < rows; row++) {
    horizons.forEach((_, k) => {
      const i = row * horizons.length + k;
      signal[i] = sd[k]! * Math.sqrt(known) * normal();
      labels[i] = signal[i]! + sd[k]! * Math.sqrt(1 - known) * normal();
    });
  }
  const forecastOf = (s: number): Float64Array => {
    const own = normals(1000 * seed + s);
    return signal.map(
      (x, i) => forecast.signal * x + forecast.noise * sd[i % horizons.length]! * own(),
    );
  };
  const input: EvaluationInput = {
    model: 'index-gspc',
    family: 'lstm-multi-horizon',
    codeVersion: '0.1.0',
    instruments: ['^GSPC'],
    timeframe: '1d',
    barsPerDay: 1,
    featureSet: 'technical-152',
    featureHash: 'f'.repeat(64),
    featureCount: 152,
    lookback: 60,
    label: regressionLabelOrThrow('forwardLogReturn'),
    horizons,
    lossWeights: horizons.map(() => 1 / horizons.length),
    datasets: [
      {
        instrument: '^GSPC',
        hash: 'd'.repeat(64),
        firstBar: '1999-01-04T00:00:00.000Z',
        lastBar: '2018-12-31T00:00:00.000Z',
        deliveredBy: 'sp500-daily',
      },
    ],
    quality: [
      {
        instrument: '^GSPC',
        rows: 5031,
        firstBar: '1999-01-04',
        lastBar: '2018-12-31',
        score: 0.993,
        minScore: 0.9,
        strict: false,
        passed: true,
        findings: [
          {
            rule: 'open-equals-previous-close',
            severity: 'warn',
            message:
              'open = previous close on most days of 1999-2006: gap features are blind there',
            count: 1821,
            rows: ['1999-01-05'],
          },
        ],
      },
    ],
    split: {
      train: { samples: 3300, from: '1999-12-30', to: '2013-01-15' },
      valid: { samples: 690, from: '2013-03-04', to: '2015-11-20' },
      test: { samples: rows, from: '2016-01-04', to: '2018-11-15' },
    },
    trainedThrough: FIRST_TEST_DAY - DAY_MS,
    trainLabelMean: horizons.map((h) => 0.0002 * h),
    trainLabelVariance: sd.map((s) => s * s),
    rows: {
      openTime: Float64Array.from({ length: rows }, (_, row) => FIRST_TEST_DAY + row * DAY_MS),
      labels,
    },
    seeds: seeds.map((s) => seedOf(s, forecastOf(s))),
    baselines: [],
    champion: null,
    alpha: 0.05,
    triesBefore: 0,
  };
  return { input, signal };
}

export function seedOf(seed: number, predictions: Float64Array): SeedForecast {
  const epochs = 12;
  return {
    seed,
    bestValidLoss: 0.9 + 0.01 * ((seed * 7) % 5),
    bestEpoch: 8,
    epochsRun: epochs,
    weightsDigest: String(seed).padStart(64, '0'),
    history: Array.from({ length: epochs }, (_, i) => ({
      epoch: i + 1,
      epochs,
      loss: 1.2 * 0.93 ** i + 0.01 * seed,
      validLoss: 1.1 * 0.97 ** i + 0.02 * seed + (i > 8 ? 0.02 * (i - 8) : 0),
      lossByHorizon: [],
      validLossByHorizon: [],
      validMaeByHorizon: [],
      learningRate: 0.001,
      seconds: 1,
      rssBytes: 1,
    })),
    predictions,
  };
}
