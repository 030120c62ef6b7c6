import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tensor } from '@tensorflow/tfjs-node';
import type { NativeOps } from '../tensorflow.impl.ts';
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
 * Work on tensors that was recorded once and is run as one program, compiled by XLA for the machine it is on: one call
 * in place of one a operation, loops over time in place of one operation a step, neighbours fused.
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

  static load(native: NativeOps, { saved, feeds, results }: Recorded): Program {
    // TensorFlow reads programs from a folder only.
    const folder = mkdtempSync(join(tmpdir(), 'ratchet-program-'));
    try {
      writeFileSync(join(folder, 'saved_model.pb'), saved);
      const id = native.backend.loadSavedModelMetaGraph(folder, TAG);
      return new Program(native, id, feeds, results);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** The caller disposes what it gives. Compiles when it is first called. */
  run(args: readonly Tensor[]): Tensor[] {
    return this.#native.backend.runSavedModel(this.#id, args, this.#feeds, this.#results);
  }

  dispose(): void {
    this.#native.backend.deleteSavedModel(this.#id);
  }
}

let compilerHere: boolean | undefined;

/**
 * Can programs be compiled here? TensorFlow's smaller builds have no XLA; on a GPU the operations have kernels that
 * suit it better. One answer a process, and the same in all that load this library: a training that goes on after a
 * crash goes on in the same way.
 */
export function canCompile(native: NativeOps): boolean {
  compilerHere ??= !native.backend.isUsingGpuDevice && compiles(native);
  return compilerHere;
}

/** Tries it on an operation that only XLA can do. */
function compiles(native: NativeOps): boolean {
  const library = new FunctionLibrary();
  const fn = library.start('probe');
  const m = new Maths(fn, library);
  const given = fn.arg({ shape: [2, 1], dtype: 'float32' });
  const probe = finished(library, fn, [m.put(given, m.int(0), m.zeros([1]))]);
  const { tf } = native;
  tf.engine().startScope();
  try {
    const program = Program.load(native, probe);
    program.run([tf.ones([2, 1])]);
    program.dispose();
    return true;
  } catch {
    // Refused when it was loaded or when it was compiled: this library cannot.
    return false;
  } finally {
    tf.engine().endScope();
  }
}
