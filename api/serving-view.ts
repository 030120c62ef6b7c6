import { z } from '@hono/zod-openapi';
import type { Champion } from '../registry/champions.ts';

/** Which version serves, of a model that has one. */
export const servingSchema = z.object({ version: z.int(), generation: z.int(), since: z.string() });

export const servingView = (row: Champion | undefined): z.infer<typeof servingSchema> | null =>
  row
    ? { version: row.version, generation: row.generation, since: row.valid_from.toISOString() }
    : null;
