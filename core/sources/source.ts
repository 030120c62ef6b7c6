import type { z } from 'zod';
import type { FactorRow } from '../bars/adjust.ts';
import type { Bars, Timeframe } from '../bars/bars.ts';

export type { FactorRow };

/** Rows of a query, every cell as text (times as ISO in UTC). */
export interface SqlRows {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** What a source may touch: nothing else reaches the network or the file system. */
export interface SourceContext {
  /** HTTP client bound to the hosts the operator allowed for this dataset. */
  readonly http: (url: URL, init?: RequestInit) => Promise<Response>;
  /** Whole content of a file below the dataset's root; gzip is already undone. */
  readonly openFile: (name: string) => Promise<Uint8Array>;
  /** Names of the files below the dataset's root. */
  readonly listFiles: () => Promise<readonly string[]>;
  /** Full path of a file or folder below the dataset's root, for what must open it itself. */
  readonly pathOf: (name: string) => Promise<string>;
  /** A read-only query of the dataset's database; cells as text, times as ISO in UTC. */
  readonly query: (text: string, values: readonly (string | number)[]) => Promise<SqlRows>;
  /** The key that the operator keeps in `secretFile`; throws where there is none. Never in a message or a note. */
  readonly secret: () => string;
  /** Milliseconds since 1970 UTC. */
  readonly clock: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly signal: AbortSignal;
}

/** What is asked of a source. `from` inclusive, `to` exclusive, ms UTC of bar open times. */
export interface BarRequest {
  readonly instrument: string;
  readonly timeframe: Timeframe;
  readonly from: number;
  readonly to: number;
}

export interface BarPage {
  /** Sorted, unique, raw (unadjusted unless the source says otherwise), UTC. */
  readonly bars: Bars;
  readonly factors?: readonly FactorRow[];
  /** Opaque place to go on from; absent on the last page. */
  readonly cursor?: string;
  /** Oddities met while reading, e.g. rows with nulls, in words. */
  readonly notes?: readonly string[];
}

export interface Source {
  isAvailable(ctx: SourceContext): Promise<boolean>;
  fetch(
    request: BarRequest,
    cursor: string | undefined,
    ctx: SourceContext,
  ): AsyncIterable<BarPage>;
}

/** A source plug-in: a light descriptor; the implementation loads on use. */
export interface SourceDescriptor<P extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly docs: string;
  readonly params: P;
  /** Columns it delivers beside open, high, low, close. */
  readonly columns: readonly string[];
  /** Delay between a bar's close and its publication, used for `knownAt` of backfills. */
  readonly declaredDelayMs: number;
  /**
   * True: raw bars that stay what they are, so that only newer ones are asked for, and each page (the oldest first)
   * is kept as it comes. Absent: each delivery is the whole history, kept at once.
   */
  readonly increments?: boolean;
  /** True: made bars, no market behind them; whoever shows them says so. */
  readonly simulated?: boolean;
  load(): Promise<{ create(params: z.infer<P>): Source }>;
}

export function defineSource<P extends z.ZodType>(
  source: SourceDescriptor<P>,
): SourceDescriptor<P> {
  return Object.freeze(source);
}
