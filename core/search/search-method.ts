import type { Point } from './point.ts';
import type { Space } from './space.ts';

/** What a trial came to. */
export interface Outcome {
  readonly point: Point;
  /** Rungs that it finished; more is further. 0: it failed before the first. */
  readonly rungs: number;
  /** Validation loss after the last of them; Infinity: it failed. */
  readonly loss: number;
}

export interface SuggestInput {
  readonly space: Space;
  readonly seed: number;
  /** Of the trial that a point is wanted for, from 0. */
  readonly index: number;
  /** Trials planned. */
  readonly trials: number;
  /** Points of the trials before, one each, in their order. */
  readonly earlier: readonly Point[];
  /** What the first of them came to: trials 0 to index - window, in their order. */
  readonly known: readonly Outcome[];
}

/**
 * A way to choose points. Pure: the same input gives the same point, so that neither the order in which trials end nor a
 * crash changes what is searched.
 */
export interface SearchMethod {
  readonly name: string;
  readonly docs: string;
  /** Most points that it can give with so many trials planned; absent: as many as there are. */
  readonly pointsOf?: (space: Space, trials: number) => number;
  /** The point of trial `index`; undefined: there is none left. */
  suggest(input: SuggestInput): Point | undefined;
}

export const defineSearch = (method: SearchMethod): SearchMethod => Object.freeze(method);
