import type { ExportedGraphs } from '../models/model.ts';
import type { ScalerState } from '../scaling/scaler.ts';
import { readModel, signatureOf } from './embed.ts';
import { EVALUATOR_KEY } from './evaluator.ts';
import { Graph } from './graph.ts';

/** Instruments scaled each by itself, in the order of their positions. */
export interface InstrumentScaling {
  readonly scalers: readonly { readonly features: ScalerState; readonly labels: ScalerState }[];
  /** Their ids, for a reader of the file alone. */
  readonly instruments: readonly string[];
  /** Probabilities have no scale. */
  readonly scaledLabels: boolean;
  /** The answer is a price: times the input `close`. */
  readonly multiplyByClose: boolean;
}

/**
 * Graphs for raw windows from graphs for windows that were scaled by instrument. The input `instrument` (int64 [N], of
 * a Monte-Carlo graph [1]) says by position whose scaler each window gets; offsets and factors are gathered from tables
 * inside the graph, so that the file holds all that it needs.
 */
export function scaleByInstrument(graphs: ExportedGraphs, by: InstrumentScaling): ExportedGraphs {
  const model = wrapped(graphs.model, by, 'N');
  const { monteCarlo } = graphs;
  if (monteCarlo === undefined) return { model };
  return { model, monteCarlo: { ...monteCarlo, graph: wrapped(monteCarlo.graph, by, 1) } };
}

function wrapped(inner: Uint8Array, by: InstrumentScaling, rows: 'N' | 1): Uint8Array {
  const g = new Graph('scaled by instrument');
  const { inputs, output } = signatureOf(inner);
  for (const info of inputs.values()) g.inputLike(info);
  const instrument = g.input('instrument', 'int64', [rows]);
  const given = Object.fromEntries([...inputs.keys()].map((name) => [name, name]));
  const features = by.scalers.map((own) => own.features);
  const x = scaled(g, given['x']!, features, instrument);
  const answer = g.embed(inner, { ...given, x });
  const labels = by.scalers.map((own) => own.labels);
  const unscaled = by.scaledLabels ? unscale(g, answer, labels, instrument) : answer;
  const out = by.multiplyByClose
    ? g.op('Mul', [unscaled, g.input('close', 'float64', [rows, 1])])
    : unscaled;
  g.outputLike(out, output);
  return g.toModel({ ...metadataOf(inner), instruments: by.instruments.join(',') });
}

/** Rows of a table [instruments, columns] by position: [rows, columns]. */
function rowsOf(g: Graph, table: readonly (readonly number[])[], instrument: string): string {
  const columns = table[0]!.length;
  const values = g.constant(Float64Array.from(table.flat()), [table.length, columns]);
  return g.op('Gather', [values, instrument], { axis: { int: 0 } });
}

/** As `core/scaling` does it, in float64: within bounds, (x - offset) * factor, clipped. x [rows, lookback, columns]. */
function scaled(g: Graph, x: string, scalers: readonly ScalerState[], instrument: string): string {
  const each = (of: (scaler: ScalerState) => readonly number[]): string =>
    g.op('Unsqueeze', [rowsOf(g, scalers.map(of), instrument), g.ints(1)]);
  const bounded = scalers.some(({ bounds }) => bounds !== undefined);
  const without = ({ offset }: ScalerState, value: number): number[] => offset.map(() => value);
  const raised = bounded
    ? g.op('Max', [x, each((s) => s.bounds?.low ?? without(s, -Infinity))])
    : x;
  const seen = bounded
    ? g.op('Min', [raised, each((s) => s.bounds?.high ?? without(s, Infinity))])
    : x;
  const shifted = g.op('Sub', [seen, each(({ offset }) => offset)]);
  const values = g.op('Mul', [shifted, each(({ factor }) => factor)]);
  // Of one kind, so of one clip.
  const clip = scalers[0]!.clip;
  if (!clip) return values;
  return g.op('Clip', [values, g.scalar(clip[0], 'float64'), g.scalar(clip[1], 'float64')]);
}

/** y / factor + offset, [rows, horizons]. */
function unscale(g: Graph, y: string, scalers: readonly ScalerState[], instrument: string): string {
  const factor = rowsOf(
    g,
    scalers.map((scaler) => scaler.factor),
    instrument,
  );
  const offset = rowsOf(
    g,
    scalers.map((scaler) => scaler.offset),
    instrument,
  );
  return g.op('Add', [g.op('Div', [y, factor]), offset]);
}

/** What the inner model says of itself, but for who answers: scaling is nothing that evaluators of ours know. */
function metadataOf(model: Uint8Array): Record<string, string> {
  const own = (readModel(model).metadataProps ?? []).filter(({ key }) => key !== EVALUATOR_KEY);
  return Object.fromEntries(own.map(({ key, value }) => [key ?? '', value ?? '']));
}
