import type { Measure } from '../measure.ts';
import { backtest100k, backtest100kByEvent } from './backtest.ts';
import { features152, features152Million, features152Pandas, features46 } from './features.ts';
import { lightgbmPredict1, lightgbmTrain } from './lightgbm.ts';

export const MEASURES: readonly Measure[] = [
  features152,
  features152Million,
  features152Pandas,
  features46,
  lightgbmTrain,
  lightgbmPredict1,
  backtest100k,
  backtest100kByEvent,
];
