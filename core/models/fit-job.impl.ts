import { setImmediate } from 'node:timers/promises';
import { RatchetError } from '../errors.ts';
import { instrumentAt } from '../features/instrument-scaling.ts';
import {
  outputScales,
  outputsOf,
  samplesOf,
  trainingSamples,
  type Prepared,
} from '../features/prepared.ts';
import { labelClasses, labelKindOrThrow } from '../labels/index.ts';
import { openSession } from '../onnx/session.impl.ts';
import type { FitBundle } from './bundle.ts';
import {
  knowledgeOfMember,
  librariesOf,
  registeredFits,
  type FitMember,
} from './fit-members.impl.ts';
import { modelFamilyOrThrow } from './index.ts';
import { knowledgeOf } from './knowledge.ts';
import {
  unlikeParent,
  type ExportContext,
  type FitContext,
  type FitSummary,
  type ModelDescriptor,
} from './model.ts';
import { seenData, withScalersOf } from './seen-data.ts';

/** One fit of one family on prepared data. */
export interface FitJob {
  readonly family: string;
  /** Hyperparameters as the spec has them; parsed here by the family's own schema. */
  readonly params: unknown;
  readonly seed: number;
  readonly prepared: Prepared;
  readonly multiplyByClose: boolean;
  /** Of a refit: the summary of the fit that is repeated on the training part; validation chooses nothing. */
  readonly twin?: FitSummary | undefined;
  /** A fit that this one goes on from, in the scalers of that one: weights mean nothing in others. */
  readonly parent?: FitParent | undefined;
  /** Registered versions that the hyperparameters name, in that order. */
  readonly members?: readonly FitMember[] | undefined;
}

/** Of a fit bundle: what another fit needs to go on from it. */
export interface FitParent extends Pick<FitBundle, 'family' | 'weights' | 'knowledge'> {
  readonly context: Pick<
    ExportContext,
    'featureNames' | 'lookback' | 'horizons' | 'classes' | 'scalers' | 'instrumentScalers'
  >;
}

export type FitHooks = Omit<
  FitContext,
  'seed' | 'neutralLabel' | 'scalers' | 'parent' | 'registered'
>;

/** The graph may differ from the trained model by this share of max(|y|, label SD), no more. */
export const EQUALITY_TOLERANCE = 1e-5;
const MAX_PROBES = 32;
/** Windows of a refit's rows on which graph and model are compared; as many as a usual validation part has. */
const REFIT_WINDOWS_MAX = 1000;
/** Windows an ONNX run takes at a time. */
const BATCH = 64;

/** Predictions of the trained model beside those of its graph, in label units. */
interface Comparison {
  readonly trained: Float64Array;
  readonly graph: Float64Array;
}

/**
 * Fits, exports, and proves on all validation windows (of a refit: on windows spread over its rows) that the graph says
 * what the trained model says.
 * Throws what the family throws, and `training.export-mismatch` where the graph differs.
 */
export async function runFitJob(job: FitJob, hooks: FitHooks): Promise<FitBundle> {
  const descriptor = modelFamilyOrThrow(job.family);
  const prepared = asParentSees(job, descriptor);
  const params = descriptor.params.parse(job.params);
  const { implementation } = await descriptor.load();
  const { needsScaling } = descriptor.traits;
  const seen = seenData(prepared, { needsScaling, multiplyByClose: job.multiplyByClose });
  const { scalers } = seen.prepared;
  const label = labelKindOrThrow(prepared.labelKind);
  const members = job.members ?? [];
  const train = trainingSamples(seen.prepared);
  const fitContext: FitContext = {
    ...hooks,
    seed: job.seed,
    neutralLabel: label.unchanged,
    scalers,
    parent: job.parent?.weights,
    ...(members.length > 0 && { registered: registeredFits(members, prepared, seen) }),
  };
  const model = job.twin
    ? await implementation.refit(params, job.twin, train, fitContext)
    : await implementation.fit(
        params,
        train,
        samplesOf(seen.prepared, prepared.split.valid),
        fitContext,
      );
  try {
    const context: ExportContext = {
      featureNames: prepared.featureNames,
      lookback: prepared.lookback,
      horizons: prepared.horizons,
      classes: labelClasses(label),
      scalers,
      ...(seen.instrumentScalers && { instrumentScalers: seen.instrumentScalers }),
      multiplyByClose: seen.multiplyByClose,
    };
    const graphs = seen.graphsOf(model.export(context));
    const rows = job.twin ? spread(prepared.split.train, REFIT_WINDOWS_MAX) : prepared.split.valid;
    const said = await model.predict(samplesOf(seen.prepared, rows));
    const trained = seen.answersOf(rows, said);
    const graph = await runGraph(graphs.model, { ...job, prepared }, rows);
    return {
      family: job.family,
      params,
      seed: job.seed,
      summary: model.summary,
      weights: model.save(),
      graphs,
      native: seen.raw ? model.nativeFile?.() : undefined,
      context,
      probes: probesOf(prepared, rows, trained),
      equality: {
        maxRelative: assertEqual(prepared, { trained, graph }),
        rows: rows.length,
      },
      knowledge: knowledgeOf(prepared, job.parent?.knowledge, ...members.map(knowledgeOfMember)),
      libraries: { ...(await librariesOf(members)), ...implementation.libraries?.(params) },
    };
  } finally {
    model.dispose();
  }
}

/** The prepared data in the parent's scalers; throws `training.parent` where the fit cannot go on from it. */
function asParentSees({ prepared, parent }: FitJob, { name, traits }: ModelDescriptor): Prepared {
  if (parent === undefined) return prepared;
  if (!traits.canContinue) {
    throw new RatchetError(
      'training.parent',
      `a fit of the family ${name} always begins anew: train it fresh`,
    );
  }
  if (parent.family !== name) throw unlikeParent(`family, ${parent.family},`);
  const { featureNames, lookback, horizons, classes } = parent.context;
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
  if (!same(featureNames, prepared.featureNames)) throw unlikeParent('features');
  if (lookback !== prepared.lookback) throw unlikeParent('windows');
  const own = labelClasses(labelKindOrThrow(prepared.labelKind));
  if (!same(horizons, prepared.horizons) || classes !== own) throw unlikeParent('labels');
  return withScalersOf(parent.context, prepared);
}

/** Answers of the graph for these window ends, in label units: a price is divided by its close. */
async function runGraph(bytes: Uint8Array, job: FitJob, rows: Int32Array): Promise<Float64Array> {
  const { prepared, multiplyByClose } = job;
  const outputs = outputsOf(prepared);
  const out = new Float64Array(rows.length * outputs);
  const session = await openSession(bytes, { threads: 1 });
  try {
    for (let from = 0; from < rows.length; from += BATCH) {
      // `run` blocks; between two of them the process can hear that its parent is gone.
      await setImmediate();
      const part = rows.subarray(from, from + BATCH);
      const close = Float64Array.from(part, (row) => prepared.close[row]!);
      const y = await session.run({
        x: {
          data: windowsOf(prepared, part),
          dims: [part.length, prepared.lookback, prepared.featureNames.length],
        },
        ...(multiplyByClose ? { close: { data: close, dims: [part.length, 1] } } : {}),
        ...(session.inputNames.includes('instrument') && {
          instrument: {
            data: BigInt64Array.from(part, (row) => BigInt(instrumentAt(prepared, row))),
            dims: [part.length],
          },
        }),
      });
      for (let at = 0; at < y.length; at++) {
        const scale = multiplyByClose ? close[Math.floor(at / outputs)]! : 1;
        out[from * outputs + at] = y[at]! / scale;
      }
    }
  } finally {
    await session.release();
  }
  return out;
}

/** Unscaled windows, [rows x lookback x features]. */
function windowsOf(prepared: Prepared, rows: Int32Array): Float64Array {
  const width = prepared.featureNames.length;
  const size = prepared.lookback * width;
  const out = new Float64Array(rows.length * size);
  rows.forEach((end, i) => {
    out.set(prepared.features.subarray((end + 1) * width - size, (end + 1) * width), i * size);
  });
  return out;
}

/** Largest |graph - trained| / max(|trained|, scale of the output); throws above the tolerance. */
function assertEqual(prepared: Prepared, { trained, graph }: Comparison): number {
  const deviation = outputScales(prepared);
  let maxRelative = 0;
  for (let at = 0; at < trained.length; at++) {
    const scale = Math.max(Math.abs(trained[at]!), deviation[at % deviation.length]!);
    const difference = Math.abs(graph[at]! - trained[at]!);
    // 0 / 0 is no difference; NaN anywhere else must not pass as equal.
    const relative = difference === 0 ? 0 : difference / scale;
    maxRelative = relative > maxRelative || Number.isNaN(relative) ? relative : maxRelative;
    if (!(relative <= EQUALITY_TOLERANCE)) {
      throw new RatchetError(
        'training.export-mismatch',
        `the ONNX graph differs from the trained model by ${relative} of the label scale ` +
          `(at most ${EQUALITY_TOLERANCE})`,
        { details: { window: Math.floor(at / deviation.length), relative } },
      );
    }
  }
  return maxRelative;
}

/** Up to `count` of the rows, spread over time, first and last among them. */
function spread(rows: Int32Array, count: number): Int32Array {
  if (rows.length <= count) return rows;
  return Int32Array.from(
    { length: count },
    (_, i) => rows[count === 1 ? 0 : Math.round((i * (rows.length - 1)) / (count - 1))]!,
  );
}

/** Up to 32 of these windows with the model's answers. */
function probesOf(
  prepared: Prepared,
  rows: Int32Array,
  trained: Float64Array,
): FitBundle['probes'] {
  const outputs = outputsOf(prepared);
  const picks = spread(Int32Array.from(rows.keys()), MAX_PROBES);
  const predictions = new Float64Array(picks.length * outputs);
  picks.forEach((pick, i) => {
    predictions.set(trained.subarray(pick * outputs, (pick + 1) * outputs), i * outputs);
  });
  return { rows: picks.map((pick) => rows[pick]!), predictions };
}
