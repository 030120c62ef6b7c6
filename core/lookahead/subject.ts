import type { ColumnsOf } from './columns.ts';

/** What a column declares of itself. */
export interface DeclaredColumn {
  readonly name: string;
  /** Bars that it may look ahead by: 0, or a label's horizon. */
  readonly aheadBars: number;
  /** Leading bars without a value. */
  readonly warmupBars: number;
  /** Bars before a row that move its value. */
  readonly memoryBars: number;
  /** It begins at anchors (core/indicators): its memory is counted from one. */
  readonly anchored: boolean;
}

/** Something that makes columns of bars, and what it declares of them. */
export interface Subject {
  readonly name: string;
  /** In words: `feature set`, `label`, `strategy`. */
  readonly kind: string;
  readonly columns: readonly DeclaredColumn[];
  readonly of: ColumnsOf;
  /** The same without anchors: every recursion begins where the bars do. Absent: it cannot be asked for. */
  readonly withoutAnchors?: ColumnsOf;
}

/** Bars that a check needs at least: to warm up, to forget what is older than the memory, and some to compare. */
export const barsNeededFor = ({ columns }: Pick<Subject, 'columns'>): number =>
  2 + Math.max(0, ...columns.map((c) => c.warmupBars + c.memoryBars + c.aheadBars));
