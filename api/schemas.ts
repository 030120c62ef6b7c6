import { z } from '@hono/zod-openapi';
import { isDay } from '../core/calendar/day.ts';
import { INSTRUMENT_PATTERN, NAME_PATTERN } from '../core/spec/spec.ts';

/** Shapes that several routes share. */
export const modelName = z
  .string()
  .regex(NAME_PATTERN, 'lower case letters, digits, ".", "_", "-"; 63 at most')
  .openapi({ example: 'index-gspc' });
export const instrumentId = z
  .string()
  .regex(INSTRUMENT_PATTERN, 'an instrument id such as ^GSPC')
  .openapi({ example: '^GSPC' });
export const ulidSchema = z
  .string()
  .regex(/^[0-9A-HJKMNP-TV-Z]{26}$/, 'a ULID')
  .openapi({ example: '01JCRATCHET0000000000000AB' });
/** Version numbers are int4 in the registry. */
const MAX_VERSION = 2_147_483_647;
export const versionNumber = z.int().min(1).max(MAX_VERSION);
export const versionText = z
  .string()
  .regex(/^[1-9]\d{0,9}$/, 'a version is a number from 1')
  .transform(Number)
  .pipe(versionNumber);

/** What a prediction was made as. */
export const predictionRole = z.enum(['champion', 'canary', 'shadow', 'pinned']);

export const modelParam = z.object({ name: modelName });
export const versionParam = z.object({ name: modelName, version: versionText });

/** Times come as ISO 8601 with a zone, or as a date (midnight UTC). */
export const instant = z
  .string()
  .max(40)
  .regex(/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/, {
    error: 'ISO 8601 with a zone, such as 2026-11-20T21:00:00Z, or a date',
    abort: true,
  })
  .refine((text) => isDay(text.slice(0, 10)) && !Number.isNaN(Date.parse(text)), 'no such date');

export const DEFAULT_PAGE = 50;
export const MAX_PAGE = 500;
export const limitQuery = z.coerce.number().int().min(1).max(MAX_PAGE).default(DEFAULT_PAGE);
/**
 * Cursor of rows that are ordered by a time and, where that is the same, by something else: `TIME_REST`.
 * What is no time or no such rest is refused here, not by the database.
 */
export const timeCursor = <T>(restSchema: z.ZodType<T, string>) =>
  z.string().transform((text, ctx) => {
    const [, at, rest] = /^(\d{4}-\d{2}-\d{2}T[\d:.]{5,18}Z)_(\w{1,40})$/.exec(text) ?? [];
    const time = instant.safeParse(at);
    const parsed = restSchema.safeParse(rest);
    if (time.success && parsed.success) return { at: new Date(time.data), rest: parsed.data };
    ctx.addIssue({ code: 'custom', message: '`nextCursor` of the page before' });
    return z.NEVER;
  });

/** An id of the registry that counts up (bigint). */
export const sequenceText = z.string().regex(/^\d{1,18}$/, 'a number');

/** Idempotency keys: any printable text a client makes, such as a UUID. */
export const idempotencyHeader = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{8,128}$/, '8 to 128 printable characters')
    .optional(),
});

/** Why a person did something: stands in the audit and in the story of the model. */
export const reasonText = z.string().trim().min(1).max(500);

/** A JSON answer for OpenAPI. */
export const jsonAnswer = <S extends z.ZodType>(schema: S, description: string) => ({
  description,
  content: { 'application/json': { schema } },
});

/** A required JSON body. */
export const jsonRequest = <S extends z.ZodType>(schema: S) => ({
  required: true as const,
  content: { 'application/json': { schema } },
});

export const iso = (date: Date | null): string | null =>
  date === null ? null : date.toISOString();
