import { atr, atrRatio, bollinger, keltner } from './bands.ts';
import {
  barPart,
  barRange,
  body,
  closeLocationMean,
  gap,
  rangeOverClose,
  trueRange,
} from './bar-shape.ts';
import { cci } from './cci.ts';
import { directional } from './directional.ts';
import { autocorrelation, extremeReturn, kurtosis, skewness, upShare } from './distribution.ts';
import { donchian, stochastic } from './donchian.ts';
import { barsSinceExtreme, drawdown, drawup } from './drawdown.ts';
import { exogenous } from './exogenous.ts';
import type { Indicator } from './indicator.ts';
import { macd } from './macd.ts';
import { cmo, efficiency, trix, ultimate } from './momentum.ts';
import {
  closeToEma,
  closeToSma,
  ema,
  priceToSma,
  sma,
  smaSlope,
  smaSpread,
} from './moving-average.ts';
import { barColumn, priceRatio } from './price.ts';
import { laggedReturn, logReturn, priceChange, simpleReturn } from './returns.ts';
import { rsi, stochRsi } from './rsi.ts';
import { daysSinceBar, sessionDate } from './session-date.ts';
import { aroon, choppiness, vortex } from './trend-strength.ts';
import { trend } from './trend.ts';
import {
  rangeVolatility,
  semiDeviation,
  volatility,
  volatilityRatio,
  volOfVol,
} from './volatility.ts';
import {
  closeToVwap,
  force,
  moneyFlow,
  moneyFlowIndex,
  obvChange,
  obvFlow,
  tradedRatio,
  volumeChange,
  volumeCorrelation,
  volumeSpread,
  volumeToSma,
  volumeVariation,
  volumeZ,
} from './volume.ts';

export {
  type Indicator,
  type IndicatorInput,
  type IndicatorUse,
  defineIndicator,
  use,
} from './indicator.ts';
export { lagOf, overClose, rolling, ROLLING_STATISTICS } from './derived.ts';
export { type GrowingInput, growingInput, indicatorInput } from './input.ts';
export { anchorRow } from './anchors.ts';
export { ANCHOR_BARS, type BarPositions, barPositions } from './positions.ts';

const catalogue: readonly Indicator[] = [
  barColumn,
  priceRatio,
  logReturn,
  laggedReturn,
  simpleReturn,
  priceChange,
  gap,
  body,
  barRange,
  barPart,
  closeLocationMean,
  trueRange,
  rangeOverClose,
  sma,
  ema,
  closeToSma,
  priceToSma,
  closeToEma,
  smaSpread,
  smaSlope,
  macd,
  rsi,
  stochRsi,
  stochastic,
  donchian,
  cci,
  cmo,
  efficiency,
  trix,
  ultimate,
  directional,
  aroon,
  vortex,
  choppiness,
  bollinger,
  atr,
  atrRatio,
  keltner,
  volatility,
  volatilityRatio,
  volOfVol,
  rangeVolatility,
  semiDeviation,
  skewness,
  kurtosis,
  autocorrelation,
  upShare,
  extremeReturn,
  drawdown,
  drawup,
  barsSinceExtreme,
  trend,
  volumeToSma,
  volumeChange,
  tradedRatio,
  volumeSpread,
  volumeVariation,
  volumeZ,
  obvFlow,
  obvChange,
  moneyFlow,
  moneyFlowIndex,
  force,
  volumeCorrelation,
  closeToVwap,
  sessionDate,
  daysSinceBar,
  exogenous,
];

/** All indicators by name. A new one: a file in this folder and a line above. */
export const indicators: ReadonlyMap<string, Indicator> = new Map(
  catalogue.map((indicator) => [indicator.name, indicator]),
);
