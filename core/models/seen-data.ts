import {
  instrumentScalers,
  scaledByInstrument,
  unscaledAnswers,
} from '../features/instrument-scaling.ts';
import type { Prepared, Scalers } from '../features/prepared.ts';
import { labelClasses, labelKindOrThrow } from '../labels/index.ts';
import { scaleByInstrument } from '../onnx/instrument-scaling.ts';
import { unlikeParent, type ExportContext, type ExportedGraphs } from './model.ts';

/** Prepared data as a family is shown it, and the way back to what everybody else sees. */
export interface SeenData {
  readonly prepared: Prepared;
  /** By id, where each is scaled by itself. */
  readonly instrumentScalers?: Readonly<Record<string, Scalers>>;
  /** Does the family's own graph multiply by the close? */
  readonly multiplyByClose: boolean;
  /** Are columns still those of the feature set, so that a file of the family's own can be read by them? */
  readonly raw: boolean;
  /** Graphs for raw windows, from those of the family. */
  graphsOf(graphs: ExportedGraphs): ExportedGraphs;
  /** Answers for windows that end at `rows` in label units, from those of the family. */
  answersOf(rows: Int32Array, answers: Float64Array): Float64Array;
}

/**
 * A family that wants scaled data gets each instrument of a pool scaled by itself, where the data says so, and knows
 * nothing of it; every other family gets the data as it is.
 */
export function seenData(
  prepared: Prepared,
  { needsScaling, multiplyByClose }: { needsScaling: boolean; multiplyByClose: boolean },
): SeenData {
  const scalers = needsScaling ? instrumentScalers(prepared) : undefined;
  if (scalers === undefined) {
    const same = { graphsOf: (graphs: ExportedGraphs) => graphs, raw: true };
    return { ...same, prepared, multiplyByClose, answersOf: (_rows, answers) => answers };
  }
  const by = {
    scalers,
    instruments: prepared.instruments.map(({ id }) => id),
    scaledLabels: labelClasses(labelKindOrThrow(prepared.labelKind)) === 0,
    multiplyByClose,
  };
  return {
    prepared: scaledByInstrument(prepared, scalers),
    instrumentScalers: Object.fromEntries(by.instruments.map((id, i) => [id, scalers[i]!])),
    multiplyByClose: false,
    raw: false,
    graphsOf: (graphs) => scaleByInstrument(graphs, by),
    answersOf: (rows, answers) => unscaledAnswers(prepared, scalers, rows, answers),
  };
}

/**
 * The data with the scalers of a fit that is gone on from, of each instrument too: its weights mean nothing in others.
 * Throws `training.parent` where that fit knew other instruments.
 */
export function withScalersOf(
  { scalers, instrumentScalers }: Pick<ExportContext, 'scalers' | 'instrumentScalers'>,
  prepared: Prepared,
): Prepared {
  const { byInstrument, instruments } = prepared;
  if (instrumentScalers === undefined) {
    const unscaled = byInstrument?.map((own) => own && { ...own, scalers: undefined });
    return { ...prepared, scalers, ...(unscaled && { byInstrument: unscaled }) };
  }
  const { trainLabelMean, trainLabelVariance } = prepared;
  const known = instruments.map(({ id }, i) => {
    const own = instrumentScalers[id];
    if (own === undefined) throw unlikeParent('instruments');
    return { trainLabelMean, trainLabelVariance, ...byInstrument?.[i], scalers: own };
  });
  return { ...prepared, byInstrument: known };
}
