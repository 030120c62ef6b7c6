import { z } from 'zod';
import { RatchetError } from '../errors.ts';
import type { RefitPart } from '../splits/index.ts';
import { fittedSchema } from './prepared-codec.ts';
import type { FittedParts, Prepared } from './prepared.ts';

/**
 * What the served fit is repeated on after its evaluation, and what is fitted on those rows beside the weights. Rows are
 * those of the prepared data it belongs to.
 */
export interface Refit extends FittedParts, Pick<Prepared, 'trainedThrough'> {
  readonly part: RefitPart;
  /** Window end rows, by time, then by row. */
  readonly rows: Int32Array;
  /** How many of them lie after the twin's last training sample. */
  readonly newer: number;
}

const refitSchema = z.strictObject({
  format: z.literal(1),
  part: z.enum(['trainValid', 'all']),
  rows: z.array(z.int().min(0)).min(1),
  newer: z.int().min(0),
  ...fittedSchema.shape,
  trainedThrough: z.number(),
});

/** Encodes for storage; equal refits give equal bytes. */
export function encodeRefit({ rows, ...refit }: Refit): Uint8Array {
  const text = JSON.stringify(refitSchema.parse({ format: 1, ...refit, rows: [...rows] }));
  return new TextEncoder().encode(text);
}

/** Decodes what `encodeRefit` wrote; throws `refit.corrupt` for anything else. */
export function decodeRefit(bytes: Uint8Array): Refit {
  try {
    const {
      format: _format,
      rows,
      ...refit
    } = refitSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
    return { ...refit, rows: Int32Array.from(rows) };
  } catch (cause) {
    throw new RatchetError('refit.corrupt', 'the rows of the refit cannot be read', { cause });
  }
}

/**
 * The prepared data as a refit sees it: its rows are the training part, there are no others, and scalers and label
 * statistics are those of its rows. Shares the memory. Throws `refit.corrupt` where the rows are of other data.
 */
export function refitted(prepared: Prepared, refit: Refit): Prepared {
  const { part: _part, newer: _newer, rows, ...fitted } = refit;
  const last = rows.at(-1);
  const fits =
    last !== undefined &&
    rows.every((row) => row >= prepared.lookback - 1 && row < prepared.openTime.length) &&
    fitted.scalers.features.offset.length === prepared.featureNames.length &&
    fitted.scalers.labels.offset.length === prepared.horizons.length;
  if (!fits) {
    throw new RatchetError('refit.corrupt', 'the rows of the refit belong to other prepared data');
  }
  const none = new Int32Array(0);
  return { ...prepared, ...fitted, split: { train: rows, valid: none, test: none } };
}
