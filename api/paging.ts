import { z } from '@hono/zod-openapi';
import { jsonAnswer, limitQuery } from './schemas.ts';

/** What a page goes on behind. */
export const cursorOf = <C extends z.ZodType>(schema: C) =>
  schema.optional().describe('`nextCursor` of the page before.');

/** Query of a route that lists the newest first; `cursor`: what its rows are ordered by. */
export const pageQuery = <C extends z.ZodType>(cursor: C) => ({
  limit: limitQuery,
  before: cursorOf(cursor),
});

/** One page of `item` as an answer. */
export const pageAnswer = <I extends z.ZodType>(item: I) =>
  jsonAnswer(z.object({ items: z.array(item), nextCursor: z.string().nullable() }), 'One page');

/** Where the next page goes on; null behind the last. A full page may be it: the next one is empty then. */
export function nextCursor<R, C>(
  rows: readonly R[],
  limit: number,
  cursor: (row: R) => C,
): C | null {
  const last = rows.length === limit ? rows.at(-1) : undefined;
  return last === undefined ? null : cursor(last);
}
