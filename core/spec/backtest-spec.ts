import { z } from 'zod';
import { backtestRulesSchema, twinNames } from '../backtest/index.ts';
import { isDay } from '../calendar/day.ts';
import { MODEL_TEMPLATE, MODEL_TEMPLATE_RULE } from '../models/registered.ts';
import { adviceOf, needsModel, strategySpecSchema } from '../strategies/index.ts';
import { PORTFOLIO_COLUMNS_MAX, portfolioSchema } from '../strategies/portfolio/index.ts';
import { FOLD_EVERY } from './backtest-folds.ts';
import { datasetIssues } from './check-datasets.ts';
import { foldLimitIssues } from './fold-limits.ts';
import { NAME_MAX, nameSchema } from './names.ts';
import { parseStoredSpec, type SpecCatalogues } from './parse-spec.ts';
import { parseStrategy } from './parse-strategy.ts';
import { SpecError, type SpecIssue } from './spec-error.ts';
import { dataSchema, type ExperimentSpec } from './spec.ts';
import { writtenBacktest } from './written-threshold.ts';
import { issuesOf, suggestionFor } from './zod-issues.ts';

const isoDate = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/, { error: 'a date, YYYY-MM-DD', abort: true })
  .refine(isDay, { error: ({ input }) => `no day ${String(input)}` });

/** Fields of an experiment that the backtest gives itself. */
const GIVEN = ['name', 'model', 'data', 'promotion', 'retrain', 'monitor'] as const;

/** A model that is there. */
export const askedModelSchema = z.strictObject({
  name: z
    .string()
    .regex(MODEL_TEMPLATE, MODEL_TEMPLATE_RULE)
    .describe('A registered model, or one an instrument.'),
  version: z
    .union([z.int().min(1), z.enum(['champion', 'then'])])
    .default('then')
    .describe(
      'then: whichever version served at each time; champion: the one of now, and a number, on all of the past: decisions on bars that it learnt from are marked.',
    ),
});

/** Models that the backtest trains. */
export const walkForwardSchema = z.strictObject({
  walkForward: z
    .strictObject({
      experiment: z
        .record(z.string(), z.unknown())
        .describe(
          'What is trained: a spec of an experiment without name, model, data, promotion, retrain and monitor.',
        ),
      every: z
        .enum(FOLD_EVERY)
        .default('month')
        .describe('A new model from the first session of each.'),
    })
    .describe(
      'Trained anew through the period; each model has seen nothing after its first decision.',
    ),
});

const modelSchema = z.union([askedModelSchema, walkForwardSchema]);

/** The spec of a backtest: what is decided on, by whom, and how decisions become trades. */
export const backtestSpecSchema = z.strictObject({
  name: nameSchema.describe('Name of the backtest.'),
  data: dataSchema
    .omit({ to: true, asOf: true })
    .describe('Bars, as in the spec of an experiment; `from` is where history begins.'),
  period: z
    .strictObject({
      from: isoDate.describe('First session that is decided on.'),
      to: isoDate.optional().describe('The last one; default: the newest there is.'),
    })
    .describe('What is traded through.'),
  model: modelSchema.optional().describe('Who answers where a strategy asks a model.'),
  horizon: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe("Which of the model's horizons strategies decide by; default: its first."),
  strategies: z
    .record(nameSchema, strategySpecSchema)
    .refine((all) => Object.keys(all).length > 0, 'at least one strategy')
    .refine((all) => Object.keys(all).length <= 12, 'at most 12 strategies')
    .describe('By name; the first is what the report is about, the others stand beside it.'),
  portfolios: z
    .record(
      nameSchema,
      portfolioSchema.extend({
        of: z.array(nameSchema).min(1).max(12).describe('Strategies of this backtest, by name.'),
      }),
    )
    .refine((all) => Object.keys(all).length <= 4, 'at most 4 portfolios')
    .optional()
    .describe('By name: strategies that share the money; each stands beside the strategies.'),
  rules: backtestRulesSchema
    .prefault({})
    .describe('When orders fill, what they cost, what may be held.'),
  paths: z.int().min(0).max(10_000).default(1_000).describe('Of the Monte Carlo; 0: none.'),
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .default(1)
    .describe('Of everything that is drawn.'),
});

export type BacktestSpec = z.output<typeof backtestSpecSchema>;
export type BacktestSpecInput = z.input<typeof backtestSpecSchema>;

const MAX_ISSUES = 50;

/**
 * Turns a parsed YAML or JSON value into a backtest spec with every default filled in. Throws SpecError (`spec.invalid`)
 * with all issues, those of the experiment of a walk forward among them.
 */
export function parseBacktestSpec(value: unknown, catalogues: SpecCatalogues = {}): BacktestSpec {
  const parsed = backtestSpecSchema.safeParse(value, { reportInput: true });
  if (!parsed.success) {
    const own = issuesOf(parsed.error, backtestSpecSchema, []);
    const strategies = strategyIssues(value);
    // What is wrong inside a strategy its own schema says better.
    const rest = strategies.length > 0 ? own.filter(({ path }) => !STRATEGY.test(path)) : own;
    throw new SpecError([...rest, ...strategies].slice(0, MAX_ISSUES));
  }
  const { value: spec, issues: withoutEffect } = writtenBacktest(parsed.data);
  const { datasets } = catalogues;
  const unknown = datasets ? datasetIssues(spec.data, datasets) : [];
  const issues = [
    ...unknown,
    ...withoutEffect,
    ...crossChecks(spec),
    ...portfolioIssues(spec),
    ...adviceIssues(spec),
    // The experiment has the same data, and would say the same of it.
    ...experimentIssues(spec, unknown.length > 0 ? {} : catalogues),
  ];
  if (issues.length > 0) throw new SpecError(issues.slice(0, MAX_ISSUES));
  return spec;
}

const STRATEGY = /^strategies[.[]/;

function strategyIssues(value: unknown): SpecIssue[] {
  const named = z.looseObject({ strategies: z.record(z.string(), z.unknown()) }).safeParse(value);
  if (!named.success) return [];
  return Object.entries(named.data.strategies).flatMap(([name, strategy]) => {
    try {
      parseStrategy(strategy, ['strategies', name]);
      return [];
    } catch (error) {
      if (error instanceof SpecError) return error.issues;
      throw error;
    }
  });
}

function crossChecks({ period, model, strategies }: BacktestSpec): SpecIssue[] {
  const issues: SpecIssue[] = [];
  if (period.to !== undefined && period.to < period.from) {
    issues.push({ path: 'period.to', message: 'lies before `period.from`' });
  }
  const asking = Object.entries(strategies).filter(([, strategy]) => needsModel(strategy));
  if (model === undefined && asking.length > 0) {
    const names = asking.map(([name]) => name).join(', ');
    issues.push({
      path: 'model',
      message: `is missing: ${names} ask a model`,
      suggestion:
        'Name a registered one ({ name: ... }), or train through the period ({ walkForward: ... })',
    });
  }
  const advised = Object.values(strategies).some((one) => adviceOf(one)?.by === 'history');
  if (model !== undefined && asking.length === 0 && !advised) {
    issues.push({ path: 'model', message: 'no strategy asks it' });
  }
  return issues;
}

/** Advice of the past was given on a registered model's signals; what stands beside an advised strategy has a name. */
function adviceIssues({ model, strategies, portfolios = {} }: BacktestSpec): SpecIssue[] {
  const taken = [...Object.keys(strategies), ...Object.keys(portfolios)];
  return Object.entries(strategies).flatMap(([name, strategy]) => {
    const use = adviceOf(strategy);
    if (use === undefined) return [];
    const path = `strategies.${name}`;
    const issues: SpecIssue[] = [];
    if (use.by === 'history' && (model === undefined || !('name' in model))) {
      issues.push({
        path: `${path}.by`,
        message: 'history is what was advised on a registered model',
        suggestion: 'Name it: model: { name: ... }',
      });
    }
    for (const twin of Object.values(twinNames(name))) {
      if (!taken.includes(twin)) continue;
      const message = `${twin} is what stands beside it: the name is taken`;
      issues.push({ path, message });
    }
    return issues;
  });
}

function portfolioIssues({ portfolios = {}, strategies, data }: BacktestSpec): SpecIssue[] {
  const known = Object.keys(strategies);
  return Object.entries(portfolios).flatMap(([name, { of }]) => {
    const path = `portfolios.${name}`;
    const unknown = of.flatMap((strategy, i) =>
      known.includes(strategy)
        ? []
        : [
            {
              path: `${path}.of[${i}]`,
              message: `no strategy "${strategy}" in this backtest`,
              suggestion: suggestionFor(strategy, known),
            },
          ],
    );
    const columns = of.length * data.instruments.length;
    const wrong = [
      ...(known.includes(name) ? ['has the name of a strategy'] : []),
      ...(new Set(of).size < of.length ? ['names a strategy twice'] : []),
      ...(columns > PORTFOLIO_COLUMNS_MAX
        ? [`has ${columns} strategies on instruments; at most ${PORTFOLIO_COLUMNS_MAX}`]
        : []),
    ];
    return [...unknown, ...wrong.map((message) => ({ path, message }))];
  });
}

/** The experiment of the first fold, checked as one that a person starts. */
function experimentIssues(spec: BacktestSpec, catalogues: SpecCatalogues): SpecIssue[] {
  if (spec.model === undefined || !('walkForward' in spec.model)) return [];
  const at = 'model.walkForward.experiment';
  const given = GIVEN.filter((field) => field in experimentOf(spec));
  if (given.length > 0) {
    return given.map((field) => ({
      path: `${at}.${field}`,
      message: 'is given by the backtest itself: leave it out',
    }));
  }
  const limits = foldLimitIssues(spec, spec.model.walkForward.every, modelsOf(spec));
  if (limits.length > 0) return [...limits];
  try {
    foldExperiment(
      spec,
      { trainTo: spec.period.from, asOf: `${spec.period.from}T00:00:00.000Z` },
      catalogues,
    );
    return [];
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    return error.issues.map((issue) => ({
      ...issue,
      path: issue.path === '' ? at : `${at}.${issue.path}`,
    }));
  }
}

function experimentOf({ model }: BacktestSpec): Readonly<Record<string, unknown>> {
  if (model && 'walkForward' in model) return model.walkForward.experiment;
  throw new SpecError([{ path: 'model.walkForward', message: 'is missing' }]);
}

/** The template of the names of a walk forward's models: none of them is ever promoted by itself. */
export const foldModel = (
  { name, data }: Pick<BacktestSpec, 'name' | 'data'>,
  pooled: boolean,
): string =>
  pooled || data.instruments.length === 1 ? `${name}-folds` : `${name}-folds-{instrument}`;

const modelsOf = (spec: BacktestSpec): string =>
  foldModel(spec, experimentOf(spec)['fit'] === 'pooled');

/** What a fold's model is trained by: bars up to `trainTo`, as they were known at `asOf` (ISO). */
export function foldExperiment(
  spec: BacktestSpec,
  { trainTo, asOf }: { readonly trainTo: string; readonly asOf: string },
  catalogues: SpecCatalogues = {},
): ExperimentSpec {
  const experiment = experimentOf(spec);
  // What was written was checked when the backtest was made.
  return parseStoredSpec(
    {
      refit: 'all',
      ...experiment,
      name: `${spec.name}-${trainTo}`.slice(0, NAME_MAX),
      model: modelsOf(spec),
      data: { ...spec.data, to: trainTo, asOf },
      promotion: { policy: 'never' },
      // It is named by its content: whoever asks for it again finds the experiment itself.
      forceRetrain: true,
    },
    catalogues,
  );
}
