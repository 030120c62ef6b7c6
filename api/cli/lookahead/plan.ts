import type { Bars } from '../../../core/bars/bars.ts';
import { fillMissing, type MissingRules } from '../../../core/bars/index.ts';
import type { Calendar } from '../../../core/calendar/calendar.ts';
import { buildFeatures, type FeatureSet } from '../../../core/features/index.ts';
import { indicatorInput } from '../../../core/indicators/index.ts';
import {
  buildLabels,
  labelKindOrThrow,
  labelParamsOf,
  type LabelSpec,
} from '../../../core/labels/index.ts';
import type { ColumnsOf, DeclaredColumn, Subject } from '../../../core/lookahead/index.ts';
import {
  memoryBarsOf,
  needsModel,
  strategyColumns,
  warmupBarsOf,
  type StrategySpec,
} from '../../../core/strategies/index.ts';
import {
  portfolioTargets,
  type PortfolioColumn,
  type PortfolioSpec,
} from '../../../core/strategies/portfolio/index.ts';
import { standInModel } from './stand-in.ts';

/** The bars that are asked, when they trade, and the seed of all that stands in for something. */
export interface AskedBars {
  readonly bars: Bars;
  readonly calendar: Calendar;
  readonly seed: number;
}

/** Something that can be checked, before there are bars. */
export interface Plan extends Pick<Subject, 'name' | 'kind' | 'columns'> {
  /** Columns of exogenous sources that it reads. */
  readonly exogenous: readonly string[];
  /** It says how much history it needs: that can be measured. */
  readonly declaresHistory: boolean;
  /** It asks a model: answers of a seeded one stand in. */
  readonly asksModel: boolean;
  open(asked: AskedBars): Subject;
}

/**
 * The columns of a feature set, by the very code that training and serving run; with `missing`, of bars with these rules
 * for missing ones applied first, as an experiment has it.
 */
export function featurePlan(set: FeatureSet, missing?: MissingRules): Plan {
  const columns = set.columns.map(({ name, use }): DeclaredColumn => {
    const { warmupBars, memoryBars, recursive: anchored } = use;
    return { name, aheadBars: 0, warmupBars, memoryBars, anchored };
  });
  const plan = { name: set.name, kind: 'feature set', columns };
  const by =
    (calendar: Calendar): ColumnsOf =>
    (bars) => {
      const filled = missing ? fillMissing(bars, calendar, missing, set.warmupBars) : bars;
      const { values, rows } = buildFeatures(set, filled, calendar);
      return atBars(bars, filled, columnsOfRows(set.names, values, rows));
    };
  return {
    ...plan,
    exogenous: [...new Set(set.columns.flatMap(({ use }) => use.exogenous))],
    declaresHistory: true,
    asksModel: false,
    open: ({ calendar }) => ({
      ...plan,
      of: by(calendar),
      withoutAnchors: withoutAnchors(set, calendar),
    }),
  };
}

/** The columns that begin at anchors, over bars that all lie in one place of the calendar: there is no anchor among them. */
function withoutAnchors({ columns }: FeatureSet, calendar: Calendar): ColumnsOf {
  const nowhere: Calendar = { ...calendar, indexOf: () => 0 };
  const anchored = columns.filter(({ use }) => use.recursive);
  return (bars) => {
    const input = indicatorInput(bars, nowhere);
    return Object.fromEntries(anchored.map(({ name, use }) => [name, input.column(use)]));
  };
}

/** A label, one column a horizon, each of which may look that far ahead. */
export function labelPlan(label: LabelSpec): Plan {
  const kind = labelKindOrThrow(label.kind);
  const reach = kind.task === 'classification' ? kind.thresholdBars(labelParamsOf(label)) - 1 : 0;
  const names = label.horizons.map((horizon) => `${label.kind}_${horizon}`);
  const columns = label.horizons.map((aheadBars, i): DeclaredColumn => ({
    ...{ name: names[i]!, aheadBars, warmupBars: reach, memoryBars: reach },
    anchored: false,
  }));
  const plan = { name: label.kind, kind: 'label', columns };
  return {
    ...plan,
    exogenous: [],
    declaresHistory: true,
    asksModel: false,
    open: ({ calendar }) => ({
      ...plan,
      of: (bars) => {
        const { values, rows } = buildLabels(label, bars, calendar);
        return columnsOfRows(names, values, rows);
      },
    }),
  };
}

/** A strategy under the name it goes by: its position. */
export function strategyPlan(name: string, spec: StrategySpec): Plan {
  const columns: readonly DeclaredColumn[] = [
    {
      ...{ name: 'position', aheadBars: 0, anchored: true },
      ...{ warmupBars: warmupBarsOf(spec), memoryBars: memoryBarsOf(spec) },
    },
  ];
  const plan = { name, kind: 'strategy', columns };
  const asksModel = needsModel(spec);
  return {
    ...plan,
    exogenous: [],
    declaresHistory: true,
    asksModel,
    open: ({ bars, calendar, seed }) => {
      const model = asksModel && { model: standInModel(bars.openTime.length, seed) };
      return { ...plan, of: strategyColumns(spec, { bars, calendar, ...model }) };
    },
  };
}

/** Strategies that share the money, by their names, all on the same bars: the target weight of equity. */
export function portfolioPlan(
  name: string,
  spec: PortfolioSpec,
  strategies: ReadonlyMap<string, StrategySpec>,
): Plan {
  const members = Array.from(strategies, ([member, of]) => strategyPlan(member, of));
  const warmup = Math.max(...members.flatMap(({ columns }) => columns.map((c) => c.warmupBars)));
  const warmupBars = warmup + spec.window;
  const columns = [
    { ...{ name: 'target', aheadBars: 0, anchored: true }, ...{ warmupBars, memoryBars: 0 } },
  ];
  const plan = { name, kind: 'portfolio', columns };
  return {
    ...plan,
    exogenous: [],
    declaresHistory: false,
    asksModel: members.some((member) => member.asksModel),
    open: (asked) => {
      const opened = members.map((member) => ({ member, subject: member.open(asked) }));
      const { calendar } = asked;
      return {
        ...plan,
        of: (bars) => {
          const held = opened.map(({ member, subject }): PortfolioColumn => {
            const positions = subject.of(bars)['position']!;
            return { name: member.name, bars, calendar, positions };
          });
          return { target: portfolioTargets(held, spec).instruments[0]!.targets };
        },
      };
    },
  };
}

/** Columns of `filled` at the times of `bars`; NaN where `filled` has no such bar. */
function atBars(
  bars: Bars,
  filled: Bars,
  columns: Readonly<Record<string, Float64Array>>,
): Readonly<Record<string, Float64Array>> {
  if (filled === bars) return columns;
  const rowOf = new Map(Array.from(filled.openTime, (time, row) => [time, row]));
  const rows = Array.from(bars.openTime, (time) => rowOf.get(time));
  return Object.fromEntries(
    Object.entries(columns).map(([name, column]) => [
      name,
      Float64Array.from(rows, (row) => (row === undefined ? NaN : column[row]!)),
    ]),
  );
}

/** Columns of a row-major matrix of `names.length` columns. */
function columnsOfRows(
  names: readonly string[],
  values: Float64Array,
  rows: number,
): Readonly<Record<string, Float64Array>> {
  const width = names.length;
  const columnAt = (at: number): Float64Array => {
    const column = new Float64Array(rows);
    for (let row = 0; row < rows; row++) column[row] = values[row * width + at]!;
    return column;
  };
  return Object.fromEntries(names.map((name, at) => [name, columnAt(at)]));
}
