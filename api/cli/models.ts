import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { parse as parseYaml } from 'yaml';
import { registerChampion } from './champion.ts';
import { openClient, type Json } from './http.ts';
import { registerLifecycle } from './lifecycle.ts';
import { integer, list, segment, version } from './options.ts';
import { CliError, EXIT, type CliContext, shortened } from './output.ts';
import { registerRecords } from './records.ts';
import { registerStory } from './story.ts';
import { registerTrain } from './train.ts';
import { registerVersions } from './versions.ts';

const MODELS = '/api/v1/ml-models';

/** `models`, `model create/update/delete`, and what belongs to one model. */
export function register(program: Command, ctx: CliContext): void {
  program
    .command('models')
    .argument('[model]', 'show this one with its template')
    .description('list models, or show one')
    .option('-n, --limit <n>', 'how many', integer(1, 500), 100)
    .option('-g, --group <group>', 'of one group')
    .action((model: string | undefined, options: { limit: number; group?: string }) =>
      model === undefined ? listModels(ctx, options) : showModel(ctx, model),
    );

  const model = program.command('model').description('create, update or delete a model');
  model
    .command('create')
    .argument('<name>')
    .description('register a model')
    .requiredOption('-i, --instruments <ids>', 'the instruments it answers for: ^GSPC,...', list)
    .option('-t, --timeframe <timeframe>', '1d or 1h', '1d')
    .option('-g, --group <group>', 'models made by one template share a group')
    .option('-d, --description <text>')
    .option('--template <spec>', 'the spec that `train` runs, a YAML or JSON file')
    .action((name: string, options: CreateOptions) => createModel(ctx, name, options));
  model
    .command('update')
    .argument('<name>')
    .description('change its description, group or template')
    .option('-g, --group <group>')
    .option('-d, --description <text>')
    .option('--template <spec>', 'the spec that `train` runs, a YAML or JSON file')
    .action((name: string, options: UpdateOptions) => updateModel(ctx, name, options));
  model
    .command('delete')
    .argument('<name>')
    .description('retire a model, or delete one of its versions')
    .option('--version-number <n>', 'delete this version only', version)
    .option('--force', 'also when it serves')
    .action((name: string, options: { versionNumber?: number; force?: boolean }) =>
      deleteModel(ctx, name, options),
    );
  registerVersions(program, ctx);
  registerChampion(program, ctx);
  registerLifecycle(program, ctx);
  registerStory(program, ctx);
  registerTrain(program, ctx);
  registerRecords(program, ctx);
}

interface UpdateOptions {
  readonly group?: string;
  readonly description?: string;
  readonly template?: string;
}
interface CreateOptions extends UpdateOptions {
  readonly instruments: string[];
  readonly timeframe: string;
}

const championOf = (row: Json): string => {
  const champion = row['champion'] as { version?: number } | null;
  return champion?.version === undefined ? '-' : `v${champion.version}`;
};

async function listModels(
  ctx: CliContext,
  options: { limit: number; group?: string },
): Promise<void> {
  const client = await openClient(ctx);
  const { items } = await client.json('GET', MODELS, { query: { ...options } });
  ctx.out.table(
    items as Json[],
    [
      { title: 'model', value: (row) => String(row['name']) },
      { title: 'champion', value: championOf },
      { title: 'instruments', value: (row) => (row['instruments'] as string[]).join(' ') },
      { title: 'timeframe', value: (row) => String(row['timeframe']) },
      { title: 'group', value: (row) => row['group'] as string | null },
      { title: 'description', value: (row) => shortened(String(row['description'])) },
    ],
    'no models yet: ratchet run examples/demo.yaml makes some',
  );
}

async function showModel(ctx: CliContext, name: string): Promise<void> {
  const client = await openClient(ctx);
  const row = await client.json('GET', `${MODELS}/${segment(name)}`);
  ctx.out.data(row);
  ctx.out.line(`${String(row['name'])}  (champion ${championOf(row)})`);
  ctx.out.line(`instruments  ${(row['instruments'] as string[]).join(' ')}`);
  ctx.out.line(`timeframe    ${String(row['timeframe'])}`);
  if (row['description'] !== '') ctx.out.line(`description  ${String(row['description'])}`);
  const template =
    row['template'] === null ? "the champion's spec" : JSON.stringify(row['template']);
  ctx.out.line(`template     ${template}`);
}

async function readTemplate(file: string | undefined): Promise<unknown> {
  if (file === undefined) return undefined;
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CliError(EXIT.notFound, `there is no file ${file}`, { cause });
  });
  try {
    return parseYaml(text, { maxAliasCount: 100 }) as unknown;
  } catch (cause) {
    throw new CliError(EXIT.usage, `${file} is neither YAML nor JSON`, { cause });
  }
}

async function createModel(ctx: CliContext, name: string, options: CreateOptions): Promise<void> {
  const { instruments, timeframe, group, description } = options;
  const template = await readTemplate(options.template);
  const client = await openClient(ctx);
  const body = { name, instruments, timeframe, group, description, template };
  const row = await client.json('POST', MODELS, { body });
  ctx.out.data(row);
  ctx.out.line(`${name} is registered`);
}

async function updateModel(ctx: CliContext, name: string, options: UpdateOptions): Promise<void> {
  const template = await readTemplate(options.template);
  const body = { group: options.group, description: options.description, template };
  if (Object.values(body).every((value) => value === undefined)) {
    throw new CliError(EXIT.usage, 'say what to change: --description, --group or --template');
  }
  const client = await openClient(ctx);
  const row = await client.json('PUT', `${MODELS}/${segment(name)}`, { body });
  ctx.out.data(row);
  ctx.out.line(`${name} is changed`);
}

async function deleteModel(
  ctx: CliContext,
  name: string,
  options: { versionNumber?: number; force?: boolean },
): Promise<void> {
  const client = await openClient(ctx);
  const path = `${MODELS}/${segment(name)}`;
  const number = options.versionNumber;
  if (number === undefined) {
    await client.json('DELETE', path, { query: { force: options.force ? 'true' : 'false' } });
    ctx.out.data({ deleted: name });
    ctx.out.line(`${name} is retired`);
    return;
  }
  await client.json('DELETE', `${path}/versions/${number}`);
  ctx.out.data({ deleted: name, version: number });
  ctx.out.line(`version ${number} of ${name} is deleted`);
}
