/** What a figure is compared with: ours and its peers run by turns, and the medians of their rounds stand side by side. */

/** One side of a comparison; `round` gives its figure, in the unit of the measure. */
export interface Side {
  readonly name: string;
  round(): Promise<number>;
  close(): Promise<void>;
}

export interface Measure {
  readonly name: string;
  /** One sentence: what is done, on how much data. */
  readonly docs: string;
  readonly unit: 'ms' | 'us' | 'requests/s' | 'windows/s' | 's' | 'MB' | 'x';
  readonly better: 'lower' | 'higher';
  /** Of ours / peer: at most this where lower is better, at least this where higher is. */
  readonly target: number;
  open(workload: Workload): Promise<{ readonly ours: Side; readonly peers: readonly Side[] }>;
}

/** A folder for the data that both sides read, and how peers are started. */
export interface Workload {
  readonly folder: string;
  peer(script: string, args: readonly string[]): Promise<Side>;
}

export interface Spread {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** One line of `--json`. */
export interface Comparison {
  readonly name: string;
  readonly unit: Measure['unit'];
  readonly better: Measure['better'];
  readonly ours: number;
  readonly peer: number;
  readonly peerName: string;
  readonly ratio: number;
  readonly target: number;
  readonly pass: boolean;
  readonly rounds: number;
  readonly oursSpread: Spread;
  readonly peerSpread: Spread;
}

/** Of at least one figure; the median of an even number is the mean of the two in the middle. */
export function spreadOf(figures: readonly number[]): Spread {
  const sorted = [...figures].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half]!;
  const median = sorted.length % 2 === 1 ? upper : (sorted[half - 1]! + upper) / 2;
  return { median, lowest: sorted[0]!, highest: sorted.at(-1)! };
}

/**
 * Runs every side by turns, in an order that turns round from round to round so that none has the warmer machine; one
 * round before them is not counted. Of several peers the best one counts.
 */
export async function compare(
  measure: Measure,
  workload: Workload,
  rounds: number,
): Promise<Comparison> {
  const { ours, peers } = await measure.open(workload);
  const sides = [ours, ...peers];
  const figures = new Map<Side, number[]>(sides.map((side) => [side, []]));
  try {
    for (let round = -1; round < rounds; round++) {
      for (const side of round % 2 === 0 ? sides : [...sides].reverse()) {
        const figure = await side.round();
        if (round >= 0) figures.get(side)!.push(figure);
      }
    }
  } finally {
    for (const side of sides) await side.close();
  }
  const spreads = peers.map((side) => ({ side, spread: spreadOf(figures.get(side)!) }));
  const sign = measure.better === 'lower' ? 1 : -1;
  spreads.sort((a, b) => sign * (a.spread.median - b.spread.median));
  return resultOf(measure, rounds, spreadOf(figures.get(ours)!), spreads[0]!);
}

function resultOf(
  { name, unit, better, target }: Measure,
  rounds: number,
  oursSpread: Spread,
  { side, spread }: { readonly side: Side; readonly spread: Spread },
): Comparison {
  const ratio = oursSpread.median / spread.median;
  return {
    ...{ name, unit, better, ours: oursSpread.median, peer: spread.median, peerName: side.name },
    ...{ ratio, target, pass: better === 'lower' ? ratio <= target : ratio >= target },
    ...{ rounds, oursSpread, peerSpread: spread },
  };
}

/** Our side of work that runs in this process: a round is the median of `repeats` runs, in ms. */
export function timedSide(work: () => unknown, repeats: number): Side {
  return {
    name: 'ratchet',
    async round() {
      const times: number[] = [];
      for (let k = 0; k < repeats; k++) {
        const from = performance.now();
        await work();
        times.push(performance.now() - from);
      }
      return spreadOf(times).median;
    },
    close: async () => undefined,
  };
}
