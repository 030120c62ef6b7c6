import type { Scene } from '../scene.ts';
import { ALERT_SCENES } from './alert.ts';
import { BACKTEST_SCENES } from './backtest.ts';
import { EVALUATION_SCENES } from './evaluation.ts';
import { EXPERIMENT_SCENES } from './experiment.ts';
import { LIFECYCLE_SCENES } from './lifecycle.ts';
import { PARITY_SCENES } from './parity.ts';
import { PREDICT_BATCH_SCENES } from './predict-batch.ts';
import { PROMOTE_SCENES } from './promote.ts';
import { RETRAIN_SCENES } from './retrain.ts';
import { MONITOR_SCENES, SETTLE_SCENES } from './slots.ts';
import { SWEEP_SCENES } from './sweep.ts';
import { TRIAL_SCENES } from './trial.ts';

/** Every run that is recorded, of every workflow type. */
export const SCENES: readonly Scene[] = [
  ...ALERT_SCENES,
  ...BACKTEST_SCENES,
  ...EVALUATION_SCENES,
  ...EXPERIMENT_SCENES,
  ...LIFECYCLE_SCENES,
  ...MONITOR_SCENES,
  ...PARITY_SCENES,
  ...PREDICT_BATCH_SCENES,
  ...PROMOTE_SCENES,
  ...RETRAIN_SCENES,
  ...SETTLE_SCENES,
  ...SWEEP_SCENES,
  ...TRIAL_SCENES,
];

/** A scene's file in histories/. */
export const fileOf = ({ type, name }: Scene): string => `${type}-${name}.json`;
