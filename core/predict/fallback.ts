import { RatchetError } from '../errors.ts';
import type { VerifiedPackage } from '../packages/verify.ts';
import type { FallbackReason } from './answer.ts';

const REASON_BY_CODE: Readonly<Record<string, FallbackReason>> = {
  'predict.non-finite': 'not-finite',
  'predict.implausible': 'implausible',
};

/** Why a computation gave no forecast, in the words of an answer. */
export const fallbackReasonOf = (error: unknown): FallbackReason =>
  (error instanceof RatchetError ? REASON_BY_CODE[error.code] : undefined) ?? 'inference-failed';

/** Does the package declare an answer for where inference fails? */
export const hasFallback = ({ preprocessing }: VerifiedPackage): boolean =>
  preprocessing.fallback === 'naive';
