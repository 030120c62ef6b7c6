import type { Decided, Part } from './strategy.ts';

/** What a strategy decided by itself. */
export const alone = (kind: string, positions: Float64Array): Decided => ({
  positions,
  parts: [{ name: kind, fallback: false }],
  decidedBy: new Uint8Array(positions.length),
});

/** A strategy inside another, and what it decided. */
export interface InSlot {
  readonly slot: string;
  readonly of: Decided;
  /** It stands in for a model: so does every part of it. */
  readonly fallback?: boolean;
}

/**
 * Decides bar by bar who decides: `pick` gives the number of one of `inSlots`, or a position of the strategy's own, which
 * the part numbered `own` decides.
 */
export function combine(
  kind: string,
  own: readonly Part[],
  inSlots: readonly InSlot[],
  rows: number,
  pick: (
    t: number,
  ) => { readonly slot: number } | { readonly own: number; readonly position: number },
): Decided {
  const parts = [...own];
  const offsets = inSlots.map(({ slot, of, fallback }) => {
    const offset = parts.length;
    for (const part of of.parts) {
      parts.push({
        name: `${kind}.${slot}:${part.name}`,
        fallback: part.fallback || fallback === true,
      });
    }
    return offset;
  });
  const positions = new Float64Array(rows);
  const decidedBy = new Uint8Array(rows);
  for (let t = 0; t < rows; t++) {
    const picked = pick(t);
    if ('own' in picked) {
      positions[t] = picked.position;
      decidedBy[t] = picked.own;
    } else {
      const { of } = inSlots[picked.slot]!;
      positions[t] = of.positions[t]!;
      decidedBy[t] = offsets[picked.slot]! + of.decidedBy[t]!;
    }
  }
  return { positions, parts, decidedBy };
}

/** By bar: was it a stand-in for a model that decided? */
export const byFallback = ({ parts, decidedBy }: Decided, t: number): boolean =>
  parts[decidedBy[t]!]!.fallback;
