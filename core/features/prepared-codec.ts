import { z } from 'zod';
import { RatchetError } from '../errors.ts';
import { outlierRecordSchema, SCALER_KINDS } from '../scaling/index.ts';
import type { Prepared } from './prepared.ts';

/**
 * Binary form of `Prepared`: 8 bytes magic, u32 header length, u32 reserved (0), JSON header
 * padded with spaces to 8 bytes, then the columns in the header's order, little-endian, each padded
 * to 8 bytes. Lengths follow from the header alone; anything short, long or inconsistent is refused.
 */
const MAGIC = 'RATPREP1';
const PREAMBLE_BYTES = 16;
/** More than any real header; keeps a damaged length from asking for gigabytes. */
const MAX_HEADER_BYTES = 4 << 20;

/** Least and largest value by column. */
const boundsSchema = z
  .strictObject({ low: z.array(z.number()), high: z.array(z.number()) })
  .refine(({ low, high }) => low.length === high.length, 'low and high differ in length');

/** Offsets, factors, clip and bounds of a fitted scaler. */
export const scalerSchema = z.strictObject({
  kind: z.enum(SCALER_KINDS),
  offset: z.array(z.number()),
  factor: z.array(z.number()),
  clip: z.tuple([z.number(), z.number()]).exactOptional(),
  bounds: boundsSchema.exactOptional(),
});

/** Shares and mean returns by horizon and class. */
export const classStatisticsSchema = z.strictObject({
  priors: z.array(z.array(z.number())).min(1),
  changes: z.array(z.array(z.number())).min(1),
});

/** Of features and labels. */
export const scalersSchema = z.strictObject({ features: scalerSchema, labels: scalerSchema });

const labelStatisticsShape = {
  trainLabelMean: z.array(z.number()),
  trainLabelVariance: z.array(z.number()),
  classes: classStatisticsSchema.exactOptional(),
};

/** What is fitted on a training part; see `FittedParts`. */
export const fittedSchema = z.strictObject({
  ...labelStatisticsShape,
  scalers: scalersSchema,
  outliers: outlierRecordSchema.exactOptional(),
  labelBounds: boundsSchema.exactOptional(),
  byInstrument: z
    .array(
      z
        .strictObject({ ...labelStatisticsShape, scalers: scalersSchema.exactOptional() })
        .nullable(),
    )
    .min(2)
    .exactOptional(),
});

const count = z.int().min(0).max(100_000_000);

const headerSchema = z.strictObject({
  featureSet: z.string(),
  featureHash: z.string(),
  featureNames: z.array(z.string()).min(1),
  lookback: z.int().min(1),
  labelKind: z.string(),
  // Absent in what earlier releases prepared.
  labelParams: z.record(z.string(), z.unknown()).default({}),
  horizons: z.array(z.int().min(1)).min(1),
  timeframe: z.enum(['1h', '1d']),
  calendar: z.string(),
  instruments: z.array(z.strictObject({ id: z.string(), from: count, to: count })).min(1),
  ...fittedSchema.shape,
  trainedThrough: z.number(),
  rows: count,
  /** Is there a column of first prices? */
  opens: z.literal(true).exactOptional(),
  split: z.strictObject({ train: count, valid: count, test: count }),
});

const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/** Encodes for storage; equal data gives equal bytes. */
export function encodePrepared(prepared: Prepared): Uint8Array {
  requireLittleEndian();
  const { openTime, close, features, labels, labelChanges, open, split, ...rest } = prepared;
  const header = {
    ...rest,
    rows: openTime.length,
    ...(open && { opens: true as const }),
    split: {
      train: split.train.length,
      valid: split.valid.length,
      test: split.test.length,
    },
  };
  const json = new TextEncoder().encode(JSON.stringify(headerSchema.parse(header)));
  const headerBytes = padded(json.length);
  const columns = [
    ...[openTime, close, features, labels],
    ...(labelChanges ? [labelChanges] : []),
    ...(open ? [open] : []),
    ...[split.train, split.valid, split.test],
  ];
  const size = columns.reduce((sum, c) => sum + padded(c.byteLength), PREAMBLE_BYTES + headerBytes);
  const bytes = new Uint8Array(size);
  bytes.set(new TextEncoder().encode(MAGIC), 0);
  new DataView(bytes.buffer).setUint32(8, headerBytes, true);
  bytes.fill(0x20, PREAMBLE_BYTES, PREAMBLE_BYTES + headerBytes);
  bytes.set(json, PREAMBLE_BYTES);
  let at = PREAMBLE_BYTES + headerBytes;
  for (const column of columns) {
    bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at);
    at += padded(column.byteLength);
  }
  return bytes;
}

/** Decodes what `encodePrepared` wrote; throws `prepared.corrupt` for anything else. */
export function decodePrepared(bytes: Uint8Array): Prepared {
  requireLittleEndian();
  const { header, headerEnd } = readHeader(bytes);
  const { rows, split, opens, ...rest } = header;
  const features = rest.featureNames.length;
  const horizons = rest.horizons.length;
  let at = headerEnd;
  const take = (byteLength: number): ArrayBuffer => {
    const end = at + byteLength;
    if (at + padded(byteLength) > bytes.length) {
      throw corrupt(`${bytes.length} bytes are fewer than its header declares`);
    }
    const copy = new ArrayBuffer(byteLength);
    new Uint8Array(copy).set(bytes.subarray(at, end));
    at += padded(byteLength);
    return copy;
  };
  const prepared: Prepared = {
    ...rest,
    openTime: new Float64Array(take(rows * 8)),
    close: new Float64Array(take(rows * 8)),
    features: new Float64Array(take(rows * features * 8)),
    labels: new Float64Array(take(rows * horizons * 8)),
    // Columns lie in this order; only labels with classes have changes.
    ...(rest.classes && { labelChanges: new Float64Array(take(rows * horizons * 8)) }),
    ...(opens && { open: new Float64Array(take(rows * 8)) }),
    split: {
      train: new Int32Array(take(split.train * 4)),
      valid: new Int32Array(take(split.valid * 4)),
      test: new Int32Array(take(split.test * 4)),
    },
  };
  if (at !== bytes.length) throw corrupt(`${bytes.length - at} bytes follow its last column`);
  requireConsistent(prepared);
  return prepared;
}

function readHeader(bytes: Uint8Array) {
  if (bytes.length < PREAMBLE_BYTES) throw corrupt('it is shorter than its preamble');
  const magic = new TextDecoder('latin1').decode(bytes.subarray(0, 8));
  if (magic !== MAGIC) throw corrupt('it does not begin with the magic of prepared data');
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset).getUint32(8, true);
  const headerEnd = PREAMBLE_BYTES + headerBytes;
  if (headerBytes > MAX_HEADER_BYTES || headerBytes % 8 !== 0 || headerEnd > bytes.length) {
    throw corrupt(`its header cannot be ${headerBytes} bytes long`);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes.subarray(PREAMBLE_BYTES, headerEnd)));
  } catch (cause) {
    throw corrupt('its header is not JSON', cause);
  }
  const parsed = headerSchema.safeParse(value);
  if (!parsed.success) throw corrupt(`its header is not valid: ${z.prettifyError(parsed.error)}`);
  return { header: parsed.data, headerEnd };
}

/** What types cannot say: rows in range, per-column lists of the right length. */
function requireConsistent(prepared: Prepared): void {
  const rows = prepared.openTime.length;
  const horizons = prepared.horizons.length;
  const width = prepared.featureNames.length;
  const pool = prepared.instruments.length;
  const { features, labels } = prepared.scalers;
  const lengths: readonly [string, number, number][] = [
    ['feature offsets', features.offset.length, width],
    ['feature factors', features.factor.length, width],
    ['feature bounds', features.bounds?.low.length ?? width, width],
    ['label offsets', labels.offset.length, horizons],
    ['label bounds', prepared.labelBounds?.low.length ?? horizons, horizons],
    ['label factors', labels.factor.length, horizons],
    ['label means', prepared.trainLabelMean.length, horizons],
    ['label variances', prepared.trainLabelVariance.length, horizons],
    ['class priors', prepared.classes?.priors.length ?? horizons, horizons],
    ['class changes', prepared.classes?.changes.length ?? horizons, horizons],
    ...(prepared.byInstrument ?? []).flatMap((own): [string, number, number][] => [
      ['feature offsets', own?.scalers?.features.offset.length ?? features.offset.length, width],
      ['label offsets', own?.scalers?.labels.offset.length ?? horizons, horizons],
      ['label means', own?.trainLabelMean.length ?? horizons, horizons],
    ]),
    ['instruments', prepared.byInstrument?.length ?? pool, pool],
  ];
  for (const [what, found, wanted] of lengths) {
    if (found !== wanted) throw corrupt(`it has ${found} ${what} for ${wanted} columns`);
  }
  for (const { id, from, to } of prepared.instruments) {
    if (from > to || to > rows) throw corrupt(`rows ${from}..${to} of ${id} lie outside of it`);
  }
  for (const [part, list] of Object.entries(prepared.split)) {
    for (const row of list as Int32Array) {
      if (row < prepared.lookback - 1 || row >= rows) {
        throw corrupt(`row ${row} of its ${part} part has no window`);
      }
    }
  }
}

function requireLittleEndian(): void {
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] === 1) return;
  throw new RatchetError('prepared.endianness', 'this machine is not little-endian');
}

const corrupt = (why: string, cause?: unknown): RatchetError =>
  new RatchetError('prepared.corrupt', `the prepared data cannot be read: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
  });
