import { atr, atrRatio } from '../indicators/bands.ts';
import { use } from '../indicators/index.ts';
import { ema, priceToSma, sma } from '../indicators/moving-average.ts';
import { barColumn, priceRatio } from '../indicators/price.ts';
import { logReturn, priceChange, simpleReturn } from '../indicators/returns.ts';
import { rsi } from '../indicators/rsi.ts';
import { volatility } from '../indicators/volatility.ts';
import { tradedRatio, volumeChange } from '../indicators/volume.ts';
import { type FeatureColumn, named } from './feature-set.ts';
import { bollingerColumns, defineLevelledSet, macdColumns, VOLUME_LEVEL_BARS } from './levels.ts';

/**
 * 46 features of hourly crypto bars, in the order in which models expect them: prices, returns, volume,
 * oscillators, averages, volatility and momentum. `close` is 1 throughout where levels are relative.
 */
export const crypto46 = defineLevelledSet({
  name: 'crypto-46',
  docs: '46 features of open, high, low, close, volume and traded value.',
  version: 1,
  columns: (levels, level): readonly FeatureColumn[] => {
    const traded = (of: 'volume' | 'value') =>
      levels === 'raw'
        ? use(barColumn, { of })
        : use(tradedRatio, { of, period: VOLUME_LEVEL_BARS });
    const price = (of: 'open' | 'high' | 'low' | 'close') => level(use(barColumn, { of }));
    return [
      ...named('bar', [
        ['open', price('open')],
        ['high', price('high')],
        ['low', price('low')],
        ['close', price('close')],
        ['volume', traded('volume')],
        ['value', traded('value')],
      ]),
      ...named('returns', [
        ['returns', use(simpleReturn, {})],
        ['log_returns', use(logReturn, {})],
        ['high_low_ratio', use(priceRatio, { of: 'high', over: 'low' })],
        ['close_open_ratio', use(priceRatio, { of: 'close', over: 'open' })],
      ]),
      ...named('volume', [
        ['volume_change', use(volumeChange, {})],
        ['volume_ma_ratio', use(tradedRatio, {})],
      ]),
      ...named('RSI', [['rsi', use(rsi, { unit: 'percent' })]]),
      ...macdColumns(level),
      ...bollingerColumns(level),
      ...named('ATR', [
        ['atr', level(use(atr, {}))],
        ['atr_ratio', use(atrRatio, {})],
      ]),
      ...named(
        'averages',
        [5, 10, 20, 50, 100].flatMap((period) => [
          [`sma_${period}`, level(use(sma, { period }))],
          [`ema_${period}`, level(use(ema, { period }))],
          [`price_to_sma_${period}`, use(priceToSma, { period })],
        ]),
      ),
      ...named('volatility', [
        ['volatility_5', use(volatility, { period: 5 })],
        ['volatility_20', use(volatility, {})],
      ]),
      ...named(
        'momentum',
        [5, 10, 20].flatMap((bars) => [
          [`momentum_${bars}`, level(use(priceChange, { bars }))],
          [`roc_${bars}`, use(simpleReturn, { bars })],
        ]),
      ),
    ];
  },
});
