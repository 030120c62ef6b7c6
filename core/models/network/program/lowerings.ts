import type { Ref } from './graph-def.ts';
import { lstmBackward, lstmForward } from './lstm-loops.ts';
import type { Maths } from './maths.ts';

/** What a lowered operation was given, by the places of its inputs. */
export interface LoweringInputs {
  /** What is not asked for does not become part of the program. */
  ref(index: number): Ref;
  /** Throws `training.program` unless the input is 0 in every run. */
  checkZero(index: number): void;
}

/** Values by the places of the operation's outputs. */
type Refs = readonly (Ref | undefined)[];

export interface LoweringOutputs {
  /** Those that anybody may read; reading another one is an error. */
  readonly outputs: Refs;
  /**
   * In the places of outputs that are left out: what lowerings of other operations find there,
   * whatever its shape.
   */
  readonly kept?: Refs;
}

/** What stands for an operation that XLA cannot compile. */
export type Lowering = (m: Maths, inputs: LoweringInputs) => LoweringOutputs;

/** The cell and hidden state before the first step, and the peepholes: the loops know none. */
const ZERO_INPUTS = [2, 3, 5, 6, 7] as const;

/**
 * Inputs: seq_len_max, x, cs_prev, h_prev, w, three peepholes, b. Outputs: i, cs, f, o, ci, co, h.
 */
const blockLstm: Lowering = (m, inputs) => {
  ZERO_INPUTS.forEach((index) => inputs.checkZero(index));
  const out = lstmForward(m, inputs.ref(1), inputs.ref(4), inputs.ref(8));
  return {
    outputs: [undefined, undefined, undefined, undefined, undefined, undefined, out.h],
    // What the gradient below needs in place of the gates.
    kept: [out.slopes, out.cellSlope, out.forget],
  };
};

/** Of the gradient with respect to the cells. */
const CELL_GRADIENT = 16;

/**
 * Inputs: those of BlockLSTM, its outputs, cs_grad, h_grad. Outputs: x, cs_prev, h_prev, w, three
 * peepholes, b.
 */
const blockLstmGrad: Lowering = (m, inputs) => {
  [...ZERO_INPUTS, CELL_GRADIENT].forEach((index) => inputs.checkZero(index));
  const kept = {
    slopes: inputs.ref(9),
    cellSlope: inputs.ref(10),
    forget: inputs.ref(11),
    h: inputs.ref(15),
  };
  const forward = { x: inputs.ref(1), w: inputs.ref(4), b: inputs.ref(8) };
  const { dx, dw, db } = lstmBackward(m, forward, kept, inputs.ref(17));
  return {
    outputs: [dx, undefined, undefined, dw, undefined, undefined, undefined, db],
  };
};

export const LOWERINGS: Readonly<Record<string, Lowering>> = {
  BlockLSTMV2: blockLstm,
  BlockLSTMGradV2: blockLstmGrad,
};
