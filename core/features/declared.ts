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
import { defineFeatureSet, type FeatureColumn, type FeatureSet } from './feature-set.ts';

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

/** Fields of a declaration that are not parameters of its indicator. */
const OWN_FIELDS: ReadonlySet<string> = new Set(Object.keys(columnSchema.shape));

/** The parameters of a declared column's indicator, as the spec gives them. */
export const paramsOf = (column: ColumnDeclaration): Record<string, unknown> =>
  Object.fromEntries(Object.entries(column).filter(([field]) => !OWN_FIELDS.has(field)));

/** The declaration with its indicator's defaults filled in; throws a `ZodError` for wrong parameters. */
export function completeColumn(column: ColumnDeclaration): ColumnDeclaration {
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
 * Throws `features.unknownIndicator`, a `ZodError` for parameters that an indicator does not take,
 * `features.duplicate`, `features.tooManyColumns` and `features.tooLong`.
 */
export function declaredFeatureSet(declared: readonly ColumnDeclaration[]): FeatureSet {
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

function columnsOf(declared: ColumnDeclaration): FeatureColumn[] {
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

function indicatorOrThrow(name: string): Indicator {
  const found = indicators.get(name);
  if (found) return found;
  throw new RatchetError('features.unknownIndicator', `no indicator is named "${name}"`, {
    details: { name },
  });
}
