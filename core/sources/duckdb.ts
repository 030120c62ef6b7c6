import { z } from 'zod';
import { defineSource } from './source.ts';
import { sqlFields } from './sql.ts';

export const duckdbParams = z.strictObject({
  file: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe(
      'Database file below the root, opened for reading; absent: the query names files itself.',
    ),
  ...sqlFields,
});
export type DuckdbParams = z.infer<typeof duckdbParams>;

export const duckdb = defineSource({
  name: 'duckdb',
  docs:
    'A query of the operator over a DuckDB database, or over CSV and Parquet files below the root ' +
    "(`read_parquet('{root}/bars/*.parquet')`).",
  params: duckdbParams,
  columns: ['volume', 'value'],
  declaredDelayMs: 0,
  load: () => import('./duckdb.impl.ts'),
});
