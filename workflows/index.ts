/** Entry of the workflow bundle: every workflow type the platform runs. */
export { alert } from './alert.ts';
export { backtest } from './backtest.ts';
export { evaluation } from './evaluation.ts';
export { experiment } from './experiment.ts';
export { lifecycle } from './lifecycle.ts';
export { monitor } from './monitor.ts';
export { parity } from './parity.ts';
export { predictBatch } from './predict-batch.ts';
export { promote } from './promote.ts';
export { retrain } from './retrain.ts';
export { settle } from './settle.ts';
export { sweep } from './sweep.ts';
export { trial } from './trial.ts';
