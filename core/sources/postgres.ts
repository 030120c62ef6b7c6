import { z } from 'zod';
import { defineSource } from './source.ts';
import { sqlFields } from './sql.ts';

export const postgresParams = z.strictObject(sqlFields);
export type PostgresParams = z.infer<typeof postgresParams>;

export const postgres = defineSource({
  name: 'postgres',
  docs: "A query of the operator over a PostgreSQL database, in a read-only transaction; the dataset's `connectionFile` holds its URL.",
  params: postgresParams,
  columns: ['volume', 'value'],
  declaredDelayMs: 0,
  load: () => import('./postgres.impl.ts'),
});
