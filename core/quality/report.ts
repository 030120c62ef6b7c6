/** One thing a rule found, with the rows it found it in. */
export interface QualityFinding {
  readonly rule: string;
  /** `block` stops the experiment, `warn` only with `quality.strict`. */
  readonly severity: 'block' | 'warn';
  /** What was found and what to do about it, in one sentence. */
  readonly message: string;
  /** How many rows are concerned. */
  readonly count: number;
  /** The first rows concerned as ISO dates, at most MAX_FINDING_ROWS. */
  readonly rows: readonly string[];
}

export const MAX_FINDING_ROWS = 20;

export interface QualityReport {
  readonly instrument: string;
  readonly rows: number;
  readonly firstBar: string;
  readonly lastBar: string;
  /** 0..1, higher is better; the formula stands in docs/quality.md. */
  readonly score: number;
  readonly minScore: number;
  readonly strict: boolean;
  readonly passed: boolean;
  readonly findings: readonly QualityFinding[];
}
