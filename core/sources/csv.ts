import { fileParams } from './files.ts';
import { defineSource } from './source.ts';

export const csv = defineSource({
  name: 'csv',
  docs: 'Delimited text files (plain, gzip or zip) read through a declared profile.',
  params: fileParams,
  columns: ['volume', 'value'],
  declaredDelayMs: 0,
  load: () => import('./csv.impl.ts'),
});
