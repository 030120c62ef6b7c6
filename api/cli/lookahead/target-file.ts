import { dirname, resolve } from 'node:path';
import { featureSetOf } from '../../../core/features/index.ts';
import {
  foldExperiment,
  missingRulesOf,
  parseBacktestSpec,
  parseSpec,
  parseStrategy,
  type ExperimentSpec,
} from '../../../core/spec/index.ts';
import type { StrategySpec } from '../../../core/strategies/index.ts';
import { withExperiment } from '../backtest.ts';
import { CliError, EXIT } from '../output.ts';
import { readSpec } from '../spec-file.ts';
import { featurePlan, labelPlan, portfolioPlan, strategyPlan, type Plan } from './plan.ts';
import type { Target } from './target.ts';

type Given = Record<string, unknown>;

/** What a file holds: an experiment (its features and label), a backtest (its strategies and portfolios, and what it trains), or a strategy. */
export async function plansOfFile(file: string): Promise<Target> {
  const given = await readSpec(file);
  if ('strategies' in given) return backtestPlans(given, dirname(resolve(file)));
  if ('kind' in given) {
    const spec = parseStrategy(given);
    return { plans: [strategyPlan(spec.kind, spec)] };
  }
  if ('label' in given || 'features' in given || 'family' in given) {
    const spec = parseSpec(withoutFiles(given));
    return { plans: experimentPlans(spec), timeframe: spec.data.timeframe };
  }
  throw new CliError(EXIT.usage, `${file} holds no experiment, backtest or strategy`, {
    hint: 'an experiment has `features` and `label`, a backtest `strategies`, a strategy `kind`',
  });
}

const experimentPlans = (spec: ExperimentSpec): readonly Plan[] => [
  featurePlan(featureSetOf(spec.features), missingRulesOf(spec)),
  labelPlan(spec.label),
];

async function backtestPlans(given: Given, folder: string): Promise<Target> {
  const spec = parseBacktestSpec(withoutFiles(await withExperiment(given, folder)));
  const { from } = spec.period;
  const trained =
    spec.model && 'walkForward' in spec.model
      ? experimentPlans(foldExperiment(spec, { trainTo: from, asOf: `${from}T00:00:00.000Z` }))
      : [];
  const decided = Object.entries(spec.strategies).map(([name, of]) => strategyPlan(name, of));
  const shared = Object.entries(spec.portfolios ?? {}).map(([name, { of, ...portfolio }]) => {
    const members = of.map((member): [string, StrategySpec] => [member, spec.strategies[member]!]);
    return portfolioPlan(name, portfolio, new Map(members));
  });
  return { plans: [...trained, ...decided, ...shared], timeframe: spec.data.timeframe };
}

/** Files of bars are not read here: a dataset stands in their place, so that the spec is one. */
function withoutFiles(given: Given): Given {
  const data = given['data'] as { sources?: unknown } | undefined;
  if (!Array.isArray(data?.sources)) return given;
  const sources = (data.sources as unknown[]).map((source) => {
    if (typeof source !== 'object' || source === null) return source;
    const { file, ...use } = source as { file?: unknown; dataset?: unknown };
    const isFile = file !== undefined || /[/\\]/.test(String(use.dataset));
    return isFile ? { ...use, dataset: 'file' } : source;
  });
  return { ...given, data: { ...data, sources } };
}
