import { fileParams } from './files.ts';
import { defineSource } from './source.ts';

export const parquet = defineSource({
  name: 'parquet',
  docs: 'Parquet files (read by DuckDB); the profile names columns, time zone and scale.',
  params: fileParams.extend({ file: fileParams.shape.file.default('{id}.parquet') }),
  columns: ['volume', 'value'],
  declaredDelayMs: 0,
  load: () => import('./parquet.impl.ts'),
});
