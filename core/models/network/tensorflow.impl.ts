import { createRequire } from 'node:module';
import type * as tfjs from '@tensorflow/tfjs-node';
import { RatchetError } from '../../errors.ts';

export type Tf = typeof tfjs;

/** Attribute of a raw TensorFlow operation. */
export interface OpAttr {
  readonly name: string;
  readonly type: number;
  readonly value: number | boolean | string;
}

/** The part of tfjs' backend that runs operations and saved graphs by their names in TensorFlow. */
export interface NativeBackend {
  readonly binding: Readonly<Record<string, number>> & { readonly TF_Version: string };
  readonly isUsingGpuDevice: boolean;
  executeSingleOutput(name: string, attrs: OpAttr[], inputs: unknown[]): tfjs.Tensor;
  executeMultipleOutputs(
    name: string,
    attrs: OpAttr[],
    inputs: unknown[],
    outputs: number,
  ): tfjs.Tensor[];
  readSync(dataId: object): Float32Array | Int32Array | Uint8Array;
  /** Gives the id that the saved model is run and deleted by. */
  loadSavedModelMetaGraph(folder: string, tags: string): number;
  runSavedModel(
    id: number,
    inputs: readonly tfjs.Tensor[],
    feeds: readonly { readonly name: string }[],
    results: readonly string[],
  ): tfjs.Tensor[];
  deleteSavedModel(id: number): void;
}

/** TensorFlow operations that tfjs has no function for. None of them is on tfjs' gradient tape. */
export interface NativeOps {
  readonly tf: Tf;
  readonly backend: NativeBackend;
  readonly version: string;
  /**
   * x [T,B,I], state [B,U] zeros, w [I+U,4U] (i,f,c,o), peephole [U] zeros, b [4U] -> 7 of [T,B,U].
   */
  blockLstm(
    x: tfjs.Tensor,
    zeroState: tfjs.Tensor,
    w: tfjs.Tensor,
    zeroPeephole: tfjs.Tensor,
    b: tfjs.Tensor,
  ): tfjs.Tensor[];
  /** Gradients [dx, dw, db] of `blockLstm` for dh [T,B,U]; `forward` are its inputs and outputs. */
  blockLstmGrad(forward: BlockLstmForward, zeroDcs: tfjs.Tensor, dh: tfjs.Tensor): tfjs.Tensor[];
  /** x [N,1,1,C] -> [y, batchMean, batchVariance, reserve1, reserve2, reserve3]. */
  batchNorm(x: tfjs.Tensor, gamma: tfjs.Tensor, beta: tfjs.Tensor, epsilon: number): tfjs.Tensor[];
  /** -> [dx, dgamma, dbeta]. */
  batchNormGrad(
    dy: tfjs.Tensor,
    x: tfjs.Tensor,
    gamma: tfjs.Tensor,
    reserves: readonly tfjs.Tensor[],
    epsilon: number,
  ): tfjs.Tensor[];
  /** x [R, C] plus b [C], and the gradient of b for dy [R, C]. */
  biasAdd(x: tfjs.Tensor, b: tfjs.Tensor): tfjs.Tensor;
  biasAddGrad(dy: tfjs.Tensor): tfjs.Tensor;
  /** Gradient of relu for dy, where y is what relu gave. */
  reluGrad(dy: tfjs.Tensor, y: tfjs.Tensor): tfjs.Tensor;
  /** Uniform [0, 1) float32 [n]; a pure function of the two keys. */
  statelessUniform(n: number, key: readonly [number, number]): tfjs.Tensor1D;
}

export interface BlockLstmForward {
  readonly x: tfjs.Tensor;
  readonly zeroState: tfjs.Tensor;
  readonly w: tfjs.Tensor;
  readonly zeroPeephole: tfjs.Tensor;
  readonly b: tfjs.Tensor;
  /** i, cs, f, o, ci, co, h. */
  readonly outputs: readonly tfjs.Tensor[];
}

let loaded: NativeOps | undefined;

/**
 * Loads TensorFlow once per process. Only the training child calls this.
 * Throws `training.no-tensorflow` where the library or its binding is not there.
 */
export function loadTensorflow(): NativeOps {
  loaded ??= open();
  return loaded;
}

function open(): NativeOps {
  const require = createRequire(import.meta.url);
  // tfjs-node 4.22 calls a function that Node 23 removed.
  const util = require('node:util') as { isNullOrUndefined?: (value: unknown) => boolean };
  util.isNullOrUndefined ??= (value) => value === null || value === undefined;
  try {
    const tf = require('@tensorflow/tfjs-node') as Tf;
    const { Int64Scalar } = require('@tensorflow/tfjs-node/dist/int64_tensors') as {
      Int64Scalar: new (value: number) => unknown;
    };
    return nativeOps(tf, Int64Scalar);
  } catch (cause) {
    throw new RatchetError(
      'training.no-tensorflow',
      'TensorFlow is not installed here: run `node infra/setup.mjs`',
      { cause },
    );
  }
}

function nativeOps(tf: Tf, Int64Scalar: new (value: number) => unknown): NativeOps {
  const backend = tf.backend() as unknown as NativeBackend;
  const { binding } = backend;
  const type = (name: string, dtype: string): OpAttr => attr(name, 'TYPE', binding[dtype]!);
  const attr = (name: string, kind: string, value: OpAttr['value']): OpAttr => ({
    name,
    type: binding[`TF_ATTR_${kind}`]!,
    value,
  });
  const lstmAttrs = [attr('use_peephole', 'BOOL', false), type('T', 'TF_FLOAT')];
  const normAttrs = (epsilon: number): OpAttr[] => [
    type('T', 'TF_FLOAT'),
    type('U', 'TF_FLOAT'),
    attr('epsilon', 'FLOAT', epsilon),
    attr('data_format', 'STRING', 'NHWC'),
    attr('is_training', 'BOOL', true),
  ];
  const uniformAttrs = [
    type('dtype', 'TF_FLOAT'),
    type('T', 'TF_INT32'),
    type('Tseed', 'TF_INT32'),
  ];
  return {
    tf,
    backend,
    version: binding.TF_Version,
    blockLstm: (x, zero, w, p, b) =>
      backend.executeMultipleOutputs(
        'BlockLSTMV2',
        [attr('cell_clip', 'FLOAT', 0), ...lstmAttrs],
        [new Int64Scalar(x.shape[0]!), x, zero, zero, w, p, p, p, b],
        7,
      ),
    blockLstmGrad({ x, zeroState: zero, w, zeroPeephole: p, b, outputs }, zeroDcs, dh) {
      const inputs = [new Int64Scalar(x.shape[0]!), x, zero, zero, w, p, p, p, b];
      const [dx, , , dw, , , , db] = backend.executeMultipleOutputs(
        'BlockLSTMGradV2',
        lstmAttrs,
        [...inputs, ...outputs, zeroDcs, dh],
        8,
      );
      return [dx!, dw!, db!];
    },
    batchNorm: (x, gamma, beta, epsilon) => {
      const none = tf.tensor1d([]);
      return backend.executeMultipleOutputs(
        'FusedBatchNormV3',
        [...normAttrs(epsilon), attr('exponential_avg_factor', 'FLOAT', 1)],
        [x, gamma, beta, none, none],
        6,
      );
    },
    batchNormGrad: (dy, x, gamma, reserves, epsilon) =>
      backend
        .executeMultipleOutputs(
          'FusedBatchNormGradV3',
          normAttrs(epsilon),
          [dy, x, gamma, ...reserves],
          5,
        )
        .slice(0, 3),
    ...denseOps(backend),
    statelessUniform: (n, key) =>
      backend.executeSingleOutput('StatelessRandomUniform', uniformAttrs, [
        tf.tensor1d([n], 'int32'),
        tf.tensor1d([key[0] | 0, key[1] | 0], 'int32'),
      ]) as tfjs.Tensor1D,
  };
}

function denseOps(backend: NativeBackend): Pick<NativeOps, 'biasAdd' | 'biasAddGrad' | 'reluGrad'> {
  const { TF_ATTR_TYPE, TF_ATTR_STRING, TF_FLOAT } = backend.binding;
  const float: OpAttr = { name: 'T', type: TF_ATTR_TYPE!, value: TF_FLOAT! };
  const biasAttrs = [float, { name: 'data_format', type: TF_ATTR_STRING!, value: 'NHWC' }];
  return {
    biasAdd: (x, b) => backend.executeSingleOutput('BiasAdd', biasAttrs, [x, b]),
    biasAddGrad: (dy) => backend.executeSingleOutput('BiasAddGrad', biasAttrs, [dy]),
    reluGrad: (dy, y) => backend.executeSingleOutput('ReluGrad', [float], [dy, y]),
  };
}
