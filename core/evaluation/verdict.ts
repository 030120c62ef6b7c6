import type { LabelKind } from '../labels/index.ts';
import type { EvaluatedComparison, Evaluation } from './evaluation.ts';
import { answersClause } from './class-figures.ts';
import { NAIVE_BASELINE } from './references.ts';
import { taskOf } from './task.ts';

/** Better beyond chance, and the served seed better by itself. */
export function provedBetter(comparison: EvaluatedComparison, level: number): boolean {
  return (
    comparison.test !== null &&
    comparison.test.p <= level &&
    comparison.servedMeanDifference !== null &&
    comparison.servedMeanDifference > 0
  );
}

export interface VerdictFacts {
  readonly comparisons: readonly EvaluatedComparison[];
  readonly beatsNaive: boolean;
  readonly beatsTrainingMean: boolean;
  readonly tries: Evaluation['tries'];
  readonly power: Evaluation['power'];
  readonly champion: { readonly version: number } | null;
  readonly label: Pick<LabelKind, 'task'>;
  /** A version judged again, on rows of the caller's choice: what is lower is said, and nothing is proved. */
  readonly again?: boolean;
  readonly classFigures?: Evaluation['classFigures'];
}

/** The evaluation in one sentence: against the champion where there is one, and against the naive baseline always. */
export function verdictOf(facts: VerdictFacts): string {
  const naive = facts.comparisons.find((c) => c.against === taskOf(facts.label).gate)!;
  if (naive.challengerLoss === null) {
    return 'Unusable: the loss on the test part is not a finite number.';
  }
  const clauses = [againstReference(naive, facts)];
  if (facts.champion !== null) clauses.unshift(againstChampion(facts.champion.version, facts));
  const answers = facts.classFigures && answersClause(facts.classFigures);
  if (answers !== undefined) clauses.push(answers);
  const text = clauses.join('; ');
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}

/**
 * A verdict without its figures, for a row of a table: "Not proved better than champion v1; no better than the naive
 * baseline". Clauses that have no figures stay whole.
 */
export function shortVerdict(verdict: string): string {
  const clauses = verdict.replace(/\.$/, '').split('; ');
  // Figures begin behind a colon or in a bracket, and end with one.
  return clauses.map((clause) => clause.replace(/(: | \().*\)/, '')).join('; ');
}

function againstChampion(version: number, { comparisons, tries, again }: VerdictFacts): string {
  const comparison = comparisons.find((c) => c.against === 'champion');
  if (!comparison)
    return `no test rows in common with champion v${version}, so not compared with it`;
  if (comparison.status === 'insufficientEvidence') {
    return `insufficient evidence against champion v${version} (${independentText(comparison)})`;
  }
  if (comparison.test === null)
    return `not comparable with champion v${version}: a loss is not finite`;
  if (again) {
    return `loss ${sideOf(comparison)} that of champion v${version}: weighted loss ${testedText(comparison, { p: pText(comparison.test.p) })}`;
  }
  const p = `${pText(comparison.test.p)}, try ${tries.k}`;
  const figures = `weighted loss ${testedText(comparison, { p })}`;
  return provedBetter(comparison, tries.level)
    ? `proved better than champion v${version}: ${figures}`
    : `not proved better than champion v${version}: ${figures}`;
}

function againstReference(naive: EvaluatedComparison, facts: VerdictFacts): string {
  const than = ` than ${taskOf(facts.label).gateSays}`;
  const interval = intervalText(naive);
  const figures = `weighted loss ${changeText(naive.servedRelativeDifference.value)}${than}`;
  const tested = (p: string): string => `weighted loss ${testedText(naive, { than, interval, p })}`;
  if (facts.again) {
    const said =
      naive.test === null
        ? `${figures} (${interval}, ${independentText(naive)})`
        : tested(pText(naive.test.p));
    return `loss ${sideOf(naive)} that of ${NAIVE_BASELINE}: ${said}`;
  }
  if (facts.beatsNaive) {
    const proved = `better than ${NAIVE_BASELINE}: ${tested(pText(naive.test!.p))}`;
    if (facts.label.task === 'classification') return proved;
    const mean = facts.beatsTrainingMean
      ? 'and better than the training mean'
      : 'but not proved better than the training mean';
    return `${proved}, ${mean}`;
  }
  if ((naive.servedMeanDifference ?? -1) <= 0) {
    return `no better than ${NAIVE_BASELINE}: ${figures} (${interval})`;
  }
  if ((naive.meanDifference ?? -1) <= 0) {
    return `no better than ${NAIVE_BASELINE}: ${figures} as served (${interval}), not lower over all seeds`;
  }
  if (naive.test === null)
    return `not proved better than ${NAIVE_BASELINE}: ${independentText(naive)}`;
  return `not proved better than ${NAIVE_BASELINE}: ${tested(pText(naive.test.p))}`;
}

/** Where the loss lies, without a claim. */
function sideOf({ servedMeanDifference: saved }: EvaluatedComparison): string {
  if (saved === null || saved === 0) return 'not other than';
  return saved > 0 ? 'lower than' : 'higher than';
}

/**
 * What is served, with its interval, and what was tested, which is all seeds, with its p: each difference stands beside its
 * own figures. They are one where there is one seed. Ends with a bracket.
 */
function testedText(
  { servedRelativeDifference, relativeDifference, seeds }: EvaluatedComparison,
  { than = '', interval, p }: { than?: string; interval?: string; p: string },
): string {
  const served = `${changeText(servedRelativeDifference.value)}${than}`;
  if (seeds === 1) return `${served} (${interval === undefined ? '' : `${interval}, `}${p})`;
  const around = interval === undefined ? '' : ` (${interval})`;
  return `${served} as served${around}, ${changeText(relativeDifference)} over ${seeds} seeds (${p})`;
}

/** A loss relative to the other's, from the share that it saves. */
function changeText(share: number | null): string {
  if (share === null) return 'of unknown size';
  const size = 100 * Math.abs(share);
  return `${size.toFixed(size < 0.1 ? 2 : 1)} % ${share > 0 ? 'lower' : 'higher'}`;
}

function intervalText({ servedRelativeDifference: { low, high } }: EvaluatedComparison): string {
  if (low === null || high === null) return 'no interval';
  const signed = (share: number): string => `${share > 0 ? '+' : ''}${(100 * share).toFixed(1)}`;
  return `skill 95 % interval ${signed(low)} to ${signed(high)} %`;
}

function independentText({ rows, independent, horizon }: EvaluatedComparison): string {
  return `${rows} rows are ${independent.toFixed(1)} independent horizons of ${horizon} bars, 20 are needed`;
}

const pText = (p: number): string => (p < 0.001 ? 'p < 0.001' : `p = ${p.toFixed(3)}`);
