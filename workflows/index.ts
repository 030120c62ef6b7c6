/** Entry of the workflow bundle: every workflow type the platform runs. */
export { experiment } from './experiment.ts';
export { promote } from './promote.ts';
