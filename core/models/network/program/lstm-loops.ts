import type { Ref } from './graph-def.ts';
import { Loop, type Maths } from './maths.ts';

/**
 * An LSTM layer as two loops over time with all that is not recurrent in large matrix products around them. TensorFlow's
 * BlockLSTM has no form that XLA can compile, and keeps the gates; these loops keep what the gradient needs of them:
 *
 *   d_i = dc (g i (1 - i)), d_f = dc (c' f (1 - f)), d_g = dc (i (1 - g^2)), d_o = dh (tanh(c) o (1 - o)),
 *   dc = dc_next f_next + dh o (1 - tanh(c)^2)
 *
 * where c' is the cell of the step before: `slopes` [T, B, 4U] has the four brackets, `cellSlope` [T, B, U] is
 * o (1 - tanh(c)^2), `forget` [T, B, U] is f. Gates i, f, g, o in the order of the kernel's columns.
 */
export interface LoopOutputs {
  readonly slopes: Ref;
  readonly cellSlope: Ref;
  readonly forget: Ref;
  readonly h: Ref;
}

interface Sizes {
  readonly steps: number;
  readonly batch: number;
  readonly inputs: number;
  readonly units: number;
}

const sizesOf = (x: Ref, b: Ref): Sizes => ({
  steps: x.shape[0]!,
  batch: x.shape[1]!,
  inputs: x.shape[2]!,
  units: b.shape[0]! / 4,
});

/** x [T, B, I], w [I + U, 4U], b [4U]; a start from zero. */
export function lstmForward(m: Maths, x: Ref, w: Ref, b: Ref): LoopOutputs {
  const { steps, batch, inputs, units } = sizesOf(x, b);
  const rows = m.reshape(x, [steps * batch, inputs]);
  const kernel = m.slice(w, [0, 0], [inputs, 4 * units]);
  const recurrent = m.slice(w, [inputs, 0], [units, 4 * units]);
  const projected = m.reshape(m.add(m.matMul(rows, kernel), b), [steps, batch, 4 * units]);
  const zero = m.zeros([batch, units]);
  const wide = m.zeros([steps, batch, 4 * units]);
  const narrow = m.zeros([steps, batch, units]);
  const loop = new Loop(m, steps, [zero, zero, projected, recurrent, wide, narrow, narrow, narrow]);
  const done = loop.run((step, t, [h, c, z, r, slopes, cellSlope, forget, hs]) => {
    const gates = step.add(step.at(z!, t), step.matMul(h!, r!));
    const gate = (k: number): Ref => step.slice(gates, [0, k * units], [batch, units]);
    const [i, f] = [step.sigmoid(gate(0)), step.sigmoid(gate(1))];
    const [g, o] = [step.tanh(gate(2)), step.sigmoid(gate(3))];
    const cell = step.add(step.mul(f, c!), step.mul(i, g));
    const bent = step.tanh(cell);
    const hidden = step.mul(o, bent);
    const all = step.concat(
      [
        step.mul(g, step.slopeOfSigmoid(i)),
        step.mul(c!, step.slopeOfSigmoid(f)),
        step.mul(i, step.slopeOfTanh(g)),
        step.mul(bent, step.slopeOfSigmoid(o)),
      ],
      1,
    );
    return [
      ...[hidden, cell, z!, r!],
      step.put(slopes!, t, all),
      step.put(cellSlope!, t, step.mul(o, step.slopeOfTanh(bent))),
      step.put(forget!, t, f),
      step.put(hs!, t, hidden),
    ];
  });
  return { slopes: done[4]!, cellSlope: done[5]!, forget: done[6]!, h: done[7]! };
}

/** Gradients of `lstmForward` for dh [T, B, U]; what nobody asks of them is not computed. */
export function lstmBackward(
  m: Maths,
  { x, w, b }: { readonly x: Ref; readonly w: Ref; readonly b: Ref },
  { slopes, cellSlope, forget, h }: LoopOutputs,
  dh: Ref,
): { readonly dx: Ref; readonly dw: Ref; readonly db: Ref } {
  const { steps, batch, inputs, units } = sizesOf(x, b);
  const kernel = m.slice(w, [0, 0], [inputs, 4 * units]);
  const recurrent = m.transpose(m.slice(w, [inputs, 0], [units, 4 * units]));
  const zero = m.zeros([batch, units]);
  const start = [zero, zero, m.zeros([steps, batch, 4 * units])];
  const loop = new Loop(m, steps, [...start, slopes, cellSlope, forget, dh, recurrent]);
  const done = loop.run((step, k, [dhNext, dcNext, ds, slope, bend, keep, dhs, r]) => {
    const t = step.sub(step.int(steps - 1), k);
    const dhAll = step.add(dhNext!, step.at(dhs!, t));
    const dc = step.add(dcNext!, step.mul(dhAll, step.at(bend!, t)));
    const d = step.mul(step.concat([dc, dc, dc, dhAll], 1), step.at(slope!, t));
    const dcBefore = step.mul(dc, step.at(keep!, t));
    return [step.matMul(d, r!), dcBefore, step.put(ds!, t, d), slope!, bend!, keep!, dhs!, r!];
  });
  const rows = steps * batch;
  const d = m.reshape(done[2]!, [rows, 4 * units]);
  const before = m.slice(h, [0, 0, 0], [steps - 1, batch, units]);
  const hidden = m.reshape(m.concat([m.zeros([1, batch, units]), before], 0), [rows, units]);
  const seen = m.reshape(x, [rows, inputs]);
  const byRows = { transposeA: true };
  return {
    dx: m.reshape(m.matMul(d, kernel, { transposeB: true }), [steps, batch, inputs]),
    dw: m.concat([m.matMul(seen, d, byRows), m.matMul(hidden, d, byRows)], 0),
    db: m.sum(d, 0),
  };
}
