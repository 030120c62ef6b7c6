/** What a figure is compared with: ours and its peers run by turns, and the medians of their rounds stand side by side. */

import type { PeerEnvironment } from './peer.ts';

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
  readonly unit: 'ms' | 'us' | 'requests/s' | 'windows/s' | 'trials/s' | 's' | 'MB' | 'x';
  readonly better: 'lower' | 'higher';
  /** Of ours / peer: at most this where lower is better, at least this where higher is. */
  readonly target: number;
  /** It can run on a GPU as well, as `--device gpu` asks. */
  readonly gpu?: true;
  /** It starts processes of dist/, so the project must be built. */
  readonly needsBuild?: true;
  /** Its rounds leave nothing warm: the round that is not counted is left out. */
  readonly warmUp?: false;
  open(workload: Workload): Promise<Opened>;
}

export type Device = 'cpu' | 'gpu';

export interface Opened {
  readonly ours: Side;
  readonly peers: readonly Side[];
  /** After all rounds: what else was promised and did not hold, each in words; any makes the measure fail. */
  broken?(): readonly string[];
  /** After all rounds: further figures, shown beside. */
  also?(): Readonly<Record<string, number>>;
}

/** A folder for the data that both sides read, what they compute on, and how peers are started. */
export interface Workload {
  readonly folder: string;
  readonly device: Device;
  peer(script: string, args: readonly string[], environment?: PeerEnvironment): Promise<Side>;
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
  /** Promises beside the ratio that did not hold. */
  readonly broken: readonly string[];
  readonly also: Readonly<Record<string, number>>;
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
  const opened = await measure.open(workload);
  const { ours, peers } = opened;
  const sides = [ours, ...peers];
  const figures = new Map<Side, number[]>(sides.map((side) => [side, []]));
  try {
    for (let round = measure.warmUp === false ? 0 : -1; round < rounds; round++) {
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
  const result = resultOf(measure, rounds, spreadOf(figures.get(ours)!), spreads[0]!);
  const broken = opened.broken?.() ?? [];
  const pass = result.pass && broken.length === 0;
  return { ...result, pass, broken, also: opened.also?.() ?? {} };
}

function resultOf(
  { name, unit, better, target }: Measure,
  rounds: number,
  oursSpread: Spread,
  { side, spread }: { readonly side: Side; readonly spread: Spread },
): Omit<Comparison, 'broken' | 'also'> {
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

/** A figure that was promised, in the place of a peer. */
export const fixedPeer = (name: string, figure: number): Side => ({
  name,
  round: async () => figure,
  close: async () => undefined,
});
