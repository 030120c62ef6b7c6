import { calendarFor } from '../../core/calendar/index.ts';
import { buildFeatures, featureSetOrThrow } from '../../core/features/index.ts';
import { regressionLabelOrThrow } from '../../core/labels/index.ts';
import type { ExportContext } from '../../core/models/model.ts';
import { buildMonteCarloGraph } from '../../core/onnx/monte-carlo.ts';
import { buildForecasterGraph, buildLinearGraph } from '../../core/onnx/networks.ts';
import { openSession } from '../../core/onnx/session.impl.ts';
import { buildPackage } from '../../core/packages/build.ts';
import type { BuiltPackage, PackageContent } from '../../core/packages/build.ts';
import { encodeFloat64, windowInputs } from '../../core/packages/golden.ts';
import type { GoldenProbes, Manifest, Preprocessing } from '../../core/packages/manifest.ts';
import { generateSigningKeys, signerFrom, trustedKeysFrom } from '../../core/packages/signature.ts';
import { fitOutlierReference, openMonteCarlo } from '../../core/predict/index.ts';
import { randomNetwork } from './lstm-network.ts';
import { syntheticBars } from './synthetic-bars.ts';

export const LOOKBACK = 20;
export const HORIZONS = [7, 14, 30];

const keys = generateSigningKeys();
/** Keys of the packages made here. */
export const testSigner = signerFrom(keys.privatePem);
export const testKeys = trustedKeysFrom(keys.publicPem);
/** For processes that read it from a file. */
export const testVerifyPem = keys.publicPem;

export interface NetworkSize {
  readonly lookback: number;
  readonly units: readonly number[];
  readonly dense: readonly number[];
  readonly branch: number;
}
const SMALL: NetworkSize = { lookback: LOOKBACK, units: [8, 8], dense: [12], branch: 8 };

export interface PackageOptions {
  readonly model?: string;
  readonly version?: number;
  readonly seed?: string;
  readonly labelKind?: string;
  readonly monteCarlo?: boolean;
  /** Default: a small network, which tests are quick with. */
  readonly size?: NetworkSize;
  /** false: a package of a release that knew no outliers. */
  readonly outliers?: boolean;
  /** Changes content before it is built and signed. */
  readonly change?: (content: PackageContent) => PackageContent;
}

const featureSet = featureSetOrThrow('technical-152');
const matrix = buildFeatures(
  featureSet,
  syntheticBars(700, { seed: 'package', instrument: '^GSPC' }),
  calendarFor('nyse'),
);

/** Scalers fitted on features of synthetic bars, so that the random network sees inputs in range. */
function contextOf(labelKind: string, { lookback }: NetworkSize): ExportContext {
  const columns = featureSet.names.map((_, c) => {
    const values = Array.from({ length: matrix.rows - matrix.firstWarmRow }, (__, i) => {
      return matrix.values[(matrix.firstWarmRow + i) * featureSet.names.length + c]!;
    });
    return { low: Math.min(...values), high: Math.max(...values) };
  });
  const unchanged = regressionLabelOrThrow(labelKind).unchanged;
  return {
    featureNames: featureSet.names,
    lookback,
    horizons: HORIZONS,
    scalers: {
      features: {
        kind: 'minmax',
        offset: columns.map(({ low }) => low),
        factor: columns.map(({ low, high }) => (high > low ? 1 / (high - low) : 1)),
        clip: [-0.5, 1.5],
      },
      labels: {
        kind: 'minmax',
        offset: HORIZONS.map((h) => unchanged - 0.012 * Math.sqrt(h)),
        factor: HORIZONS.map((h) => 1 / (0.024 * Math.sqrt(h))),
      },
    },
    classes: 0,
    multiplyByClose: regressionLabelOrThrow(labelKind).multiplyByClose,
  };
}

/** The rows that the scalers were fitted on, as the training rows of the package. */
const outliers = await fitOutlierReference(
  {
    features: matrix.values,
    featureCount: featureSet.names.length,
    rows: Int32Array.from({ length: matrix.rows - matrix.firstWarmRow }, (_, i) => {
      return matrix.firstWarmRow + i;
    }),
    openTime: matrix.openTime,
    lookback: LOOKBACK,
  },
  async () => {},
);

async function goldenOf(
  ctx: ExportContext,
  model: Uint8Array,
  mc: { graph: Uint8Array; noiseWidth: number } | undefined,
): Promise<GoldenProbes> {
  const { offset, factor } = ctx.scalers.features;
  const size = ctx.lookback * offset.length;
  const windows = Float64Array.from({ length: 2 * size }, (_, i) => {
    const c = i % offset.length;
    return offset[c]! + (0.5 + 0.4 * Math.sin(i)) / factor[c]!;
  });
  const close = [1000, 2000];
  const shape = { lookback: ctx.lookback, features: offset.length };
  const session = await openSession(model);
  const y = await session.run(windowInputs(session, shape, windows, (row) => close[row]!));
  await session.release();
  const rows = (values: Float64Array) =>
    Array.from({ length: values.length / HORIZONS.length }, (_, i) => [
      ...values.subarray(i * HORIZONS.length, (i + 1) * HORIZONS.length),
    ]);
  const golden = {
    windows: encodeFloat64(windows),
    close,
    expected: rows(y),
    tolerance: 1e-5,
    labelSd: HORIZONS.map((h) => 0.01 * Math.sqrt(h)),
  };
  if (!mc) return golden;
  const runner = await openMonteCarlo(openSession)(mc.graph, {
    ...shape,
    noiseWidth: mc.noiseWidth,
  });
  const window = windows.subarray(0, size);
  const samples = await runner.sample({ window, samples: 3, noiseKey: 'golden' });
  await runner.release();
  return { ...golden, monteCarlo: { noiseKey: 'golden', expected: rows(samples) } };
}

function manifestOf(options: PackageOptions, labelKind: string): PackageContent['manifest'] {
  const set = featureSetOrThrow('technical-152');
  const digest = 'ab'.repeat(32);
  const manifest: Omit<Manifest, 'format' | 'files'> = {
    model: options.model ?? 'index-gspc',
    version: options.version ?? 1,
    family: options.monteCarlo === false ? 'ridge' : 'lstm-multi-horizon',
    instruments: ['^GSPC'],
    timeframe: '1d',
    featureSet: set.name,
    featureHash: set.hash,
    label: { kind: labelKind, horizons: HORIZONS },
    lookback: (options.size ?? SMALL).lookback,
    datasetHash: digest,
    specHash: digest,
    seed: 1,
    weightsDigest: digest,
    trainedThrough: '2006-12-29T00:00:00.000Z',
    workflowId: 'experiment/01HZZZZZZZZZZZZZZZZZZZZZZZ',
    codeVersion: '0.1.0',
    libraries: {},
    createdAt: '2026-01-01T00:00:00.000Z',
  };
  return manifest;
}

/** A whole signed package with a small random network over `technical-152`. */
export async function makePackage(options: PackageOptions = {}): Promise<BuiltPackage> {
  const labelKind = options.labelKind ?? 'forwardLogReturn';
  const size = options.size ?? SMALL;
  const ctx = contextOf(labelKind, size);
  const { weights } = randomNetwork(options.seed ?? 'package', {
    ...size,
    features: ctx.featureNames.length,
    horizons: HORIZONS,
    rates: { dropout: 0.2, recurrentDropout: 0.2 },
  });
  const withMc = options.monteCarlo !== false;
  const mc = withMc ? buildMonteCarloGraph(weights, ctx) : undefined;
  const model = withMc
    ? buildForecasterGraph(weights, ctx)
    : buildLinearGraph(
        {
          coefficients: new Float64Array(ctx.featureNames.length * HORIZONS.length).fill(0.001),
          intercepts: new Float64Array(HORIZONS.length).fill(0.4),
        },
        ctx,
      );
  const preprocessing: Preprocessing = {
    featureSet: 'technical-152',
    featureNames: ctx.featureNames,
    lookback: ctx.lookback,
    label: { kind: labelKind, horizons: HORIZONS },
    scalers: ctx.scalers,
    missing: 'ffill',
    calendar: 'nyse',
    timeframe: '1d',
    expiresAfter: 3,
    fallback: 'naive',
    confidence: {
      method: mc ? 'directional' : 'none',
      samples: mc ? 100 : 0,
      noiseWidth: mc?.noiseWidth ?? 0,
      byHorizon: mc
        ? HORIZONS.map(() => ({
            directional: { x: [0.2, 1], y: [0.3, 0.8] },
            probabilityUp: { x: [0, 1], y: [0.2, 0.8] },
            intervalQuantile: 1.5,
            minSd: 0.001,
          }))
        : [],
    },
    beatsNaive: false,
  };
  const content: PackageContent = {
    manifest: manifestOf(options, labelKind),
    model,
    monteCarlo: mc?.graph,
    preprocessing,
    golden: await goldenOf(ctx, model, mc),
    outliers: options.outliers === false ? undefined : outliers,
    evaluation: { format: 1, verdict: 'made for a test' },
    card: {
      split: [{ part: 'train', samples: 480, from: '2005-10-01', to: '2006-12-29' }],
      metrics: [{ horizon: 7, values: { rmse: 0.021, skill: null } }],
      verdict: 'Made for a test.',
      limits: [],
    },
  };
  return buildPackage(options.change ? options.change(content) : content, testSigner);
}

/** What the registry would expect of a built package. */
export const expectedOf = ({ manifest, packageDigest }: BuiltPackage) => ({
  model: manifest.model,
  version: manifest.version,
  packageDigest,
});
