import { atrRatio, bollinger, keltner } from '../indicators/bands.ts';
import {
  barPart,
  barRange,
  body,
  closeLocationMean,
  gap,
  trueRange,
} from '../indicators/bar-shape.ts';
import { cci } from '../indicators/cci.ts';
import { directional } from '../indicators/directional.ts';
import * as shape from '../indicators/distribution.ts';
import { donchian, stochastic } from '../indicators/donchian.ts';
import { barsSinceExtreme, drawdown, drawup } from '../indicators/drawdown.ts';
import { type IndicatorUse, use } from '../indicators/index.ts';
import { macd } from '../indicators/macd.ts';
import { cmo, efficiency, trix, ultimate } from '../indicators/momentum.ts';
import { closeToEma, closeToSma, smaSlope, smaSpread } from '../indicators/moving-average.ts';
import { laggedReturn, logReturn } from '../indicators/returns.ts';
import { rsi, stochRsi } from '../indicators/rsi.ts';
import { daysSinceBar, sessionDate } from '../indicators/session-date.ts';
import { aroon, choppiness, vortex } from '../indicators/trend-strength.ts';
import { trend } from '../indicators/trend.ts';
import * as risk from '../indicators/volatility.ts';
import * as volume from '../indicators/volume.ts';
import { defineFeatureSet, type FeatureColumn } from './feature-set.ts';

type Named = readonly [name: string, use: IndicatorUse];

const family = (name: string, columns: readonly Named[]): FeatureColumn[] =>
  columns.map(([column, bound]) => ({ name: column, family: name, use: bound }));

const each = <T>(values: readonly T[], make: (value: T) => Named): Named[] => values.map(make);

const price = [
  family(
    'returns',
    each([1, 2, 3, 5, 7, 10, 14, 20, 30, 60, 90, 120], (bars) => [
      `ret_${bars}`,
      use(logReturn, { bars }),
    ]),
  ),
  family(
    'lags',
    each([1, 2, 3, 4, 5], (lag) => [`ret_1_lag_${lag}`, use(laggedReturn, { lag })]),
  ),
  family('bar shape', [
    ['gap', use(gap, {})],
    ['body', use(body, {})],
    ['range', use(barRange, {})],
    ['upper_shadow', use(barPart, { part: 'upper' })],
    ['lower_shadow', use(barPart, { part: 'lower' })],
    ['close_location', use(closeLocationMean, { period: 1 })],
    ['body_ratio', use(barPart, { part: 'body' })],
    ['true_range', use(trueRange, {})],
    ['close_location_5', use(closeLocationMean, { period: 5 })],
  ]),
  family(
    'close to SMA',
    each([5, 10, 20, 50, 100, 200], (period) => [
      `close_to_sma_${period}`,
      use(closeToSma, { period }),
    ]),
  ),
  family(
    'close to EMA',
    each([5, 12, 26], (period) => [`close_to_ema_${period}`, use(closeToEma, { period })]),
  ),
  family(
    'SMA spreads',
    each(
      [
        [5, 20],
        [10, 50],
        [20, 50],
        [20, 100],
        [50, 200],
        [100, 200],
      ] as const,
      ([short, long]) => [`sma_${short}_to_sma_${long}`, use(smaSpread, { short, long })],
    ),
  ),
  family(
    'SMA slopes',
    each(
      [
        [10, 5],
        [20, 5],
        [50, 10],
      ] as const,
      ([period, bars]) => [`sma_${period}_slope_${bars}`, use(smaSlope, { period, bars })],
    ),
  ),
  family(
    'MACD',
    [
      [12, 26, 9],
      [5, 13, 5],
    ].flatMap(([fast, slow, signal]): Named[] => [
      [`macd_${fast}_${slow}`, use(macd, { fast, slow, signal })],
      [
        `macd_signal_${fast}_${slow}_${signal}`,
        use(macd, { fast, slow, signal, output: 'signal' }),
      ],
      [
        `macd_hist_${fast}_${slow}_${signal}`,
        use(macd, { fast, slow, signal, output: 'histogram' }),
      ],
    ]),
  ),
].flat();

const oscillators = [
  family(
    'RSI',
    each([2, 7, 14], (period) => [`rsi_${period}`, use(rsi, { period })]),
  ),
  family('stochastic', [
    ['stoch_k_5', use(stochastic, { period: 5 })],
    ['stoch_d_5_3', use(stochastic, { period: 5, smooth: 3 })],
    ['stoch_k_14', use(stochastic, { period: 14 })],
    ['stoch_d_14_3', use(stochastic, { period: 14, smooth: 3 })],
    ['stoch_rsi_14', use(stochRsi, { period: 14 })],
  ]),
  family(
    'CCI',
    each([14, 20], (period) => [`cci_${period}`, use(cci, { period })]),
  ),
  family(
    'CMO',
    each([14, 20], (period) => [`cmo_${period}`, use(cmo, { period })]),
  ),
  family('TRIX', [['trix_15', use(trix, { period: 15 })]]),
  family('ultimate', [['ultimate_7_14_28', use(ultimate, { short: 7, medium: 14, long: 28 })]]),
  family('directional', [
    ['plus_di_14', use(directional, { period: 14, output: 'plus' })],
    ['minus_di_14', use(directional, { period: 14, output: 'minus' })],
    ['adx_14', use(directional, { period: 14, output: 'adx' })],
  ]),
  family('Aroon', [
    ['aroon_up_25', use(aroon, { period: 25, output: 'up' })],
    ['aroon_down_25', use(aroon, { period: 25, output: 'down' })],
    ['aroon_osc_14', use(aroon, { period: 14, output: 'oscillator' })],
  ]),
  family('vortex', [
    ['vortex_plus_14', use(vortex, { period: 14, output: 'plus' })],
    ['vortex_minus_14', use(vortex, { period: 14, output: 'minus' })],
  ]),
  family('choppiness', [['choppiness_14', use(choppiness, { period: 14 })]]),
  family(
    'efficiency',
    each([10, 60], (period) => [`efficiency_${period}`, use(efficiency, { period })]),
  ),
  family('Bollinger', [
    ...each([10, 20, 50], (period): Named => [`bb_position_${period}`, use(bollinger, { period })]),
    ...each([10, 20, 50], (period): Named => [
      `bb_width_${period}`,
      use(bollinger, { period, output: 'width' }),
    ]),
  ]),
  family('Keltner', [['keltner_position_20', use(keltner, { period: 20, atrPeriod: 10 })]]),
  family('Donchian', [
    ...each([20, 55, 120, 200], (period): Named => [
      `donchian_position_${period}`,
      use(donchian, { period }),
    ]),
    ['donchian_width_20', use(donchian, { period: 20, output: 'width' })],
  ]),
].flat();

const statistics = [
  family('volatility', [
    ...each([5, 10, 20, 30, 60, 120], (period): Named => [
      `volatility_${period}`,
      use(risk.volatility, { period }),
    ]),
    ...each(
      [
        [5, 20],
        [20, 60],
        [20, 120],
      ] as const,
      ([short, long]): Named => [
        `volatility_ratio_${short}_${long}`,
        use(risk.volatilityRatio, { short, long }),
      ],
    ),
    ['parkinson_20', use(risk.rangeVolatility, { estimator: 'parkinson' })],
    ['garman_klass_20', use(risk.rangeVolatility, { estimator: 'garmanKlass' })],
    ['rogers_satchell_20', use(risk.rangeVolatility, { estimator: 'rogersSatchell' })],
    ['yang_zhang_20', use(risk.rangeVolatility, { estimator: 'yangZhang' })],
    ['atr_ratio_7', use(atrRatio, { period: 7 })],
    ['atr_ratio_14', use(atrRatio, { period: 14 })],
    ['downside_deviation_20', use(risk.semiDeviation, { side: 'down' })],
    ['upside_deviation_20', use(risk.semiDeviation, { side: 'up' })],
    ['vol_of_vol_20', use(risk.volOfVol, { period: 20, inner: 5 })],
  ]),
  family('distribution', [
    ['skew_20', use(shape.skewness, { period: 20 })],
    ['skew_60', use(shape.skewness, { period: 60 })],
    ['kurtosis_60', use(shape.kurtosis, { period: 60 })],
    ['autocorr_1_20', use(shape.autocorrelation, { period: 20 })],
    ['autocorr_1_60', use(shape.autocorrelation, { period: 60 })],
    ['up_share_10', use(shape.upShare, { period: 10 })],
    ['up_share_20', use(shape.upShare, { period: 20 })],
    ['max_ret_20', use(shape.extremeReturn, { period: 20, of: 'max' })],
    ['min_ret_20', use(shape.extremeReturn, { period: 20, of: 'min' })],
  ]),
  family('drawdown', [
    ...each([20, 60, 120, 200], (period): Named => [
      `drawdown_${period}`,
      use(drawdown, { period }),
    ]),
    ...each([60, 200], (period): Named => [`drawup_${period}`, use(drawup, { period })]),
    ['bars_since_high_60', use(barsSinceExtreme, { period: 60, of: 'high' })],
    ['bars_since_low_60', use(barsSinceExtreme, { period: 60, of: 'low' })],
  ]),
  family('trend', [
    ...each([10, 20, 60], (period): Named => [`trend_slope_${period}`, use(trend, { period })]),
    ...each([20, 60], (period): Named => [
      `trend_r2_${period}`,
      use(trend, { period, output: 'r2' }),
    ]),
    ['trend_residual_20', use(trend, { period: 20, output: 'residual' })],
  ]),
  family('volume', [
    ...each([5, 20, 60], (period): Named => [
      `volume_to_sma_${period}`,
      use(volume.volumeToSma, { period }),
    ]),
    ['volume_sma_5_to_20', use(volume.volumeSpread, { short: 5, long: 20 })],
    ['volume_cv_20', use(volume.volumeVariation, { period: 20 })],
    ['volume_z_60', use(volume.volumeZ, { period: 60 })],
    ...each([10, 20, 60], (period): Named => [
      `obv_flow_${period}`,
      use(volume.obvFlow, { period }),
    ]),
    ...each([20, 60], (period): Named => [`cmf_${period}`, use(volume.moneyFlow, { period })]),
    ['mfi_14', use(volume.moneyFlowIndex, { period: 14 })],
    ['force_13', use(volume.force, { period: 13 })],
    ['corr_absret_volume_20', use(volume.volumeCorrelation, { period: 20, of: 'size' })],
    ['corr_ret_dvolume_20', use(volume.volumeCorrelation, { period: 20, of: 'change' })],
    ['close_to_vwap_20', use(volume.closeToVwap, { period: 20 })],
  ]),
  family('calendar', [
    ['dow_sin', use(sessionDate, { output: 'weekdaySin' })],
    ['dow_cos', use(sessionDate, { output: 'weekdayCos' })],
    ['month_sin', use(sessionDate, { output: 'monthSin' })],
    ['month_cos', use(sessionDate, { output: 'monthCos' })],
    ['month_progress', use(sessionDate, { output: 'monthProgress' })],
    ['turn_of_month', use(sessionDate, { output: 'turnOfMonth' })],
    ['quarter_end_month', use(sessionDate, { output: 'quarterEndMonth' })],
    ['days_since_bar', use(daysSinceBar, {})],
  ]),
].flat();

/** 152 scale-free technical features in 28 families; definitions in docs/features.md. */
export const technical152 = defineFeatureSet({
  name: 'technical-152',
  docs: '152 scale-free features of open, high, low, close, volume and date, in 28 families.',
  version: 1,
  columns: [...price, ...oscillators, ...statistics],
});
