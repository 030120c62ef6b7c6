import { RatchetError } from '../errors.ts';

/** A source or file cannot give what was asked; `permanent` unless the next try may differ. */
export class SourceError extends RatchetError {}
