/** What a model learns about the bar `h` bars after the last bar of its window. */
export interface LabelKind {
  readonly name: string;
  readonly docs: string;
  /** Formula in the terms c[t] and c[t+h]. */
  readonly formula: string;
  /**
   * True where the package's graph multiplies what was learnt by the last close, so that its output
   * is a price: a price level cannot be learnt from features that have no scale.
   */
  readonly multiplyByClose: boolean;
  /** The learnt quantity; both closes > 0. */
  value(close: number, laterClose: number): number;
  /** Price that a learnt quantity stands for. */
  priceFrom(value: number, close: number): number;
  /** Simple return (0.01 = 1 %) that a learnt quantity stands for. */
  returnFrom(value: number): number;
  /** The learnt quantity of "nothing changes": what a naive forecast says. */
  readonly unchanged: number;
}

export function defineLabel(label: LabelKind): LabelKind {
  return Object.freeze(label);
}
