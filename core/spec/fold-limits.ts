/** What a walk forward may ask for: names and numbers of its models. */
import type { FoldEvery } from './backtest-folds.ts';
import type { BacktestSpec } from './backtest-spec.ts';
import { instrumentSlug } from './fit-units.ts';
import { NAME_MAX } from './names.ts';
import type { SpecIssue } from './spec-error.ts';

/** Fifty years of months: each fold is an experiment, and some 25 events in the history of one workflow. */
export const FOLDS_MAX = 600;

const MONTHS: Readonly<Record<FoldEvery, number>> = { month: 1, quarter: 3, year: 12 };

/** Without an end in the spec only the plan knows how many folds there are: it checks as well. */
export const tooManyFolds = (folds: number): string =>
  `has ${folds} folds; at most ${FOLDS_MAX}: train less often, or through less`;

/** @param template Of its models' names. */
export function foldLimitIssues(
  { name, data, period }: BacktestSpec,
  every: FoldEvery,
  template: string,
): readonly SpecIssue[] {
  const issues: SpecIssue[] = [];
  const placeholder = '{instrument}';
  const parts = template.includes(placeholder)
    ? [placeholder, ...data.instruments.map(({ id }) => instrumentSlug(id))]
    : [''];
  const rest = template.length - name.length - parts[0]!.length;
  const longest = NAME_MAX - rest - Math.max(...parts.map(({ length }) => length));
  if (name.length > longest) {
    const message = `has ${name.length} characters; at most ${longest}, as its models are called "${template}"`;
    issues.push({ path: 'name', message });
  }
  if (period.to !== undefined) {
    const [from, to] = [new Date(period.from), new Date(period.to)];
    const months = (date: Date): number => 12 * date.getUTCFullYear() + date.getUTCMonth();
    const of = (date: Date): number => Math.floor(months(date) / MONTHS[every]);
    const folds = of(to) - of(from) + 1;
    if (folds > FOLDS_MAX) issues.push({ path: 'period', message: tooManyFolds(folds) });
  }
  return issues;
}
