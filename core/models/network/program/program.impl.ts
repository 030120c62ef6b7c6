import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tensor } from '@tensorflow/tfjs-node';
import type { NativeBackend, NativeOps } from '../tensorflow.impl.ts';
import {
  feedName,
  finished,
  FunctionLibrary,
  type Recorded,
  resultName,
  TAG,
} from './graph-def.ts';
import { Maths } from './maths.ts';
import { record } from './recorder.impl.ts';

/**
 * Work on tensors that was recorded once and is run as one program, compiled by XLA for the machine
 * it is on: one call in place of one a operation, loops over time in place of one operation a step,
 * neighbours fused.
 */
export class Program {
  readonly #native: NativeOps;
  readonly #id: number;
  readonly #feeds: readonly { readonly name: string }[];
  readonly #results: readonly string[];

  private constructor(native: NativeOps, id: number, feeds: number, results: number) {
    this.#native = native;
    this.#id = id;
    this.#feeds = Array.from({ length: feeds }, (_, i) => ({ name: feedName(i) }));
    this.#results = Array.from({ length: results }, (_, i) => resultName(i));
  }

  /** Runs `work` once; only the shapes of `args` matter, which later runs must have too. */
  static of(native: NativeOps, args: readonly Tensor[], work: () => readonly Tensor[]): Program {
    return Program.load(native, record(native, args, work));
  }

  static load(native: NativeOps, recorded: Recorded): Program {
    return inFolder(recorded, (folder) => Program.#opened(native, folder, recorded));
  }

  /**
   * Whether TensorFlow takes and runs it, given `args`. Throws what has another cause than
   * TensorFlow's refusal.
   */
  static runs(native: NativeOps, recorded: Recorded, args: readonly Tensor[]): boolean {
    return inFolder(recorded, (folder) => {
      try {
        const program = Program.#opened(native, folder, recorded);
        native.tf.dispose(program.run(args));
        program.dispose();
        return true;
      } catch (error) {
        if (isRefusal(error)) return false;
        throw error;
      }
    });
  }

  static #opened(native: NativeOps, folder: string, { feeds, results }: Recorded): Program {
    const id = native.backend.loadSavedModelMetaGraph(folder, TAG);
    return new Program(native, id, feeds, results);
  }

  /** The caller disposes what it gives. Compiles when it is first called. */
  run(args: readonly Tensor[]): Tensor[] {
    return this.#native.backend.runSavedModel(this.#id, args, this.#feeds, this.#results);
  }

  dispose(): void {
    this.#native.backend.deleteSavedModel(this.#id);
  }
}

/** TensorFlow reads programs from a folder only. */
function inFolder<T>({ saved }: Recorded, work: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-program-'));
  try {
    writeFileSync(join(folder, 'saved_model.pb'), saved);
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How tfjs' binding says that TensorFlow did not load a program, and that it did not run it. */
const REFUSALS = ['Failed to load SavedModel: ', 'Session fail to run with error: '];

const isRefusal = (error: unknown): boolean =>
  error instanceof Error && REFUSALS.some((start) => error.message.startsWith(start));

const compilers = new WeakMap<NativeBackend, boolean>();

/**
 * Can programs be compiled here? TensorFlow's smaller builds have no XLA; on a GPU the operations
 * have kernels that suit it better. Asked once a process, and the same in all that load this
 * library. Only TensorFlow's own refusal is a no: a temporary folder that cannot be written says
 * nothing of the library, and throws.
 */
export function canCompile(native: NativeOps): boolean {
  const { backend } = native;
  let can = compilers.get(backend);
  if (can === undefined) {
    can = !backend.isUsingGpuDevice && compiles(native);
    compilers.set(backend, can);
  }
  return can;
}

/** Tries it on an operation that only XLA can do. */
function compiles(native: NativeOps): boolean {
  const library = new FunctionLibrary();
  const fn = library.start('probe');
  const m = new Maths(fn, library);
  const given = fn.arg({ shape: [2, 1], dtype: 'float32' });
  const probe = finished(library, fn, [m.put(given, m.int(0), m.zeros([1]))]);
  const args = [native.tf.ones([2, 1])];
  try {
    return Program.runs(native, probe, args);
  } finally {
    native.tf.dispose(args);
  }
}
