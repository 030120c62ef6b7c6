/** Changes the numbers of one row, which stand in one table. */
export type Step = (values: Float64Array) => void;

/** From the places of two operands, which stretch already, to as many numbers from `to` on. */
type Pairwise = (to: number, a: Int32Array, b: Int32Array) => Step;

// Each a loop of its own: one loop that is told the operation would call it for every number.

/** By the operator's name. */
export const PAIRWISE: Readonly<Record<string, Pairwise>> = {
  Add: (to, a, b) => (values) => {
    for (let i = 0; i < a.length; i++) values[to + i] = values[a[i]!]! + values[b[i]!]!;
  },
  Sub: (to, a, b) => (values) => {
    for (let i = 0; i < a.length; i++) values[to + i] = values[a[i]!]! - values[b[i]!]!;
  },
  Mul: (to, a, b) => (values) => {
    for (let i = 0; i < a.length; i++) values[to + i] = values[a[i]!]! * values[b[i]!]!;
  },
  Div: (to, a, b) => (values) => {
    for (let i = 0; i < a.length; i++) values[to + i] = values[a[i]!]! / values[b[i]!]!;
  },
  Min: (to, a, b) => (values) => {
    for (let i = 0; i < a.length; i++) values[to + i] = Math.min(values[a[i]!]!, values[b[i]!]!);
  },
};

export const floored = (to: number, a: Int32Array): Step => {
  return (values) => {
    for (let i = 0; i < a.length; i++) values[to + i] = Math.floor(values[a[i]!]!);
  };
};

/** 2^-n, down to the least double and 0 behind it. */
const HALVES = new Float64Array(1_500);
HALVES.forEach((_, n) => (HALVES[n] = n === 0 ? 1 : HALVES[n - 1]! / 2));

/** 0.5^n of whole numbers, NaN of what is none or too large: `Math.pow` promises no last bit. */
export const halved = (to: number, a: Int32Array): Step => {
  return (values) => {
    for (let i = 0; i < a.length; i++) values[to + i] = HALVES[values[a[i]!]!] ?? NaN;
  };
};

/** The largest of each `count` numbers in a row; NaN where one is. */
export const largest = (to: number, a: Int32Array, count: number): Step => {
  return (values) => {
    for (let from = 0; from < a.length; from += count) {
      let most = -Infinity;
      for (let i = from; i < from + count; i++) most = Math.max(most, values[a[i]!]!);
      values[to + from / count] = most;
    }
  };
};
