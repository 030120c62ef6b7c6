import type { Command } from 'commander';
import { openClient, type Json } from './http.ts';
import { integer } from './options.ts';
import { shortened, type CliContext } from './output.ts';

/** `datasets`, `audit`. */
export function registerRecords(program: Command, ctx: CliContext): void {
  program
    .command('datasets')
    .description('datasets that a spec may name')
    .action(async () => {
      const client = await openClient(ctx);
      const { items } = await client.json('GET', '/api/v1/datasets');
      ctx.out.table(items as Json[], [
        { title: 'dataset', value: (row) => String(row['name']) },
        { title: 'source', value: (row) => String(row['source']) },
        { title: 'calendar', value: (row) => String(row['calendar']) },
        {
          title: 'instruments',
          value: (row) => shortened((row['instruments'] as string[] | null)?.join(' ') ?? '-'),
        },
        { title: 'notice', value: (row) => shortened((row['notice'] as string | null) ?? '-', 80) },
      ]);
    });

  program
    .command('audit')
    .description('who changed what, newest first')
    .option('-n, --limit <n>', 'how many', integer(1, 500), 50)
    .option('-o, --object <object>', 'of one object, such as model/index-gspc')
    .option('-a, --actor <actor>', 'by one key')
    .action(async (options: { limit: number; object?: string; actor?: string }) => {
      const client = await openClient(ctx);
      const { items } = await client.json('GET', '/api/v1/audit', { query: { ...options } });
      ctx.out.table(
        items as Json[],
        [
          { title: 'at', value: (row) => String(row['at']) },
          { title: 'by', value: (row) => String(row['actor']) },
          { title: 'action', value: (row) => String(row['action']) },
          { title: 'object', value: (row) => String(row['object']) },
          {
            title: 'request or workflow',
            value: (row) => (row['workflowId'] ?? row['requestId']) as string | null,
          },
        ],
        'nothing yet',
      );
    });
}
