import { RatchetError } from '../../../errors.ts';
import type { Ref } from './graph-def.ts';
import { lstmBackward, lstmForward, type LoopOutputs } from './lstm-loops.ts';
import type { Maths } from './maths.ts';

type Refs = readonly (Ref | undefined)[];

/** What stands for an operation that XLA cannot compile; outputs that nobody reads are left out. */
type Lowering = (m: Maths, inputs: Refs) => Refs;

function given(inputs: Refs, index: number): Ref {
  const ref = inputs[index];
  if (ref) return ref;
  throw new RatchetError('training.program', `input ${index} is not there`);
}

/** Inputs: seq_len_max, x, cs_prev, h_prev, w, three peepholes, b. Outputs: i, cs, f, o, ci, co, h. */
const blockLstm: Lowering = (m, inputs) => {
  const out = lstmForward(m, given(inputs, 1), given(inputs, 4), given(inputs, 8));
  // Only the gradient below reads the first six, so they may be what it needs in place of the gates.
  return [out.slopes, out.cellSlope, out.forget, undefined, undefined, undefined, out.h];
};

/** Inputs: those of BlockLSTM, its outputs, cs_grad, h_grad. Outputs: x, cs_prev, h_prev, w, three peepholes, b. */
const blockLstmGrad: Lowering = (m, inputs) => {
  const kept: LoopOutputs = {
    slopes: given(inputs, 9),
    cellSlope: given(inputs, 10),
    forget: given(inputs, 11),
    h: given(inputs, 15),
  };
  const forward = { x: given(inputs, 1), w: given(inputs, 4), b: given(inputs, 8) };
  const { dx, dw, db } = lstmBackward(m, forward, kept, given(inputs, 17));
  return [dx, undefined, undefined, dw, undefined, undefined, undefined, db];
};

export const LOWERINGS: Readonly<Record<string, Lowering>> = {
  BlockLSTMV2: blockLstm,
  BlockLSTMGradV2: blockLstmGrad,
};
