import type { Tensor } from '@tensorflow/tfjs-node';
import { RatchetError } from '../../../errors.ts';
import type { NativeBackend, OpAttr, Tf } from '../tensorflow.impl.ts';
import {
  attr,
  type Attributes,
  DATA_TYPES,
  type DataType,
  FunctionLibrary,
  type FunctionBuilder,
  finished,
  type Recorded,
  type Ref,
  type Sized,
} from './graph-def.ts';
import { type Lowering, LOWERINGS } from './lowerings.ts';
import { Maths } from './maths.ts';
import type { Message } from './message.ts';

/** What tfjs hands to its kernels: a tensor, or where its values lie. */
type Info = Pick<Tensor, 'shape' | 'dtype'> & { readonly dataId: object };

const isInfo = (input: unknown): input is Info =>
  typeof input === 'object' && input !== null && 'dataId' in input;

function sized({ shape, dtype }: Pick<Tensor, 'shape' | 'dtype'>): Sized {
  if (!(dtype in DATA_TYPES)) {
    throw new RatchetError('training.program', `no program can have values of type ${dtype}`);
  }
  return { shape, dtype: dtype as DataType };
}

/** One function that is written down while its operations run. */
class Recorder {
  readonly #backend: NativeBackend;
  readonly #fn: FunctionBuilder;
  readonly #maths: Maths;
  readonly #refs = new WeakMap<object, Ref>();
  /** Outputs of lowered operations that only lowerings may read, and what those find there. */
  readonly #kept = new WeakMap<object, Ref | undefined>();
  /** What operations made that is 0 whatever they were given. */
  readonly #zeros = new WeakSet<object>();

  constructor(backend: NativeBackend, library: FunctionLibrary) {
    this.#backend = backend;
    this.#fn = library.start('step');
    this.#maths = new Maths(this.#fn, library);
  }

  get fn(): FunctionBuilder {
    return this.#fn;
  }

  argument(tensor: Info): Ref {
    const ref = this.#fn.arg(sized(tensor));
    this.#refs.set(tensor.dataId, ref);
    return ref;
  }

  /**
   * What the function has for a value; one that no recorded operation made is a constant of it.
   * Throws `training.program` for an output that a lowered operation does not give.
   */
  refOf(info: Info): Ref {
    const known = this.#refs.get(info.dataId);
    if (known) return known;
    if (this.#kept.has(info.dataId)) {
      throw new RatchetError('training.program', 'an output is read that its lowering leaves out');
    }
    const values = this.#backend.readSync(info.dataId);
    const ref = this.#constant(values, info.shape);
    this.#refs.set(info.dataId, ref);
    return ref;
  }

  /** Ones and zeros of a gradient are as many as its values: they are told by one. */
  #constant(values: Float32Array | Int32Array | Uint8Array, shape: readonly number[]): Ref {
    const [first] = values;
    const even = values instanceof Float32Array && values.every((value) => Object.is(value, first));
    return even && values.length > 1
      ? this.#maths.filled(shape, first!)
      : this.#fn.constant(values, shape);
  }

  operation(
    op: string,
    attrs: readonly OpAttr[],
    inputs: readonly unknown[],
    made: readonly Info[],
  ) {
    const lowering = LOWERINGS[op];
    if (lowering) this.#lowered(op, lowering, inputs, made);
    else this.#written(op, attrs, inputs, made);
  }

  #written(
    op: string,
    attrs: readonly OpAttr[],
    inputs: readonly unknown[],
    made: readonly Info[],
  ): void {
    const refs = inputs.map((input) => this.refOf(tensorOf(op, input)));
    const outputs = this.#fn.node(op, refs, this.#attributes(op, attrs), made.map(sized));
    made.forEach(({ dataId }, i) => {
      if (outputs[i]) this.#refs.set(dataId, outputs[i]);
      if (op === 'ZerosLike') this.#zeros.add(dataId);
    });
  }

  #lowered(
    op: string,
    lowering: Lowering,
    inputs: readonly unknown[],
    made: readonly Info[],
  ): void {
    const { outputs, kept } = lowering(this.#maths, {
      ref: (index) => {
        const info = tensorOf(op, inputs[index]);
        return this.#kept.get(info.dataId) ?? this.refOf(info);
      },
      checkZero: (index) => {
        if (this.#isZero(tensorOf(op, inputs[index]))) return;
        throw new RatchetError('training.program', `input ${index} of ${op} must be constant 0`);
      },
    });
    made.forEach(({ dataId }, i) => {
      if (outputs[i]) this.#refs.set(dataId, outputs[i]);
      else this.#kept.set(dataId, kept?.[i]);
    });
  }

  /** Is it 0 in every run? An argument that is 0 now may be anything later. */
  #isZero({ dataId }: Info): boolean {
    if (this.#zeros.has(dataId)) return true;
    if (this.#refs.has(dataId) || this.#kept.has(dataId)) return false;
    return this.#backend.readSync(dataId).every((value) => value === 0);
  }

  #attributes(op: string, attrs: readonly OpAttr[]): Attributes {
    const out: Record<string, Message> = {};
    for (const { name, type, value } of attrs) out[name] = this.#attribute(op, name, type, value);
    return out;
  }

  #attribute(op: string, name: string, type: number, value: OpAttr['value']): Message {
    const { binding } = this.#backend;
    if (type === binding['TF_ATTR_BOOL']) return attr.bool(value === true);
    if (type === binding['TF_ATTR_STRING']) return attr.text(String(value));
    if (typeof value === 'number') {
      if (type === binding['TF_ATTR_TYPE']) return attr.typeNumber(value);
      if (type === binding['TF_ATTR_INT']) return attr.int(value);
      if (type === binding['TF_ATTR_FLOAT']) return attr.float(value);
    }
    throw new RatchetError('training.program', `${op}: attribute ${name} cannot be written`);
  }
}

function tensorOf(op: string, input: unknown): Info {
  if (isInfo(input)) return input;
  throw new RatchetError('training.program', `${op} has an input that is no tensor`);
}

/**
 * Runs `work` once and writes its operations down as one function of `args` that gives what `work`
 * gives. Values that are neither arguments nor made inside become constants: whatever changes from
 * call to call must be an argument.
 */
export function record(
  { backend, tf }: { readonly backend: NativeBackend; readonly tf: Tf },
  args: readonly Tensor[],
  work: () => readonly Tensor[],
): Recorded {
  const library = new FunctionLibrary();
  const recorder = new Recorder(backend, library);
  args.forEach((tensor) => recorder.argument(tensor));
  const { executeSingleOutput, executeMultipleOutputs } = backend;
  backend.executeSingleOutput = (name, attrs, inputs) => {
    const output = executeSingleOutput.call(backend, name, attrs, inputs);
    recorder.operation(name, attrs, inputs, [output]);
    return output;
  };
  backend.executeMultipleOutputs = (name, attrs, inputs, count) => {
    const outputs = executeMultipleOutputs.call(backend, name, attrs, inputs, count);
    recorder.operation(name, attrs, inputs, outputs);
    return outputs;
  };
  tf.engine().startScope();
  try {
    const made = work();
    const outputs = made.map((tensor) => recorder.refOf(tensor));
    // Some may have been kept from the end of the scope.
    tf.dispose([...made]);
    return finished(library, recorder.fn, outputs);
  } finally {
    tf.engine().endScope();
    Object.assign(backend, { executeSingleOutput, executeMultipleOutputs });
  }
}
