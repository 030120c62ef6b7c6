import { z } from 'zod';
import { RatchetError } from '../errors.ts';
import {
  type Indicator,
  indicators,
  type IndicatorUse,
  lagOf,
  overClose,
  rolling,
  ROLLING_STATISTICS,
  use,
} from '../indicators/index.ts';
import { chosenSet, completeChoice, type FeatureChoice } from './catalogue.ts';
import { defineFeatureSet, type FeatureColumn, type FeatureSet } from './feature-set.ts';
import { LEVELS } from './levels.ts';

/** Columns of a set, lags counted one by one: more is a search over noise, and memory. */
export const COLUMNS_MAX = 512;
/** Bars that one column may reach back: more than a year of hours. */
export const COLUMN_MEMORY_BARS_MAX = 10_000;

/** A column (or its lags) that a spec declares; what is not named here are the indicator's parameters. */
export const columnSchema = z.looseObject({
  indicator: z
    .string()
    .max(64)
    .meta({ examples: [...indicators.keys()] })
    .describe('An indicator of the catalogue; its parameters stand beside.'),
  name: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,62}$/, 'lower case letters, digits and "_"; 63 at most')
    .exactOptional()
    .describe('Name of the column; default: made of indicator and parameters.'),
  overClose: z
    .literal(true)
    .exactOptional()
    .describe('Divide by the close: a level of the price in relative units.'),
  rolling: z
    .strictObject({
      statistic: z.enum(ROLLING_STATISTICS),
      period: z.int().min(2).max(1000),
    })
    .exactOptional()
    .describe('A statistic of the last values in place of the value.'),
  lags: z
    .array(z.int().min(0).max(1000))
    .min(1)
    .max(64)
    .exactOptional()
    .describe('One column a lag, in bars; 0 is the value itself. Default: [0].'),
});

export type ColumnDeclaration = Readonly<z.output<typeof columnSchema>>;

/** All columns of a set of the catalogue, in place of one column. */
const setSchema = z.strictObject({
  set: z.string().max(64),
  levels: z.enum(LEVELS).exactOptional(),
});

/** An entry of a list of features. */
export const featureEntrySchema = z.union([columnSchema, setSchema]);
export type FeatureEntry = ColumnDeclaration | FeatureChoice;

/** Fields of a declaration that are not parameters of its indicator. */
const OWN_FIELDS: ReadonlySet<string> = new Set(Object.keys(columnSchema.shape));

/** The parameters of a declared column's indicator, as the spec gives them. */
export const paramsOf = (column: ColumnDeclaration): Record<string, unknown> =>
  Object.fromEntries(Object.entries(column).filter(([field]) => !OWN_FIELDS.has(field)));

/** The entry with its defaults filled in; throws a `ZodError` for wrong parameters, and as `completeChoice` does. */
export const completeEntry = (entry: FeatureEntry): FeatureEntry =>
  'indicator' in entry ? completeColumn(entry) : completeChoice(entry);

function completeColumn(column: ColumnDeclaration): ColumnDeclaration {
  const { indicator, name, overClose: over, rolling: statistic, lags } = column;
  const params = indicatorOrThrow(indicator).params.parse(paramsOf(column)) as object;
  return {
    indicator,
    ...params,
    ...(name !== undefined && { name }),
    ...(over && { overClose: over }),
    ...(statistic && { rolling: statistic }),
    ...(lags && { lags }),
  };
}

/**
 * The set that some columns declare, in their order; equal declarations give equal names and hashes.
 * Throws `features.unknownIndicator`, `features.unknown`, `features.levels`, a `ZodError` for parameters that an indicator does not take,
 * `features.duplicate`, `features.tooManyColumns` and `features.tooLong`.
 */
export function declaredFeatureSet(declared: readonly FeatureEntry[]): FeatureSet {
  const columns = declared.flatMap(columnsOf);
  if (columns.length > COLUMNS_MAX) {
    throw new RatchetError(
      'features.tooManyColumns',
      `${columns.length} columns are declared, lags counted; at most ${COLUMNS_MAX} can be`,
    );
  }
  const long = columns.find(({ use: bound }) => bound.memoryBars > COLUMN_MEMORY_BARS_MAX);
  if (long) {
    throw new RatchetError(
      'features.tooLong',
      `${long.name} reaches ${long.use.memoryBars} bars back; at most ${COLUMN_MEMORY_BARS_MAX} can be`,
    );
  }
  const set = defineFeatureSet({ name: 'columns', docs: 'Declared columns.', version: 1, columns });
  return Object.freeze({ ...set, name: `columns-${set.hash.slice(0, 12)}` });
}

const columnsOf = (entry: FeatureEntry): readonly FeatureColumn[] =>
  'indicator' in entry ? declaredColumns(entry) : chosenSet(entry).columns;

function declaredColumns(declared: ColumnDeclaration): FeatureColumn[] {
  const { indicator, overClose: over, rolling: statistic, lags = [0] } = declared;
  const value = use(indicatorOrThrow(indicator), paramsOf(declared));
  const level = over ? overClose(value) : value;
  const bound = statistic ? rolling(level, statistic.statistic, statistic.period) : level;
  const name = declared.name ?? nameOf(value, declared);
  return lags.map((lag) => ({
    name: lag === 0 ? name : `${name}_lag_${lag}`,
    family: indicator,
    use: lag === 0 ? bound : lagOf(bound, lag),
  }));
}

/** `rsi_14`, `bollinger_20_width`, `sma_20_close_over_close`, `log_return_1_mean_20`. */
function nameOf(value: IndicatorUse, { overClose: over, rolling: of }: ColumnDeclaration): string {
  const parts = [value.name, ...Object.values(value.params).map(String)];
  if (over) parts.push('overClose');
  if (of) parts.push(of.statistic, String(of.period));
  return parts.map(snakeCase).join('_');
}

const snakeCase = (text: string): string =>
  text.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace(/[^a-z0-9_]/g, '_');

/** The indicator of an entry; undefined where it is a set, or names one that there is not. */
export const indicatorOf = (entry: FeatureEntry): Indicator | undefined =>
  'indicator' in entry ? indicators.get(entry.indicator) : undefined;

function indicatorOrThrow(name: string): Indicator {
  const found = indicators.get(name);
  if (found) return found;
  throw new RatchetError('features.unknownIndicator', `no indicator is named "${name}"`, {
    details: { name },
  });
}
