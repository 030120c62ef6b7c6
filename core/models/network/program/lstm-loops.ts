import type { Ref } from './graph-def.ts';
import { Loop, type Maths } from './maths.ts';

/**
 * An LSTM layer as two loops over time with all that is not recurrent in large matrix products
 * around them. TensorFlow's BlockLSTM has no form that XLA can compile, and keeps the gates; these
 * loops keep what the gradient needs of them:
 *
 *   d_i = dc (g i (1 - i)), d_f = dc (c' f (1 - f)), d_g = dc (i (1 - g^2)), d_o = dh (tanh(c) o (1 - o)),
 *   dc = dc_next f_next + dh o (1 - tanh(c)^2)
 *
 * where c' is the cell of the step before: `slopes` [T, B, 4U] has the four brackets, `cellSlope`
 * [T, B, U] is o (1 - tanh(c)^2), `forget` [T, B, U] is f. Gates i, f, g, o in the order of the
 * kernel's columns.
 *
 * XLA runs up to eight kernels of a body one behind the other, and more through a queue that several
 * threads take from, which costs more than a small kernel does: a body should not be longer.
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

/** One value a gate, repeated for all its units: [4U]. */
const byGate = (m: Maths, units: number, values: readonly [number, number, number, number]): Ref =>
  m.vector(Float32Array.from({ length: 4 * units }, (_, k) => values[Math.floor(k / units)]!));

/**
 * All gates at once: sigmoid(x) = tanh(x / 2) / 2 + 1 / 2, so that one tanh does for the four; and
 * the slopes of their curves, y (1 - y) of a sigmoid y and 1 - y^2 of a tanh y.
 */
function gatesOf(m: Maths, sums: Ref, units: number): { readonly gates: Ref; readonly bends: Ref } {
  const half = byGate(m, units, [0.5, 0.5, 1, 0.5]);
  const curves = m.tanh(m.mul(sums, half));
  const gates = m.add(m.mul(curves, half), byGate(m, units, [0.5, 0.5, 0, 0.5]));
  const rising = m.mul(gates, m.sub(byGate(m, units, [1, 1, 0, 1]), gates));
  return { gates, bends: m.add(rising, byGate(m, units, [0, 0, 1, 0])) };
}

/** x [T, B, I], w [I + U, 4U], b [4U]; a start from zero. */
export function lstmForward(m: Maths, x: Ref, w: Ref, b: Ref): LoopOutputs {
  const { steps, batch, inputs, units } = sizesOf(x, b);
  const rows = m.reshape(x, [steps * batch, inputs]);
  const kernel = m.slice(w, [0, 0], [inputs, 4 * units]);
  const recurrent = m.slice(w, [inputs, 0], [units, 4 * units]);
  const projected = m.reshape(m.matMul(rows, kernel), [steps, batch, 4 * units]);
  const zero = m.zeros([batch, units]);
  const blank = (): Ref => m.blank([steps, batch, units]);
  const start = [zero, zero, projected, blank(), blank(), blank(), recurrent, b];
  const done = new Loop(m, steps, start).run((step, t, carried) => {
    const [h, c, wide, cellSlopes, forgets, hs, r, bias] = carried as LoopValues;
    const sums = step.add(step.add(step.at(wide, t), step.matMul(h, r)), bias);
    const { gates, bends } = gatesOf(step, sums, units);
    const [i, f, g, o] = [0, 1, 2, 3].map((k) =>
      step.slice(gates, [0, k * units], [batch, units]),
    ) as [Ref, Ref, Ref, Ref];
    const cell = step.add(step.mul(f, c), step.mul(i, g));
    const bent = step.tanh(cell);
    const hidden = step.mul(o, bent);
    return [
      ...[hidden, cell],
      // The slopes take the place of the sums, which nobody needs after their step.
      step.put(wide, t, step.mul(bends, step.concat([g, c, i, bent], 1))),
      step.put(cellSlopes, t, step.mul(o, step.slopeOfTanh(bent))),
      step.put(forgets, t, f),
      step.put(hs, t, hidden),
      ...[r, bias],
    ];
  });
  return { slopes: done[2]!, cellSlope: done[3]!, forget: done[4]!, h: done[5]! };
}

type LoopValues = readonly [Ref, Ref, Ref, Ref, Ref, Ref, Ref, Ref];

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
  const start = [zero, zero, slopes, cellSlope, forget, dh, recurrent];
  const done = new Loop(m, steps, start).run((step, k, carried) => {
    const [dhNext, dcNext, wide, cellSlopes, forgets, dhs, r] = carried as LoopValues;
    const t = step.sub(step.int(steps - 1), k);
    const dhAll = step.add(dhNext, step.at(dhs, t));
    // There is none behind the last, where dcNext is 0: XLA takes the last row again.
    const forgetNext = step.at(forgets, step.add(t, step.int(1)));
    const dc = step.add(step.mul(dhAll, step.at(cellSlopes, t)), step.mul(dcNext, forgetNext));
    const d = step.mul(step.concat([dc, dc, dc, dhAll], 1), step.at(wide, t));
    // The gradients of the sums take the place of the slopes.
    return [step.matMul(d, r), dc, step.put(wide, t, d), cellSlopes, forgets, dhs, r];
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
