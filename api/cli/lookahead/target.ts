import {
  featureSetOf,
  featureSetNames,
  featureSets,
  type Levels,
} from '../../../core/features/index.ts';
import { labelKinds, labelSchema } from '../../../core/labels/index.ts';
import { nearestName } from '../../../core/spec/index.ts';
import { parseStrategy } from '../../../core/spec/parse-strategy.ts';
import { strategies, type Strategy } from '../../../core/strategies/index.ts';
import type { Timeframe } from '../../../core/bars/bars.ts';
import { CliError, EXIT } from '../output.ts';
import { featurePlan, labelPlan, strategyPlan, type Plan } from './plan.ts';
import { plansOfFile } from './target-file.ts';

/** Every feature set, label and strategy of the catalogues. */
export const ALL = 'all';
const FILE_LIKE = /[/\\]|\.(ya?ml|json)$/i;

export interface TargetOptions {
  readonly levels?: Levels;
  /** Of labels, in bars. */
  readonly horizons?: readonly number[];
}

/** What is to be checked, and the timeframe that it is made for, where a file says it. */
export interface Target {
  readonly plans: readonly Plan[];
  readonly timeframe?: Timeframe;
}

/**
 * The plans that a name or a file stands for: a feature set, a label kind, a strategy kind, `all`, or a file with an
 * experiment, a backtest or a strategy. Throws `CliError` where it is none of these.
 */
export async function targetOf(name: string, options: TargetOptions): Promise<Target> {
  if (FILE_LIKE.test(name)) return plansOfFile(name);
  if (name === ALL) return { plans: allPlans(options) };
  const { levels, horizons } = options;
  const set = featureSetNames.includes(name)
    ? featureSetOf({ set: name, ...(levels && { levels }) })
    : featureSets.get(name);
  if (set) return { plans: [featurePlan(set)] };
  if (labelKinds.some((kind) => kind.name === name)) return { plans: [labelOf(name, horizons)] };
  const strategy = strategies.find((each) => each.name === name);
  if (strategy) return { plans: [strategyOf(strategy)] };
  const known = [...knownNames(), ALL];
  const nearest = nearestName(name, known);
  throw new CliError(EXIT.usage, `no feature set, label or strategy is named "${name}"`, {
    hint: nearest ? `did you mean ${nearest}?` : `there are ${known.join(', ')}, or a file`,
  });
}

export const knownNames = (): readonly string[] => [
  ...featureSetNames,
  ...labelKinds.map((kind) => kind.name),
  ...strategies.map((strategy) => strategy.name),
];

const allPlans = ({ levels, horizons }: TargetOptions): readonly Plan[] => [
  ...[...featureSets.values()]
    .filter(({ name }) => levels === undefined || name.endsWith(`-${levels}`))
    .map((set) => featurePlan(set)),
  ...labelKinds.map((kind) => labelOf(kind.name, horizons)),
  ...strategies.map(strategyOf),
];

const labelOf = (kind: string, horizons?: readonly number[]): Plan =>
  labelPlan(labelSchema.parse({ kind, ...(horizons && { horizons }) }));

/** By its defaults, or the settings that it gives as an example. */
const strategyOf = ({ name, example }: Strategy): Plan =>
  strategyPlan(name, parseStrategy({ ...example, kind: name }));
