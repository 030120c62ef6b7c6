import { readModel } from '../embed.ts';
import { ELEMENT_TYPES, type NodeProto, type TensorProto, type ValueInfo } from '../onnx-format.ts';
import { valuesOf } from '../tensor-values.ts';
import { joinEnsembles, type TreeEnsemble } from './ensemble.ts';
import { checkOperator, refused } from './operators.ts';
import { readTreeEnsemble } from './read-ensemble.ts';
import { floored, halved, largest, PAIRWISE, type Step } from './row-steps.ts';

/** Numbers of one row, by their places in the table of values; `dims` without the axis of rows. */
interface Slot {
  readonly kind: 'slot';
  readonly places: readonly number[];
  readonly dims: readonly number[];
}
/** What a name stands for: the input, its newest row (perhaps rounded to float32), or numbers. */
type Value = { readonly kind: 'windows' } | { readonly kind: 'row'; rounded: boolean } | Slot;

/** A graph of trees as what is done for each row. */
export interface TreePlan {
  readonly inputNames: readonly string[];
  readonly lookback: number;
  readonly features: number;
  /** All trees of the graph; the sums of the first targets go to `sums[0]`, and so on. */
  readonly ensemble: TreeEnsemble;
  /** Where each target's sum goes. */
  readonly sums: Int32Array;
  /** Where the close goes; absent where the graph does not ask for it. */
  readonly close?: number;
  /** The table, its constants in their places. */
  readonly values: Float64Array;
  readonly steps: readonly Step[];
  /** Where the outputs are in the end. */
  readonly answer: Int32Array;
}

/**
 * Most numbers of a row for each byte of the file. Trees of nothing but one leaf come to 1, others
 * to much less.
 */
const NUMBERS_A_BYTE = 4;

const sizeOf = (dims: readonly number[]): number => dims.reduce((size, dim) => size * dim, 1);

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

const dimsOf = (info: ValueInfo | undefined): number[] =>
  (info?.type?.tensorType?.shape?.dim ?? []).map(({ dimValue = -1 }) => dimValue);

const attribute = (node: NodeProto, name: string) =>
  (node.attribute ?? []).find((one) => one.name === name);

/**
 * For each number of an array of shape `to`, the place in one of shape `from`, whose dimensions of
 * 1 stretch.
 */
function stretched(from: readonly number[], to: readonly number[]): number[] {
  const missing = to.length - from.length;
  return range(sizeOf(to)).map((flat) => {
    let [left, stride, at] = [flat, 1, 0];
    for (let axis = to.length - 1; axis >= 0; axis--) {
      const own = from[axis - missing] ?? 1;
      const index = left % to[axis]!;
      left = Math.floor(left / to[axis]!);
      if (own > 1) at += index * stride;
      stride *= own;
    }
    return at;
  });
}

/** Reads nodes in their order, which is that of the values they need. */
class Reading {
  readonly features: number;
  readonly lookback: number;
  readonly table: number[] = [];
  readonly steps: Step[] = [];
  readonly ensembles: TreeEnsemble[] = [];
  readonly sums: number[] = [];
  readonly #values = new Map<string, Value>();
  readonly #constants: ReadonlyMap<string, TensorProto>;
  readonly #fileBytes: number;

  constructor(
    [, lookback = 0, features = 0]: readonly number[],
    tensors: readonly TensorProto[],
    fileBytes: number,
  ) {
    if (lookback < 1 || features < 1) throw refused('its windows have no size');
    this.#fileBytes = fileBytes;
    this.lookback = lookback;
    this.features = features;
    this.#constants = new Map(tensors.map((tensor) => [tensor.name ?? '', tensor]));
    this.#values.set('x', { kind: 'windows' });
  }

  /** Room for one row's numbers. Throws where a file says more of them than it can mean. */
  room(dims: readonly number[], numbers?: ArrayLike<number>): Slot & { readonly at: number } {
    const at = this.table.length;
    const size = sizeOf(dims);
    if (!(at + size <= NUMBERS_A_BYTE * this.#fileBytes)) throw refused('it is too wide');
    for (let i = 0; i < size; i++) this.table.push(numbers?.[i] ?? 0);
    return { kind: 'slot', at, places: range(size).map((i) => at + i), dims };
  }

  name(name: string, value: Value): void {
    this.#values.set(name, value);
  }

  slot(name: string): Slot {
    const value = this.#values.get(name);
    if (value?.kind === 'slot') return value;
    throw refused(`${name} is no number of a row`);
  }

  read(node: NodeProto): void {
    const { input = [], output = [], opType = '' } = node;
    checkOperator(node);
    const values = opType === 'Split' ? this.#split(node) : [this.#valueOf(node, opType, input)];
    if (output.length !== values.length) throw refused(`${opType} of other outputs`);
    output.forEach((name, i) => this.#values.set(name, values[i]!));
  }

  #valueOf(node: NodeProto, opType: string, [first = '', second = '']: readonly string[]): Value {
    const value = this.#values.get(first);
    if (Object.hasOwn(PAIRWISE, opType)) return this.#pairwise(PAIRWISE[opType]!, first, second);
    if (opType === 'Identity' && value) return value;
    if (opType === 'Gather' && value?.kind === 'windows') return this.#newest(node, second);
    if (opType === 'Cast' && value) return this.#cast(node, value);
    if (opType === 'TreeEnsemble' && value?.kind === 'row') return this.#trees(node, value.rounded);
    if (opType === 'Unsqueeze') return this.#unsqueezed(this.slot(first), this.#ints(second));
    if (opType === 'Reshape') return this.#reshaped(this.slot(first), this.#ints(second));
    if (opType === 'ReduceMax') return this.#largest(node, this.slot(first), this.#ints(second));
    if (opType === 'Floor') return this.#each(this.slot(first), floored);
    if (opType === 'Pow' && this.#isHalf(first)) return this.#each(this.slot(second), halved);
    throw refused(`operator ${opType}`);
  }

  #ints(name: string): number[] {
    const tensor = this.#constants.get(name);
    if (tensor?.dataType !== ELEMENT_TYPES.int64) throw refused(`${name} is no whole constant`);
    return [...valuesOf(tensor)];
  }

  #newest(node: NodeProto, index: string): Value {
    const [row, ...others] = this.#ints(index);
    const scalar = this.#constants.get(index)?.dims?.length ?? 0;
    if (attribute(node, 'axis')?.i !== 1 || scalar > 0 || others.length > 0) {
      throw refused('rows that are not the newest');
    }
    if (row !== this.lookback - 1) throw refused('a row that is not the newest');
    return { kind: 'row', rounded: false };
  }

  #cast(node: NodeProto, value: Value): Value {
    const to = attribute(node, 'to')?.i;
    if (value.kind === 'row' && to === ELEMENT_TYPES.float32) return { kind: 'row', rounded: true };
    // Sums of float32 are doubles here already.
    if (value.kind === 'slot' && to === ELEMENT_TYPES.float64) return value;
    throw refused('a change of type');
  }

  #trees(node: NodeProto, rounded: boolean): Value {
    const ensemble = readTreeEnsemble(node, this.features, this.#fileBytes);
    if (rounded !== (ensemble.precision === 'float32')) throw refused('trees of another precision');
    this.ensembles.push(ensemble);
    const slot = this.room([ensemble.targets]);
    for (const place of slot.places) this.sums.push(place);
    return slot;
  }

  /** A value of the row, or a constant that stretches over rows. */
  #operand(name: string): { readonly slot: Slot; readonly constant: boolean } {
    const tensor = this.#constants.get(name);
    if (tensor === undefined) return { slot: this.slot(name), constant: false };
    if (tensor.dataType !== ELEMENT_TYPES.float64) throw refused(`${name} is no double`);
    return { slot: this.room(tensor.dims ?? [], valuesOf(tensor)), constant: true };
  }

  #pairwise(loop: (typeof PAIRWISE)[string], first: string, second: string): Value {
    const [a, b] = [this.#operand(first), this.#operand(second)];
    const ranks = [a, b].filter(({ constant }) => !constant).map(({ slot }) => slot.dims.length);
    const rank = Math.max(...ranks);
    const fits = ranks.every((own) => own === rank) && ranks.length > 0;
    if (!fits || [a, b].some(({ slot }) => slot.dims.length > rank)) throw refused('its shapes');
    const dims = range(rank).map((axis) => {
      const own = [a, b].map(({ slot }) => slot.dims[axis - rank + slot.dims.length] ?? 1);
      const most = Math.max(...own);
      if (own.some((dim) => dim !== 1 && dim !== most)) throw refused('its shapes');
      return most;
    });
    // First, as it looks at the size.
    const to = this.room(dims);
    const places = ({ slot }: typeof a): Int32Array =>
      Int32Array.from(stretched(slot.dims, dims), (at) => slot.places[at]!);
    this.steps.push(loop(to.at, places(a), places(b)));
    return to;
  }

  #each({ places, dims }: Slot, loop: typeof floored): Value {
    const to = this.room(dims);
    this.steps.push(loop(to.at, Int32Array.from(places)));
    return to;
  }

  #isHalf(name: string): boolean {
    const tensor = this.#constants.get(name);
    if (tensor?.dataType !== ELEMENT_TYPES.float64) return false;
    return tensor.dims === undefined && valuesOf(tensor)[0] === 0.5;
  }

  #largest(node: NodeProto, { places, dims }: Slot, axes: readonly number[]): Value {
    const count = dims.at(-1);
    if (count === undefined || axes.length !== 1 || axes[0] !== -1) throw refused('its axes');
    if (attribute(node, 'keepdims')?.i !== 1) throw refused('its shapes');
    const to = this.room([...dims.slice(0, -1), 1]);
    this.steps.push(largest(to.at, Int32Array.from(places), count));
    return to;
  }

  /** The last axis, number by number. */
  #split(node: NodeProto): Slot[] {
    const { places, dims } = this.slot(node.input?.[0] ?? '');
    const count = dims.at(-1) ?? 0;
    const equal = node.input?.length === 1 && attribute(node, 'num_outputs')?.i === count;
    if (attribute(node, 'axis')?.i !== -1 || !equal) throw refused('its parts');
    return range(count).map((k) => ({
      kind: 'slot',
      places: places.filter((_, i) => i % count === k),
      dims: [...dims.slice(0, -1), 1],
    }));
  }

  #unsqueezed({ places, dims }: Slot, axes: readonly number[]): Value {
    const [axis = 0, ...others] = axes;
    // The axis of rows is the first.
    if (others.length > 0 || axis < 1 || axis > dims.length + 1) throw refused('its axes');
    return { kind: 'slot', places, dims: dims.toSpliced(axis - 1, 0, 1) };
  }

  #reshaped({ places, dims }: Slot, [rows, ...to]: readonly number[]): Value {
    if (rows !== -1 || to.some((dim) => dim < 1) || sizeOf(to) !== sizeOf(dims)) {
      throw refused('a shape that mixes rows');
    }
    return { kind: 'slot', places, dims: to };
  }
}

/** All trees as one ensemble; they read the same rows. */
function joined(ensembles: readonly TreeEnsemble[]): TreeEnsemble {
  const [first] = ensembles;
  const alike = ensembles.every(({ precision }) => precision === first?.precision);
  if (first === undefined || !alike) throw refused('no trees, or trees of several precisions');
  return joinEnsembles(ensembles);
}

/** What a graph of trees computes, row by row; throws `onnx.trees` where it is anything else. */
export function readTreePlan(bytes: Uint8Array): TreePlan {
  const { graph } = readModel(bytes);
  const inputs = new Map((graph.input ?? []).map((info) => [info.name ?? '', info]));
  const x = dimsOf(inputs.get('x'));
  const reading = new Reading(x, graph.initializer ?? [], bytes.length);
  const close = inputs.has('close') ? reading.room([1]) : undefined;
  if (close) reading.name('close', close);
  const other = [...inputs.keys()].find((name) => name !== 'x' && name !== 'close');
  if (other !== undefined) throw refused(`the input ${other}`);
  for (const node of graph.node ?? []) reading.read(node);
  const answer = reading.slot('y');
  const [, ...outputs] = dimsOf((graph.output ?? []).find(({ name }) => name === 'y'));
  if (sizeOf(outputs) !== sizeOf(answer.dims)) throw refused('an answer of another width');
  return {
    inputNames: [...inputs.keys()],
    lookback: reading.lookback,
    features: reading.features,
    ensemble: joined(reading.ensembles),
    sums: Int32Array.from(reading.sums),
    ...(close && { close: close.at }),
    values: Float64Array.from(reading.table),
    steps: reading.steps,
    answer: Int32Array.from(answer.places),
  };
}
