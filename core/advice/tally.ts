import type { SizedBy, Sizer, SizeQuestion, SizeReason } from './sizer.ts';

/** How sizes of a stretch of time came about. */
export interface SizeTally {
  /** Sizes that were asked for. */
  readonly decisions: number;
  readonly byReason: Readonly<Partial<Record<SizeReason, number>>>;
}

/** Passes questions on, and counts what is said of bars that open in [from, to] (ms UTC). */
export class TallySizer implements Sizer {
  readonly #inner: Sizer;
  readonly #from: number;
  readonly #to: number;
  readonly #counts = new Map<SizeReason, number>();
  #decisions = 0;

  constructor(inner: Sizer, { from, to }: { readonly from: number; readonly to: number }) {
    this.#inner = inner;
    this.#from = from;
    this.#to = to;
  }

  decide(question: SizeQuestion): SizedBy {
    const said = this.#inner.decide(question);
    if (question.openTime < this.#from || question.openTime > this.#to) return said;
    this.#decisions++;
    this.#counts.set(said.reason, (this.#counts.get(said.reason) ?? 0) + 1);
    return said;
  }

  get tally(): SizeTally {
    return {
      decisions: this.#decisions,
      byReason: Object.fromEntries(this.#counts),
    };
  }
}
