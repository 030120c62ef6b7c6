import { z } from 'zod';
import { RatchetError } from '../errors.ts';
import { fittedSchema } from './prepared-codec.ts';
import type { FittedParts, Prepared } from './prepared.ts';

/**
 * Another fold of prepared data: other parts of the same rows, and what is fitted on its training part beside the
 * weights. The prepared data is itself the newest fold.
 */
export interface Fold extends FittedParts, Pick<Prepared, 'split' | 'trainedThrough'> {}

const rows = z.array(z.int().min(0)).min(1);
const foldSchema = z.strictObject({
  format: z.literal(1),
  split: z.strictObject({ train: rows, valid: rows, test: rows }),
  ...fittedSchema.shape,
  trainedThrough: z.number(),
});

/** Encodes for storage; equal folds give equal bytes. */
export function encodeFold({ split, ...fold }: Fold): Uint8Array {
  const { train, valid, test } = split;
  const parts = { train: [...train], valid: [...valid], test: [...test] };
  const text = JSON.stringify(foldSchema.parse({ format: 1, split: parts, ...fold }));
  return new TextEncoder().encode(text);
}

/** Decodes what `encodeFold` wrote; throws `fold.corrupt` for anything else. */
export function decodeFold(bytes: Uint8Array): Fold {
  try {
    const text = new TextDecoder().decode(bytes);
    const { format: _format, split, ...fold } = foldSchema.parse(JSON.parse(text));
    const { train, valid, test } = split;
    return {
      ...fold,
      split: {
        train: Int32Array.from(train),
        valid: Int32Array.from(valid),
        test: Int32Array.from(test),
      },
    };
  } catch (cause) {
    throw new RatchetError('fold.corrupt', 'a fold of the prepared data cannot be read', { cause });
  }
}

/** The prepared data as this fold sees it. Shares the memory; throws `fold.corrupt` where it is of other data. */
export function folded(prepared: Prepared, fold: Fold): Prepared {
  const { split, scalers } = fold;
  const fits =
    Object.values(split).every((part: Int32Array) =>
      part.every((row) => row >= prepared.lookback - 1 && row < prepared.openTime.length),
    ) &&
    scalers.features.offset.length === prepared.featureNames.length &&
    scalers.labels.offset.length === prepared.horizons.length;
  if (!fits) throw new RatchetError('fold.corrupt', 'the fold belongs to other prepared data');
  return { ...prepared, ...fold };
}
