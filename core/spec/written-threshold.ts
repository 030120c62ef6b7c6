import { z } from 'zod';
import { labelKinds } from '../labels/index.ts';
import type { BacktestSpec } from './backtest-spec.ts';
import type { SpecIssue } from './spec-error.ts';

/** Settings of a label that make its threshold by volatility. */
const BY_VOLATILITY = ['k', 'window', 'floor'];

interface Written<T> {
  readonly value: T;
  readonly issues: readonly SpecIssue[];
}

const labelled = z.looseObject({ label: z.looseObject({ kind: z.string() }) });

/**
 * An experiment as somebody writes it, before it is parsed: a `label.threshold` without `by` means `by: fixed`, and a
 * setting that would have no effect is an issue. One that has its default says nothing: a parsed spec names them all. Stored
 * specs keep their meaning and are not asked.
 */
export function writtenThreshold<T extends object>(value: T): Written<T> {
  const given = labelled.safeParse(value).data?.label;
  const params = labelKinds.find(({ name }) => name === given?.kind)?.params;
  if (!given || !params || !('threshold' in params.shape)) return { value, issues: [] };
  const label = 'threshold' in given ? { by: 'fixed', ...given } : given;
  const defaults = params.parse({});
  const said = (name: string): boolean => name in given && given[name] !== defaults[name];
  const issues =
    label['by'] === 'fixed'
      ? BY_VOLATILITY.filter(said).map((name) => ({
          path: `label.${name}`,
          message: 'has no effect where the threshold is fixed',
          suggestion: 'Leave it out, or write `by: volatility` and leave `threshold` out',
        }))
      : ['threshold'].filter(said).map((name) => ({
          path: `label.${name}`,
          message: 'has no effect where the threshold follows the volatility',
          suggestion: 'Write `by: fixed`, or leave it out: `k`, `window` and `floor` count',
        }));
  return { value: { ...value, label }, issues };
}

/** The same of the experiment that a backtest trains. */
export function writtenBacktest(spec: BacktestSpec): Written<BacktestSpec> {
  const { model } = spec;
  if (!model || !('walkForward' in model)) return { value: spec, issues: [] };
  const { value: experiment, issues } = writtenThreshold(model.walkForward.experiment);
  const at = (path: string): string => `model.walkForward.experiment.${path}`;
  return {
    value: { ...spec, model: { walkForward: { ...model.walkForward, experiment } } },
    issues: issues.map((issue) => ({ ...issue, path: at(issue.path) })),
  };
}
