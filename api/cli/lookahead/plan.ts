import type { Bars } from '../../../core/bars/bars.ts';
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
  /** It asks a model: answers of a seeded one stand in. */
  readonly asksModel: boolean;
  open(asked: AskedBars): Subject;
}

/** The columns of a feature set, by the very code that training and serving run. */
export function featurePlan(set: FeatureSet): Plan {
  const columns = set.columns.map(({ name, use }): DeclaredColumn => {
    const { warmupBars, memoryBars, recursive: anchored } = use;
    return { name, aheadBars: 0, warmupBars, memoryBars, anchored };
  });
  const plan = { name: set.name, kind: 'feature set', columns };
  const by =
    (calendar: Calendar): ColumnsOf =>
    (bars) => {
      const { values, rows } = buildFeatures(set, bars, calendar);
      return columnsOfRows(set.names, values, rows);
    };
  return {
    ...plan,
    exogenous: [...new Set(set.columns.flatMap(({ use }) => use.exogenous))],
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
    asksModel,
    open: ({ bars, calendar, seed }) => {
      const model = asksModel && { model: standInModel(bars.openTime.length, seed) };
      return { ...plan, of: strategyColumns(spec, { bars, calendar, ...model }) };
    },
  };
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
