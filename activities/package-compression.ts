import { deflateSync } from 'node:zlib';
import { taskOf } from '../core/evaluation/task.ts';
import { instrumentAt } from '../core/features/instrument-scaling.ts';
import { outputScales, outputsOf, samplesOf, type Prepared } from '../core/features/prepared.ts';
import { labelKindOrThrow } from '../core/labels/index.ts';
import type { FitBundle } from '../core/models/bundle.ts';
import { compressGraph, type CompressionRules } from '../core/onnx/compress/compress.ts';
import type { OnnxSession } from '../core/onnx/session.ts';
import { isWithin, lossRise, type CompressionFacts } from '../core/packages/compression.ts';
import { EQUALITY_TOLERANCE, largestDifference, windowInputs } from '../core/packages/golden.ts';
import { evenlySpaced } from '../core/predict/index.ts';
import { lossWeightsOf } from '../core/spec/loss-weights.ts';
import { compressionRulesOf } from '../core/spec/package-schema.ts';
import type { ExperimentSpec } from '../core/spec/spec.ts';
import { cachedStep } from '../registry/step-cache.ts';
import type { PackageInput } from './contracts.ts';
import type { ActivityDeps } from './deps.ts';
import { forecastRows } from './forecast-rows.ts';
import type { Fit } from './package-fits.ts';
import { withSession } from './package-graphs.ts';
import { windowAt } from './package-windows.ts';

/** Validation windows both graphs answer; a sixth of a second of a core each for the largest network. */
const VALID_WINDOWS_MAX = 4000;
/** Runs of each graph whose median is told, after as many tenths to warm up. */
const TIMED_RUNS = 200;

type Deps = Pick<ActivityDeps, 'db' | 'artifacts' | 'codeVersion'>;
type Breathe = () => void;

/**
 * Whether a smaller graph is packaged, judged by the evaluated fit on its validation part; undefined where the spec asks
 * for none. Measured once: a repeat of the step says the same, so that the package is the same.
 */
export async function compressionOf(
  deps: Deps,
  input: PackageInput,
  evaluated: Fit,
  spec: ExperimentSpec,
  breathe: Breathe,
): Promise<CompressionFacts | undefined> {
  const asked = compressionRulesOf(spec);
  if (asked === undefined) return undefined;
  const fits = (input.fits ?? [input.fit]).map(({ fitted }) => fitted.sha256);
  const key = [fits.join(), input.prepared.sha256, asked, lossWeightsOf(spec)];
  const { result } = await cachedStep(deps, { step: 'compress', key }, () =>
    judge(evaluated, asked, lossWeightsOf(spec), breathe),
  );
  return result;
}

async function judge(
  { prepared, bundle }: Fit,
  asked: CompressionFacts['asked'],
  lossWeights: readonly number[],
  breathe: Breathe,
): Promise<CompressionFacts> {
  const { model } = bundle.graphs;
  const { graph, steps } = compressGraph(model, asked);
  if (!steps.some(({ status }) => status === 'applied')) {
    return { asked, status: 'notApplicable', steps };
  }
  return withSession(model, (trained) =>
    withSession(graph, async (smaller) => {
      const rows = evenlySpaced(prepared.split.valid, VALID_WINDOWS_MAX);
      const answers = {
        trained: await answersOf(trained, prepared, rows, breathe),
        smaller: await answersOf(smaller, prepared, rows, breathe),
      };
      const loss = {
        trained: meanLoss(prepared, rows, answers.trained, lossWeights),
        smaller: meanLoss(prepared, rows, answers.smaller, lossWeights),
      };
      const difference = largestDifference(
        answers.smaller,
        answers.trained,
        outputScales(prepared),
      );
      if (![loss.trained, loss.smaller, difference].every(Number.isFinite)) {
        return { asked, status: 'rejected', steps };
      }
      const status = isWithin(lossRise(loss), asked.tolerance) ? 'accepted' : 'rejected';
      const measured = {
        windows: rows.length,
        loss,
        difference,
        bytes: { trained: model.length, smaller: graph.length },
        deflatedBytes: {
          trained: deflateSync(model).length,
          smaller: deflateSync(graph).length,
        },
        milliseconds: await medianMs({ trained, smaller }, prepared, rows[0]!),
      };
      return { asked, status, steps, measured };
    }),
  );
}

function answersOf(
  session: OnnxSession,
  prepared: Prepared,
  rows: Int32Array,
  onChunk: Breathe,
): Promise<Float64Array> {
  const source = { ...prepared, featureCount: prepared.featureNames.length };
  const { lookback } = prepared;
  return forecastRows(session, source, rows, { lookback, outputs: outputsOf(prepared), onChunk });
}

/** The loss that versions are compared by, mean over the rows. */
function meanLoss(
  prepared: Prepared,
  rows: Int32Array,
  predictions: Float64Array,
  lossWeights: readonly number[],
): number {
  const label = labelKindOrThrow(prepared.labelKind);
  const { horizons, trainLabelVariance, classes } = prepared;
  const { labels } = samplesOf(prepared, rows);
  const openTime = Float64Array.from(rows, (row) => prepared.openTime[row]!);
  const facts = { label, horizons, lossWeights, trainLabelVariance, classes };
  const losses = taskOf(label).losses({ ...facts, rows: { openTime, labels } }, predictions);
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

/** Median milliseconds of one window, the graphs taking turns so that a busy moment hits both. */
async function medianMs(
  sessions: { readonly trained: OnnxSession; readonly smaller: OnnxSession },
  prepared: Prepared,
  row: number,
): Promise<{ trained: number; smaller: number }> {
  const shape = { lookback: prepared.lookback, features: prepared.featureNames.length };
  const window = windowAt(prepared, row).slice();
  const close = (): number => prepared.close[row]!;
  const instrument = (): number => instrumentAt(prepared, row);
  const times = { trained: [] as number[], smaller: [] as number[] };
  for (let run = -TIMED_RUNS / 10; run < TIMED_RUNS; run++) {
    for (const name of ['trained', 'smaller'] as const) {
      const session = sessions[name];
      const inputs = windowInputs(session, shape, window, close, instrument);
      const began = performance.now();
      await session.run(inputs);
      if (run >= 0) times[name].push(performance.now() - began);
    }
  }
  const median = (values: number[]): number => values.toSorted((a, b) => a - b)[TIMED_RUNS >> 1]!;
  return { trained: median(times.trained), smaller: median(times.smaller) };
}

/** The bundle with the graphs that are packaged; pruning reaches the Monte-Carlo graph, which has no LSTM layer. */
export function packagedBundle(
  bundle: FitBundle,
  compression: CompressionFacts | undefined,
): FitBundle {
  if (compression?.status !== 'accepted') return bundle;
  const rules: CompressionRules = compression.asked;
  const { model, monteCarlo } = bundle.graphs;
  const smaller = compressGraph(model, rules).graph;
  if (!monteCarlo) return { ...bundle, graphs: { model: smaller } };
  const graph = compressGraph(monteCarlo.graph, { ...rules, quantize: 'none' }).graph;
  return { ...bundle, graphs: { model: smaller, monteCarlo: { ...monteCarlo, graph } } };
}

/**
 * How near the golden answers must be elsewhere. A rounding of the last digit can move a quantized input by a whole step:
 * another machine may differ by as much as quantization itself did here.
 */
export function goldenTolerance(compression: CompressionFacts | undefined): number {
  const quantized = compression?.steps.some(
    ({ what, status }) => what === 'quantize' && status === 'applied',
  );
  if (compression?.status !== 'accepted' || !quantized) return EQUALITY_TOLERANCE;
  return Math.max(EQUALITY_TOLERANCE, compression.measured?.difference ?? 0);
}
