import {
  attr,
  type Attributes,
  type DataType,
  type FunctionBuilder,
  type FunctionLibrary,
  type Ref,
  type Sized,
} from './graph-def.ts';

const FLOAT = { T: attr.type('float32') };

const larger = (a: Ref, b: Ref): readonly number[] =>
  a.shape.length >= b.shape.length ? a.shape : b.shape;

/**
 * The operations that loops are written in, as nodes of one function. Shapes are known everywhere.
 */
export class Maths {
  readonly fn: FunctionBuilder;
  /** What functions that this one calls are added to. */
  readonly library: FunctionLibrary;

  constructor(fn: FunctionBuilder, library: FunctionLibrary) {
    this.fn = fn;
    this.library = library;
  }

  zeros(shape: readonly number[]): Ref {
    return this.filled(shape, 0);
  }

  /**
   * To be overwritten as a whole. No two of a program are filled alike: XLA gives equal values one
   * place, and copies them before they are written to.
   */
  blank(shape: readonly number[]): Ref {
    return this.filled(shape, this.library.nextNumber());
  }

  /** All elements alike. */
  filled(shape: readonly number[], value: number): Ref {
    const scalar = this.fn.constant(Float32Array.of(value), []);
    const attributes = { ...FLOAT, index_type: attr.type('int32') };
    return this.#one('Fill', [this.#ints(shape), scalar], attributes, shape);
  }

  vector(values: Float32Array): Ref {
    return this.fn.constant(values, [values.length]);
  }

  int(value: number): Ref {
    return this.fn.constant(Int32Array.of(value), []);
  }

  /** As the other two-sided ones: a smaller side is repeated over the first axes of the larger. */
  add(a: Ref, b: Ref): Ref {
    return this.#one('AddV2', [a, b], { T: attr.type(a.dtype) }, larger(a, b), a.dtype);
  }

  sub(a: Ref, b: Ref): Ref {
    return this.#one('Sub', [a, b], { T: attr.type(a.dtype) }, larger(a, b), a.dtype);
  }

  mul(a: Ref, b: Ref): Ref {
    return this.#one('Mul', [a, b], FLOAT, larger(a, b));
  }

  tanh(x: Ref): Ref {
    return this.#one('Tanh', [x], FLOAT, x.shape);
  }

  /** 1 - y^2, where y is what tanh gave. */
  slopeOfTanh(y: Ref): Ref {
    return this.#one(
      'Sub',
      [this.fn.constant(Float32Array.of(1), []), this.mul(y, y)],
      FLOAT,
      y.shape,
    );
  }

  matMul(a: Ref, b: Ref, { transposeA = false, transposeB = false } = {}): Ref {
    const attributes = {
      ...FLOAT,
      transpose_a: attr.bool(transposeA),
      transpose_b: attr.bool(transposeB),
    };
    const shape = [a.shape[transposeA ? 1 : 0]!, b.shape[transposeB ? 0 : 1]!];
    return this.#one('MatMul', [a, b], attributes, shape);
  }

  transpose(x: Ref): Ref {
    const attributes = { ...FLOAT, Tperm: attr.type('int32') };
    return this.#one('Transpose', [x, this.#ints([1, 0])], attributes, [...x.shape].reverse());
  }

  reshape(x: Ref, shape: readonly number[]): Ref {
    const attributes = { ...FLOAT, Tshape: attr.type('int32') };
    return this.#one('Reshape', [x, this.#ints(shape)], attributes, shape);
  }

  slice(x: Ref, begin: readonly number[], size: readonly number[]): Ref {
    return this.#slice(x, this.#ints(begin), size);
  }

  concat(parts: readonly Ref[], axis: number): Ref {
    const attributes = { ...FLOAT, Tidx: attr.type('int32'), N: attr.int(parts.length) };
    const shape = [...parts[0]!.shape];
    shape[axis] = parts.reduce((sum, part) => sum + part.shape[axis]!, 0);
    return this.#one('ConcatV2', [...parts, this.int(axis)], attributes, shape);
  }

  sum(x: Ref, axis: number): Ref {
    const attributes = { ...FLOAT, Tidx: attr.type('int32'), keep_dims: attr.bool(false) };
    const shape = x.shape.filter((_, i) => i !== axis);
    return this.#one('Sum', [x, this.#ints([axis])], attributes, shape);
  }

  /** Row t of x [T, ...]. */
  at(x: Ref, t: Ref): Ref {
    const shape = x.shape.slice(1);
    return this.reshape(this.#slice(x, this.#start(x, t), [1, ...shape]), shape);
  }

  /** x [T, ...] with row t replaced. */
  put(x: Ref, t: Ref, row: Ref): Ref {
    const attributes = { ...FLOAT, Tindices: attr.type('int32') };
    const update = this.reshape(row, [1, ...row.shape]);
    return this.#one('XlaDynamicUpdateSlice', [x, update, this.#start(x, t)], attributes, x.shape);
  }

  #slice(x: Ref, begin: Ref, size: readonly number[]): Ref {
    const attributes = { ...FLOAT, Index: attr.type('int32') };
    return this.#one('Slice', [x, begin, this.#ints(size)], attributes, size);
  }

  /** [t, 0, ...]. */
  #start(x: Ref, t: Ref): Ref {
    const parts = x.shape.map((_, i) => (i === 0 ? t : this.int(0)));
    const attributes = { T: attr.type('int32'), N: attr.int(parts.length), axis: attr.int(0) };
    return this.#one('Pack', parts, attributes, [parts.length], 'int32');
  }

  #ints(values: readonly number[]): Ref {
    return this.fn.constant(Int32Array.from(values), [values.length]);
  }

  #one(
    op: string,
    inputs: readonly Ref[],
    attributes: Attributes,
    shape: readonly number[],
    dtype: DataType = 'float32',
  ): Ref {
    return this.fn.node(op, inputs, attributes, [{ shape, dtype }])[0]!;
  }
}

/** A body of a loop: the values it carries, and their next ones in the same order. */
type Body = (m: Maths, index: Ref, carried: readonly Ref[]) => Ref[];

const INDEX: Sized = { shape: [], dtype: 'int32' };

/** Runs a body a fixed number of times over the values it carries. */
export class Loop {
  readonly #m: Maths;
  readonly #times: number;
  readonly #start: readonly Ref[];

  constructor(m: Maths, times: number, start: readonly Ref[]) {
    this.#m = m;
    this.#times = times;
    this.#start = start;
  }

  /** The carried values after the last time; `index` counts from 0. */
  run(body: Body): Ref[] {
    const m = this.#m;
    const carried = [INDEX, ...this.#start];
    const attributes = {
      T: attr.types(carried.map(({ dtype }) => dtype)),
      cond: attr.func(this.#condition(carried)),
      body: attr.func(this.#again(carried, body)),
    };
    const inputs = [m.int(0), ...this.#start];
    return m.fn.node('StatelessWhile', inputs, attributes, carried).slice(1);
  }

  #condition(carried: readonly Sized[]): string {
    const fn = this.#m.library.start('condition');
    const [index] = carried.map((value) => fn.arg(value));
    const limit = fn.constant(Int32Array.of(this.#times), []);
    const bool: Sized = { shape: [], dtype: 'bool' };
    const more = fn.node('Less', [index!, limit], { T: attr.type('int32') }, [bool]);
    return this.#m.library.finish(fn, more);
  }

  #again(carried: readonly Sized[], body: Body): string {
    const { library } = this.#m;
    const fn = library.start('body');
    const [index, ...values] = carried.map((value) => fn.arg(value));
    const m = new Maths(fn, library);
    return library.finish(fn, [m.add(index!, m.int(1)), ...body(m, index!, values)]);
  }
}
