import type { Command } from 'commander';
import { openClient, type ApiClient, type Json } from './http.ts';
import { integer, list, segment } from './options.ts';
import { CliError, EXIT, type CliContext } from './output.ts';

const KEY_ID = /^[a-z0-9]{10}$/;

const OWN_KEY =
  'this command uses the old one itself: put the new one into RATCHET_API_KEY, or, for the local stack, into keys/admin.key of its state folder';

function checkId(id: string): void {
  if (KEY_ID.test(id)) return;
  throw new CliError(EXIT.usage, `${id.slice(0, 40)} is not the id of a key`, {
    hint: '`ratchet keys list` shows the ids; the id of rk_ID_SECRET is its middle part',
  });
}

interface CreateOptions {
  readonly scopes: readonly string[];
  readonly models?: readonly string[];
  readonly expires?: string;
}

async function create(ctx: CliContext, name: string, options: CreateOptions): Promise<void> {
  const client = await openClient(ctx);
  const { scopes, models, expires: expiresAt } = options;
  const body = { name, scopes, models, expiresAt };
  const answer = await client.json('POST', '/api/v1/keys', { body });
  ctx.out.data(answer);
  ctx.out.line(String(answer['token']));
  ctx.out.line('this is the only time it is shown');
  for (const model of await missingModels(client, models)) {
    ctx.out.warn(`there is no model ${model} yet: the key opens nothing of it until there is`);
  }
}

/** Those that nobody made yet: a key may come before its model, or its name be mistyped. */
async function missingModels(
  client: ApiClient,
  models: readonly string[] = [],
): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const model of new Set(models)) {
    try {
      await client.json('GET', `/api/v1/ml-models/${segment(model)}`);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      // The key is made and shown: that nobody can look now is no failure of it.
      if (error.exitCode === EXIT.notFound) missing.push(model);
    }
  }
  return missing;
}

/** `keys create/list/rotate/revoke`. */
export function register(program: Command, ctx: CliContext): void {
  const keys = program.command('keys').description('API keys: create, list, rotate, revoke');
  keys
    .command('list')
    .description('all keys, newest first')
    .action(async () => {
      const client = await openClient(ctx);
      const { items } = await client.json('GET', '/api/v1/keys');
      ctx.out.table(items as Json[], [
        { title: 'id', value: (row) => String(row['id']) },
        { title: 'name', value: (row) => String(row['name']) },
        { title: 'scopes', value: (row) => (row['scopes'] as string[]).join(' ') },
        {
          title: 'models',
          value: (row) => (row['models'] as string[]).join(' ') || 'all',
        },
        { title: 'expires', value: (row) => (row['expiresAt'] as string | null) ?? 'never' },
        { title: 'revoked', value: (row) => row['revokedAt'] as string | null },
      ]);
    });
  keys
    .command('create')
    .argument('<name>', 'who or what it is for')
    .description('make a key; its token is shown once')
    .requiredOption('-s, --scopes <scopes>', 'read,experiment,predict,promote,admin', list)
    .option('-m, --models <models>', 'only for these models', list)
    .option('-e, --expires <time>', 'a date, or ISO 8601 with a zone')
    .action((name: string, options: CreateOptions) => create(ctx, name, options));
  keys
    .command('rotate')
    .argument('<id>', 'the part after rk_, as `keys list` shows it')
    .description('replace a key by a new one of the same rights; its token is shown once')
    .option('-g, --grace <minutes>', 'how long the old one stays valid', integer(0, 10_080), 60)
    .action(async (id: string, options: { grace: number }) => {
      checkId(id);
      const { key } = await ctx.connect();
      const client = await openClient(ctx);
      const body = { graceMinutes: options.grace };
      const path = `/api/v1/keys/${segment(id)}/rotate`;
      const answer = await client.json('POST', path, { body });
      const { expiresAt } = answer['former'] as { expiresAt: string };
      ctx.out.data(answer);
      ctx.out.line(String(answer['token']));
      ctx.out.line(`this is the only time it is shown; ${id} is valid until ${expiresAt}`);
      if (key.startsWith(`rk_${id}_`)) ctx.out.line(OWN_KEY);
    });
  keys
    .command('revoke')
    .argument('<id>', 'the part after rk_, as `keys list` shows it')
    .description('revoke a key; replicas follow within seconds')
    .action(async (id: string) => {
      checkId(id);
      const client = await openClient(ctx);
      await client.json('DELETE', `/api/v1/keys/${segment(id)}`);
      ctx.out.data({ revoked: id });
      ctx.out.line(`${id} is revoked`);
    });
}
