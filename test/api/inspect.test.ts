import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Command } from 'commander';
import { parse } from 'yaml';
import { register } from '../../api/cli/inspect.ts';
import { createOutput, type CliContext } from '../../api/cli/output.ts';
import { loadDatasets } from '../../infra/datasets.ts';
import { dataFile, skipWithoutLab } from '../support/lab-data.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ratchet-inspect-'));
});
after(() => rm(folder, { recursive: true }));

/** Runs `ratchet inspect ...` and gives what it printed. */
async function inspect(args: readonly string[], json = false): Promise<string> {
  let printed = '';
  const stdout = { write: (text: string) => ((printed += text), true) };
  const out = createOutput(stdout as unknown as NodeJS.WritableStream, () => json);
  const ctx = { json, out, interactive: false } as unknown as CliContext;
  const program = new Command().exitOverride();
  register(program, ctx);
  await program.parseAsync(['inspect', ...args], { from: 'user' });
  return printed;
}

async function fileOf(name: string, content: Uint8Array | string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, content);
  return file;
}

test('what it proposes can be pasted into ratchet.config.yaml and reads the file', async () => {
  const file = await fileOf('sp500.csv.gz', dataFile('index-arch/sp500.csv.gz'));
  const printed = await inspect([file]);
  assert.match(printed, /# 5031 bars of 1d, 1999-01-04 to 2018-12-31/);
  assert.match(printed, /quality: score 1\.000, passes/);
  const yaml = printed.slice(0, printed.indexOf('\n\n'));
  const config = await fileOf('ratchet.config.yaml', yaml);
  const dataset = (await loadDatasets({ dataDir: undefined }, config)).get('sp500')!;
  assert.deepEqual([dataset.source, dataset.calendar, dataset.root], ['csv', 'nyse', folder]);
  assert.equal(parse(yaml).datasets.sp500.root, folder, 'wherever the configuration lies');
});

test('a file without rows: nothing is said about how far they lie apart', async () => {
  const printed = await inspect([await fileOf('empty.csv', 'date,open,high,low,close,volume\n')]);
  assert.match(printed, /timeframe and calendar are guesses too/);
  assert.doesNotMatch(printed, /rows lie|sessions fit/);
});

test('--json gives one document with the same facts', async () => {
  const file = await fileOf('goog.zip', dataFile('stocks-lean/goog.zip'));
  const found = JSON.parse(await inspect([file], true));
  assert.equal(found.bars, 4183);
  assert.equal(found.rows.length, 5);
  assert.equal(
    found.quality.findings.some((f: { rule: string }) => f.rule === 'split-like'),
    true,
  );
  assert.equal(parse(JSON.stringify(found.datasets)).goog.params.profile, 'lean-daily');
});

test('--against another market finds the zone of a file', { skip: skipWithoutLab }, async () => {
  const kst = await fileOf('a.csv.gz', dataFile('crypto-upbit-kst/KRW-ETH.minute60.2024.csv.gz'));
  const utc = await fileOf('b.csv.gz', dataFile('crypto-upbit/KRW-ETH.1h.csv.gz'));
  assert.match(await inspect([kst, '--against', utc]), /set time\.zone to "\+09:00"/);
});

test('a file that is not there, a folder, a bad row: one sentence each', async () => {
  await assert.rejects(inspect([join(folder, 'nope.csv')]), {
    exitCode: 3,
    message: /there is no file/,
  });
  await assert.rejects(inspect([folder]), { exitCode: 2, message: /is not a file/ });
  const bad = await fileOf('bad.csv', 'date,open,high,low,close\n2020-01-02,1,2,1,x\n');
  await assert.rejects(inspect([bad]), { message: 'bad.csv, line 2: close is not a number: "x"' });
});
