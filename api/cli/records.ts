import type { Command } from 'commander';
import { nearestName } from '../../core/spec/index.ts';
import { openClient, type ApiClient, type Json } from './http.ts';
import { integer } from './options.ts';
import { CliError, EXIT, shortened, toMinute, type CliContext } from './output.ts';

/** Of one answer of the API. */
const MAX_VERSIONS = 500;

/** `--json` has all of them. */
const SPANS_SHOWN = 3;

const versionColumns = [
  { title: 'dataset version', value: (row: Json) => String(row['hash']).slice(0, 12) },
  { title: 'frozen', value: (row: Json) => toMinute(row['createdAt']) },
  { title: 'bars', value: (row: Json) => String(row['rows']), align: 'right' as const },
  { title: 'from', value: (row: Json) => toMinute(row['firstBar']) },
  { title: 'to', value: (row: Json) => toMinute(row['lastBar']) },
  { title: 'delivered by', value: (row: Json) => deliveriesOf(row) },
];

const datasetColumns = [
  { title: 'dataset', value: (row: Json) => String(row['name']) },
  { title: 'source', value: (row: Json) => String(row['source']) },
  { title: 'calendar', value: (row: Json) => String(row['calendar']) },
  {
    title: 'instruments',
    value: (row: Json) => shortened((row['instruments'] as string[] | null)?.join(' ') ?? '-'),
  },
  {
    title: 'notice',
    value: (row: Json) => shortened((row['notice'] as string | null) ?? '-', 80),
  },
];

/** The sources of a version with their bars, and where each of them gave which. */
function deliveriesOf(row: Json): string {
  const deliveries = row['deliveries'] as Json[];
  if (deliveries.length === 0) return String(row['deliveredBy']);
  return deliveries
    .map(({ dataset, role, rows, ranges, moreRanges }) => {
      const spans = (ranges as Json[]).map(({ from, to }) => `${from}..${to}`);
      const more = Number(moreRanges) + Math.max(0, spans.length - SPANS_SHOWN);
      const shown = spans.slice(0, SPANS_SHOWN).join(', ') + (more > 0 ? `, ${more} more` : '');
      return `${dataset} (${role}): ${rows}${shown === '' ? '' : ` (${shown})`}`;
    })
    .join('; ');
}

/** The frozen versions of an instrument, or what a dataset of that name is. */
async function versionsOf(
  ctx: CliContext,
  client: ApiClient,
  name: string,
  limit: number,
): Promise<void> {
  const query = { instrument: name, limit };
  const { items } = await client.json('GET', '/api/v1/dataset-versions', { query });
  const versions = items as Json[];
  if (versions.length > 0) return ctx.out.table(versions, versionColumns);
  const datasets = (await client.json('GET', '/api/v1/datasets'))['items'] as Json[];
  const named = datasets.filter((row) => row['name'] === name);
  if (named.length > 0) return ctx.out.table(named, datasetColumns);
  const instruments = datasets.flatMap((row) => (row['instruments'] as string[] | null) ?? []);
  if (instruments.includes(name)) {
    return ctx.out.table([], versionColumns, 'no bars of it were frozen yet');
  }
  const newest = await client.json('GET', '/api/v1/dataset-versions', {
    query: { limit: MAX_VERSIONS },
  });
  const frozen = (newest['items'] as Json[]).map((row) => String(row['instrument']));
  const known = [...instruments, ...frozen, ...datasets.map((row) => String(row['name']))];
  const nearest = nearestName(name, known);
  throw new CliError(
    EXIT.notFound,
    `there is no dataset ${name}, and no dataset or frozen version has an instrument of that name`,
    {
      hint:
        nearest === undefined
          ? '`ratchet datasets` lists the datasets'
          : `did you mean "${nearest}"? \`ratchet datasets\` lists the datasets`,
    },
  );
}

/** `datasets`, `audit`. */
export function registerRecords(program: Command, ctx: CliContext): void {
  program
    .command('datasets [name]')
    .description(
      'datasets that a spec may name, or one; of an instrument: its frozen versions, and which bar came from where',
    )
    .option('-n, --limit <n>', 'how many versions', integer(1, MAX_VERSIONS), 20)
    .action(async (instrument: string | undefined, { limit }: { limit: number }) => {
      const client = await openClient(ctx);
      if (instrument !== undefined) return versionsOf(ctx, client, instrument, limit);
      const { items } = await client.json('GET', '/api/v1/datasets');
      return ctx.out.table(items as Json[], datasetColumns);
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
