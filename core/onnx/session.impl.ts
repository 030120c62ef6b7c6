import * as ort from 'onnxruntime-node';
import { RatchetError } from '../errors.ts';
import { evaluatorOf, TREE_EVALUATOR } from './evaluator.ts';
import type { OnnxSession, SessionInput, SessionInputs, SessionOptions } from './session.ts';
import { openTreeSession } from './trees/session.ts';

const elementCount = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

function toTensor(name: string, { data, dims }: SessionInput): ort.Tensor {
  if (elementCount(dims) !== data.length) {
    throw new RatchetError('onnx.input', `${name}: ${data.length} values for [${dims.join(', ')}]`);
  }
  // The LSTM kernel ends the whole process on an empty batch (onnxruntime 1.30).
  if (data.length === 0) throw new RatchetError('onnx.input', `${name}: no values`);
  if (data instanceof BigInt64Array) return new ort.Tensor('int64', data, dims);
  return data instanceof Float32Array
    ? new ort.Tensor('float32', data, dims)
    : new ort.Tensor('float64', data, dims);
}

/** Who answers for a model; throws `onnx.open` for bytes that are none. */
function evaluatorOrThrow(bytes: Uint8Array): string | undefined {
  try {
    return evaluatorOf(bytes);
  } catch (cause) {
    throw new RatchetError('onnx.open', 'the bytes are no ONNX model', { cause });
  }
}

/**
 * Opens an ONNX model from bytes that `verifyPackage` (or their own maker) has vouched for, with the evaluator that
 * the model names (`evaluator.ts`). Throws `onnx.open` when it refuses them, or is not known to this release.
 */
export async function openSession(
  bytes: Uint8Array,
  options: SessionOptions = {},
): Promise<OnnxSession> {
  const evaluator = evaluatorOrThrow(bytes);
  if (evaluator === undefined) return openRuntimeSession(bytes, options);
  if (evaluator === TREE_EVALUATOR) return openTreeSession(bytes);
  throw new RatchetError('onnx.open', `this release does not have the evaluator ${evaluator}`);
}

/**
 * The same with onnxruntime, whatever the model names: this is where native code reads the bytes. One intra-op thread by
 * default, because parallelism comes from worker threads and more threads get slower on busy cores.
 */
export async function openRuntimeSession(
  bytes: Uint8Array,
  { threads = 1, keepsMemory = true }: SessionOptions = {},
): Promise<OnnxSession> {
  let session: ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(bytes, {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      enableCpuMemArena: keepsMemory,
    });
  } catch (cause) {
    throw new RatchetError('onnx.open', 'the ONNX runtime refused the model', { cause });
  }
  return {
    inputNames: [...session.inputNames],
    async run(inputs: SessionInputs): Promise<Float64Array> {
      const feeds = Object.entries(inputs).map(([name, input]) => [name, toTensor(name, input)]);
      try {
        const outputs = await session.run(Object.fromEntries(feeds) as Record<string, ort.Tensor>);
        return outputs['y']!.data as Float64Array;
      } catch (cause) {
        throw new RatchetError('onnx.run', 'inference failed', { cause, permanent: false });
      }
    },
    release: () => session.release(),
  };
}
