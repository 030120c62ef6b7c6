/**
 * What a trial is judged by: its own settled rows, and guards that need no outcomes. Rows are decision times at which
 * champion and challenger both forecast and both are settled; the sequential tests look at every new block and keep
 * their stated rate of false promotions however often they look (STATISTICS section 4).
 */
import { confidenceSequence, blockRows, type SequentialVerdict } from '../metrics/sequential.ts';
import { valueTest } from '../metrics/e-value.ts';

/** What one arm did with the requests it got; `errors` are those it could not answer. */
export interface ArmFacts {
  readonly requests: number;
  readonly errors: number;
  readonly abstained: number;
  /** 95th percentile over answers, ms; null without an answer. */
  readonly p95Ms: number | null;
}

export interface TrialGuards {
  /** Share of requests that the challenger may fail on. */
  readonly maxErrorShare: number;
  /** Share of answers that may abstain, beyond the champion's share. */
  readonly maxAbstainShare: number;
  /** The challenger's 95th percentile of latency as a multiple of the champion's. */
  readonly maxLatencyRatio: number;
}

export const DEFAULT_GUARDS: TrialGuards = {
  maxErrorShare: 0.02,
  maxAbstainShare: 0.5,
  maxLatencyRatio: 3,
};

export interface TrialEvidence {
  readonly kind: 'shadow' | 'canary';
  /** prove: only these rows can promote; guard: proved offline, these rows can only stop it. */
  readonly mode: 'prove' | 'guard';
  readonly version: number;
  readonly championVersion: number;
  /** Losses by decision time, in order of time, paired row by row. */
  readonly losses: { readonly champion: Float64Array; readonly challenger: Float64Array };
  /** Longest horizon in bars. */
  readonly horizon: number;
  readonly arms: { readonly champion: ArmFacts; readonly challenger: ArmFacts };
  readonly guards: TrialGuards;
  /** Sessions of market time: since the trial began, and at most. */
  readonly elapsed: number;
  readonly maxDays: number;
  readonly barsPerSession: number;
  /** Least n / h before a promotion. */
  readonly minIndependent: number;
  readonly guarantee: 'asymptotic' | 'strict';
  /** Clip of the strict test, from rows that are not of this trial; null where there is none: nothing is proved then. */
  readonly clipScale: number | null;
  /** Level of this try. */
  readonly alpha: number;
  /** The canary's shares in order, and sessions that each lasts; empty outside a canary. */
  readonly steps: readonly number[];
  readonly stepDays: number;
}

/** What a trial says of itself while it runs and when it ends. */
export interface TrialProgress {
  readonly rows: number;
  /** Rows / horizon. */
  readonly independent: number;
  readonly blocks: number;
  readonly blockRows: number;
  readonly test: 'confidence-sequence' | 'e-value';
  readonly status: SequentialVerdict['status'];
  /** Mean of the champion's loss - the challenger's loss; null without rows. */
  readonly meanDifference: number | null;
  /** Share of the champion's loss that the challenger saves so far; null without rows. */
  readonly relativeDifference: number | null;
  /** Bounds of the confidence sequence; null where there are none. */
  readonly lower: number | null;
  readonly upper: number | null;
  /** Of the strict test: it promotes at 1 / alpha. */
  readonly wealth: number | null;
  readonly alpha: number;
  readonly elapsed: number;
  readonly maxDays: number;
  readonly arms: TrialEvidence['arms'];
}

export interface TrialDecision {
  readonly verdict: 'continue' | 'accept' | 'reject' | 'undecided' | 'abort';
  /** Plain words, at least one; clauses without a final full stop. */
  readonly reasons: readonly string[];
  /** Share of the traffic the challenger gets from now on; 0 outside a canary. */
  readonly share: number;
  readonly progress: TrialProgress;
}

/** Requests of an arm before its shares and latencies say anything. */
const MIN_REQUESTS = 50;

export interface Tested {
  readonly verdict: SequentialVerdict;
  readonly progress: TrialProgress;
}

/** The sequential test of the evidence; `margin` moves each difference in the challenger's favour by that share of the champion's loss. */
export function testRows(evidence: TrialEvidence, margin = 0): Tested {
  const { champion, challenger } = evidence.losses;
  const differences = champion.map((loss, i) => loss - challenger[i]! + margin * loss);
  const { horizon, alpha, clipScale } = evidence;
  const plan = { horizon, alpha };
  const plannedRows = Math.max(1, evidence.maxDays * evidence.barsPerSession);
  const strict = evidence.guarantee === 'strict';
  const sequence = confidenceSequence(differences, { ...plan, plannedRows });
  const value =
    strict && clipScale !== null ? valueTest(differences, { ...plan, scale: clipScale }) : null;
  const verdict = value ?? (strict ? withoutProof(sequence) : sequence);
  const meanChampion = meanOf(champion);
  const mean = meanChampion === null ? null : meanChampion - (meanOf(challenger) ?? Number.NaN);
  return {
    verdict,
    progress: {
      rows: champion.length,
      independent: champion.length / horizon,
      blocks: verdict.blocks,
      blockRows: value ? horizon : blockRows(horizon),
      test: value ? 'e-value' : 'confidence-sequence',
      status: verdict.status,
      meanDifference: finite(mean),
      relativeDifference: finite(
        mean !== null && meanChampion !== null ? mean / meanChampion : null,
      ),
      lower: finite(sequence.lower),
      upper: finite(sequence.upper),
      wealth: value ? finite(value.wealth) : null,
      alpha,
      elapsed: evidence.elapsed,
      maxDays: evidence.maxDays,
      arms: evidence.arms,
    },
  };
}

/** Without a clip there is no strict test: the asymptotic one may stop a harmful challenger, and promotes none. */
const withoutProof = (sequence: SequentialVerdict): SequentialVerdict =>
  sequence.decision === 'better' ? { ...sequence, decision: 'open' } : sequence;

/** Why the challenger must not go on, by what needs no outcome; undefined: nothing is wrong. */
export function brokenGuard({ arms, guards, kind }: TrialEvidence): string | undefined {
  const { champion, challenger } = arms;
  if (challenger.requests < MIN_REQUESTS) return undefined;
  const errors = challenger.errors / challenger.requests;
  if (errors > guards.maxErrorShare) {
    return `it could not answer ${percent(errors)} of ${challenger.requests} requests (at most ${percent(guards.maxErrorShare)})`;
  }
  const abstained = shareOf(challenger) - shareOf(champion);
  if (abstained > guards.maxAbstainShare) {
    return `it abstained on ${percent(abstained)} more of its answers than the champion (at most ${percent(guards.maxAbstainShare)})`;
  }
  // In shadow it computes off the hot path, at low priority: its time there says nothing.
  if (kind !== 'canary' || champion.requests < MIN_REQUESTS) return undefined;
  if (champion.p95Ms === null || challenger.p95Ms === null) return undefined;
  const ratio = challenger.p95Ms / champion.p95Ms;
  if (ratio <= guards.maxLatencyRatio) return undefined;
  return `its latency (95th percentile) is ${ratio.toFixed(1)} times the champion's (at most ${guards.maxLatencyRatio})`;
}

const shareOf = ({ abstained, requests, errors }: ArmFacts): number =>
  requests - errors > 0 ? abstained / (requests - errors) : 0;

/** Share of the traffic by the time that has passed: each step lasts `stepDays` sessions. */
export function stepShare({ kind, steps, stepDays, elapsed }: TrialEvidence): number {
  if (kind !== 'canary' || steps.length === 0) return 0;
  const step = Math.min(steps.length - 1, Math.floor(elapsed / stepDays));
  return steps[step]!;
}

/** Words of a test's state: "mean loss 1.20 % lower over 400 settled rows (57.1 independent)". */
export function stateOf({ relativeDifference, rows, independent }: TrialProgress): string {
  const on = `over ${rows} settled rows (${independent.toFixed(1)} independent)`;
  if (relativeDifference === null) return `nothing settled yet`;
  const direction = relativeDifference > 0 ? 'lower' : 'higher';
  return `mean loss ${percent(Math.abs(relativeDifference))} ${direction} ${on}`;
}

function meanOf(values: Float64Array): number | null {
  if (values.length === 0) return null;
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

const finite = (value: number | null): number | null =>
  value !== null && Number.isFinite(value) ? value : null;

const percent = (share: number): string => `${Number((100 * share).toPrecision(3))} %`;
