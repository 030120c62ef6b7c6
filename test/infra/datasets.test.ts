import assert from 'node:assert/strict';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { NamedDataset } from '../../activities/deps.ts';
import { sources } from '../../core/sources/index.ts';
import { profileSchema } from '../../core/sources/profile.ts';
import { profiles } from '../../core/sources/profiles.ts';
import { loadDatasets } from '../../infra/datasets.ts';
import { createSourceContext } from '../../workers/source-context.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ratchet-datasets-'));
});
after(() => rm(folder, { recursive: true }));

let files = 0;
async function load(yaml: string): Promise<ReadonlyMap<string, NamedDataset>> {
  const file = join(folder, `config-${++files}.yaml`);
  await writeFile(file, yaml);
  return loadDatasets({ dataDir: undefined }, file);
}
const bundled = () => load('');

test('bundled datasets: their files are there, their settings parse, their terms are told', async () => {
  for (const [name, dataset] of await bundled()) {
    assert.equal(dataset.name, name);
    const source = sources.get(dataset.source)!;
    const params = source.params.parse(dataset.params) as { files?: Record<string, string> };
    assert.ok(dataset.notice, name);
    if (dataset.root === undefined) continue;
    const ctx = createSourceContext(dataset, new AbortController().signal);
    const names = await ctx.listFiles();
    assert.ok(
      names.some((n) => n.startsWith('LICENSE')),
      `${name} lies beside its licence`,
    );
    for (const file of Object.values(params.files ?? {})) assert.ok(names.includes(file), file);
  }
});

test("an operator's dataset is added, its root lies beside the file, and it may replace a bundled one", async () => {
  const datasets = await load(`
datasets:
  sp500-daily:
    source: csv
    calendar: nyse
    root: bars
    params: { file: "{lower}.csv.gz", profile: { columns: { time: 1, open: o, high: h, low: l, close: c } } }
  live: { source: yahoo, calendar: nyse, hosts: [query1.finance.yahoo.com], instruments: ["^GSPC"] }
`);
  assert.equal(datasets.get('sp500-daily')!.root, join(folder, 'bars'));
  assert.deepEqual(datasets.get('live')!.instruments, ['^GSPC']);
  assert.ok(datasets.has('nasdaq-daily'));
});

test("a vendor's key stays in its file: nothing that is shown, hashed or stored holds it", async () => {
  await writeFile(join(folder, 'vendor.key'), 'very-secret\n');
  const datasets = await load(`
datasets:
  macro:
    source: fred
    calendar: nyse
    secretFile: vendor.key
    params: { series: { rate: { id: DFF, frequency: daily } } }
`);
  const macro = datasets.get('macro')!;
  assert.equal(createSourceContext(macro, new AbortController().signal).secret(), 'very-secret');
  assert.doesNotMatch(JSON.stringify(macro), /very-secret/);
  const without = { ...macro };
  delete without.secret;
  assert.throws(() => createSourceContext(without, new AbortController().signal).secret(), {
    code: 'source.not-allowed',
  });
});

const WRONG: readonly (readonly [string, string, RegExp])[] = [
  [
    'a source that does not exist',
    'datasets: { a: { source: nowhere, calendar: nyse } }',
    /datasets\.a\.source: no such source; there are: ccxt, csv, duckdb, parquet, postgres, simulated, upbit, yahoo/,
  ],
  [
    'a calendar that does not exist',
    'datasets: { a: { source: csv, calendar: lse } }',
    /datasets\.a\.calendar: no such calendar; there are: nyse, 24x7/,
  ],
  ['a name with a blank', 'datasets: { "my bars": { source: csv, calendar: nyse } }', /my bars/],
  [
    'a setting the source does not know',
    'datasets: { a: { source: csv, calendar: nyse, params: { files: {}, tz: KST } } }',
    /datasets\.a\.params: .*tz/,
  ],
  [
    'a wrong zone in a profile',
    'datasets: { a: { source: csv, calendar: nyse, params: { profile: { columns: { time: 1, open: 2, high: 3, low: 4, close: 5 }, time: { zone: KST } } } } }',
    /datasets\.a\.params\.profile/,
  ],
  ['a key nobody reads', 'datsets: {}', /datsets/],
  ['broken YAML', 'datasets: { a: [', /cannot be read/],
  ['a list', '- a', /is not valid/],
];
for (const [what, yaml, message] of WRONG) {
  test(`ratchet.config.yaml with ${what} is refused with the place`, async () => {
    await assert.rejects(load(yaml), { code: 'config.file', message });
  });
}

test('RATCHET_DATA stands in only where the bundled folder is missing', async () => {
  const dataDir = join(folder, 'data');
  await mkdir(join(dataDir, 'index-arch'), { recursive: true });
  const file = join(folder, 'empty.yaml');
  await writeFile(file, '');
  const datasets = await loadDatasets({ dataDir }, file);
  assert.match(datasets.get('sp500-daily')!.root!, /examples\/data\/index-arch$/);
});

test('a simulated dataset trades on the calendar that its bars are made for', async () => {
  for (const [name, dataset] of await bundled()) {
    if (dataset.source !== 'simulated') continue;
    const params = sources.get('simulated')!.params.parse(dataset.params) as { calendar: string };
    assert.equal(params.calendar, dataset.calendar, name);
  }
});

test('a dataset reaches its own files and hosts, nothing else', async () => {
  const root = join(folder, 'root');
  await mkdir(root, { recursive: true });
  await writeFile(join(root, 'in.csv'), 'x');
  await writeFile(join(folder, 'out.csv'), 'secret');
  const dataset = {
    name: 'd',
    source: 'csv',
    params: {},
    hosts: ['allowed.example'],
    root,
    calendar: 'nyse',
  };
  const ctx = createSourceContext(dataset, new AbortController().signal);
  assert.deepEqual(await ctx.listFiles(), ['in.csv']);
  await assert.rejects(ctx.openFile('../out.csv'), { code: 'source.not-allowed' });
  await assert.rejects(ctx.openFile(join(folder, 'out.csv')), /no file|may not reach/);
  await assert.rejects(
    async () => ctx.http(new URL('http://169.254.169.254/')),
    /may not reach host/,
  );
});

test('the example of docs/datasets.md is a configuration', async () => {
  const docs = await readFile(join(import.meta.dirname, '../../docs/datasets.md'), 'utf8');
  const examples = [...docs.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1]!);
  assert.equal((await load(examples[0]!)).get('eth-hourly')!.calendar, '24x7');
  assert.equal((await load(examples[1]!)).get('kraken-hourly')!.source, 'ccxt');
  assert.equal((await load(examples[2]!)).get('desk-hourly')!.source, 'postgres');
  assert.equal((await load(examples[3]!)).get('macro')!.source, 'fred');
  assert.equal((await load(examples[5]!)).get('news')!.source, 'news-sentiment');
  assert.equal((await load(examples[7]!)).get('turning')!.source, 'simulated');
  for (const name of (await bundled()).keys()) assert.ok(docs.includes(`\`${name}\``), name);
  for (const name of profiles.keys()) assert.ok(docs.includes(`\`${name}\``), name);
  for (const key of Object.keys(profileSchema.shape)) {
    assert.ok(docs.includes(`\`${key}`), `${key} is documented`);
  }
});
