import { z } from 'zod';

/** A column by its name in the header (upper and lower case alike) or its place, counted from 1. */
const columnRef = z.union([z.string().min(1).max(64), z.int().min(1).max(256)]);
export type ColumnRef = z.infer<typeof columnRef>;

export const TIME_FORMATS = ['iso', 'm/d/yyyy', 'd/m/yyyy', 'yyyymmdd', 's', 'ms', 'us'] as const;
export type TimeFormat = (typeof TIME_FORMATS)[number];

const ZONE = /^(UTC|[+-](0\d|1[0-4]):[0-5]\d|[A-Z][A-Za-z_]+(\/[A-Za-z0-9_+-]+)+)$/;

function isKnownZone(zone: string): boolean {
  if (/^(UTC|[+-])/.test(zone)) return true;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/** What a file of bars looks like: all that a reader must know, so that no format is a case in code. */
export const profileSchema = z.strictObject({
  delimiter: z.string().length(1).default(',').describe('Character between cells.'),
  decimal: z.enum(['.', ',']).default('.').describe('Decimal mark of numbers.'),
  skipLines: z.int().min(0).max(100).default(0).describe('Lines before the header.'),
  header: z.boolean().default(true).describe('The first line names the columns.'),
  skipAfterHeader: z.int().min(0).max(100).default(0).describe('Lines between header and rows.'),
  columns: z
    .strictObject({
      time: columnRef,
      open: columnRef,
      high: columnRef,
      low: columnRef,
      close: columnRef,
      volume: columnRef.optional().describe('Absent: volume is 0.'),
      value: columnRef.optional().describe('Traded value in quote currency.'),
      dividend: columnRef.optional().describe('Cash dividend on its ex-date.'),
      split: columnRef.optional().describe('New shares for one old; 0 or 1: none.'),
    })
    .describe('Where each column is: a header name, or a place counted from 1.'),
  time: z
    .strictObject({
      format: z
        .enum(TIME_FORMATS)
        .default('iso')
        .describe('iso (YYYY-MM-DD, with or without time and offset), or epoch s, ms or us.'),
      zone: z
        .string()
        .regex(ZONE, 'UTC, an offset such as +09:00, or a zone such as America/New_York')
        .refine(isKnownZone, 'no such time zone')
        .default('UTC')
        .describe('Zone of stamps that carry no offset; of epochs: zone of the session date.'),
      stamp: z.enum(['open', 'close']).default('open').describe('Which end of the bar it marks.'),
    })
    .prefault({}),
  priceScale: z.number().positive().default(1).describe('Price = cell x this.'),
  volumeScale: z.number().positive().default(1).describe('Volume = cell x this.'),
  blank: z
    .enum(['skip', 'refuse'])
    .default('skip')
    .describe('Rows whose prices are blank, null or NaN: left out with a note, or an error.'),
  zeroPrice: z
    .enum(['refuse', 'skip'])
    .default('refuse')
    .describe('Rows with a price of 0: kept for the quality rules to refuse, or left out.'),
  adjusted: z
    .enum(['none', 'splits', 'all'])
    .default('none')
    .describe('What the prices already contain; dividend and split columns apply only beyond it.'),
  factors: z
    .strictObject({
      file: z
        .string()
        .min(1)
        .max(200)
        .describe('File name; {id} and {lower} stand for the instrument.'),
      delimiter: z.string().length(1).default(','),
      header: z.boolean().default(false),
      date: columnRef.default(1),
      price: columnRef.default(2),
      split: columnRef.default(3),
      format: z.enum(['yyyymmdd', 'iso']).default('yyyymmdd'),
    })
    .optional()
    .describe('Price and split factors that apply up to and including each date.'),
});
export type Profile = z.output<typeof profileSchema>;
export type ProfileInput = z.input<typeof profileSchema>;
