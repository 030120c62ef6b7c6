import { RatchetError } from '../errors.ts';

/** A request that cannot be answered as asked: the caller's doing, not the package's. */
export class PredictError extends RatchetError {}
