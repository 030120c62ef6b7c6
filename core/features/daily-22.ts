import { rangeOverClose } from '../indicators/bar-shape.ts';
import { use } from '../indicators/index.ts';
import { ema, sma } from '../indicators/moving-average.ts';
import { simpleReturn } from '../indicators/returns.ts';
import { rsi } from '../indicators/rsi.ts';
import { obvChange, obvFlow, tradedRatio } from '../indicators/volume.ts';
import { type FeatureColumn, named } from './feature-set.ts';
import { bollingerColumns, defineLevelledSet, macdColumns, VOLUME_LEVEL_BARS } from './levels.ts';

const volume = (raw: boolean): FeatureColumn[] =>
  named('volume', [
    ['volume_ratio', use(tradedRatio, {})],
    [
      'volume_sma',
      raw
        ? use(sma, { of: 'volume' })
        : use(tradedRatio, { smooth: 20, period: VOLUME_LEVEL_BARS }),
    ],
    ['obv', raw ? use(obvChange, { period: VOLUME_LEVEL_BARS }) : use(obvFlow, { period: 50 })],
  ]);

/** 22 features of daily bars, in the order in which models expect them. */
export const daily22 = defineLevelledSet({
  name: 'daily-22',
  docs:
    '22 features of high, low, close and volume. `obv` sums over a window, never since the first bar: ' +
    'such a sum would depend on where a history begins.',
  version: 1,
  columns: (levels, level): readonly FeatureColumn[] => [
    ...named('RSI', [['rsi', use(rsi, { unit: 'percent' })]]),
    ...macdColumns(level),
    ...bollingerColumns(level),
    ...named('averages', [
      ...[5, 10, 20, 50].map((period) => [`sma_${period}`, level(use(sma, { period }))] as const),
      ['ema_12', level(use(ema, { period: 12 }))],
      ['ema_26', level(use(ema, { period: 26 }))],
    ]),
    ...volume(levels === 'raw'),
    ...named(
      'price change',
      [1, 5, 20].map((bars) => [`price_change_${bars}d`, use(simpleReturn, { bars })]),
    ),
    ...named('range', [['high_low_range', use(rangeOverClose, {})]]),
  ],
});
