import type { Measure } from '../measure.ts';
import { backtest100k, backtest100kByEvent } from './backtest.ts';
import { cache } from './cache.ts';
import { driftReportMeasure } from './drift.ts';
import {
  features152,
  features152Million,
  features152Pandas,
  features152Polars,
  features46,
  featuresIncrement,
} from './features.ts';
import { hybridPredict1 } from './hybrid.ts';
import { promote, resume } from './lifecycle.ts';
import { HTTP_MEASURES } from './http.ts';
import { httpBatch } from './http-batch.ts';
import { lightgbmPredict1, lightgbmTrain } from './lightgbm.ts';
import { mcDropout100, predict1 } from './model.ts';
import { overhead, sweepScaling, trainJobs } from './orchestration.ts';
import { coldStart, coldStartPredict, memory, memoryTraining } from './stack.ts';
import { trainLstm, trainLstmPlain } from './training.ts';

export const MEASURES: readonly Measure[] = [
  features152,
  features152Million,
  features152Pandas,
  features152Polars,
  features46,
  featuresIncrement,
  cache,
  lightgbmTrain,
  lightgbmPredict1,
  hybridPredict1,
  driftReportMeasure,
  backtest100k,
  backtest100kByEvent,
  predict1,
  mcDropout100,
  trainLstm,
  trainLstmPlain,
  ...HTTP_MEASURES,
  httpBatch,
  coldStart,
  // Those of a running product come last: it is ended after them. The first of them wants no other models there.
  memory,
  coldStartPredict,
  overhead,
  promote,
  resume,
  memoryTraining,
  trainJobs,
  sweepScaling,
];
