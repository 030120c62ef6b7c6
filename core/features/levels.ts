import { bollinger } from '../indicators/bands.ts';
import { type IndicatorUse, overClose, use } from '../indicators/index.ts';
import { macd } from '../indicators/macd.ts';
import {
  defineFeatureSet,
  type FeatureColumn,
  type FeatureSet,
  type FeatureSetDefinition,
  named,
} from './feature-set.ts';

/**
 * In what units a set has its levels: prices, averages and volumes. `relative`: prices as a share of the
 * close, volumes as a multiple of their mean of 250 bars. `raw`: as they are, which ties a model to the
 * price level that it was trained at.
 */
export const LEVELS = ['relative', 'raw'] as const;
export type Levels = (typeof LEVELS)[number];

/** Bars over which a volume is averaged that relative levels are multiples of. */
export const VOLUME_LEVEL_BARS = 250;

/** Brings a use in units of price to the units of a set. */
type Level = (of: IndicatorUse) => IndicatorUse;

export interface LevelledDefinition extends Omit<FeatureSetDefinition, 'columns'> {
  /** Columns in units of `levels`. */
  columns(levels: Levels, level: Level): FeatureSetDefinition['columns'];
}

/** A set with levels in both units, named `name-relative` and `name-raw`: same columns, two hashes. */
export function defineLevelledSet(
  definition: LevelledDefinition,
): Readonly<Record<Levels, FeatureSet>> {
  const { name, docs, version, columns } = definition;
  const define = (levels: Levels, units: string): FeatureSet =>
    defineFeatureSet({
      name: `${name}-${levels}`,
      docs: `${docs} ${units}`,
      version,
      columns: columns(levels, levels === 'raw' ? (of) => of : overClose),
    });
  return Object.freeze({
    relative: define(
      'relative',
      `Levels of the price are divided by the close, volume and value by their mean of ` +
        `${VOLUME_LEVEL_BARS} bars.`,
    ),
    raw: define('raw', 'Levels are in units of price and volume, as the source has them.'),
  });
}

export const macdColumns = (level: Level): FeatureColumn[] =>
  named('MACD', [
    ['macd', level(use(macd, { unit: 'price' }))],
    ['macd_signal', level(use(macd, { output: 'signal', unit: 'price' }))],
    ['macd_hist', level(use(macd, { output: 'histogram', unit: 'price' }))],
  ]);

export const bollingerColumns = (level: Level): FeatureColumn[] =>
  named('Bollinger', [
    ['bb_upper', level(use(bollinger, { output: 'upper' }))],
    ['bb_middle', level(use(bollinger, { output: 'middle' }))],
    ['bb_lower', level(use(bollinger, { output: 'lower' }))],
    ['bb_width', use(bollinger, { output: 'width' })],
    ['bb_position', use(bollinger, {})],
  ]);
