import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CliError, EXIT } from '../../../api/cli/output.ts';
import { openRangeFile, type AskedRange } from '../../../api/cli/range-file.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ratchet-range-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const ASKED = { model: 'index-gspc', from: '2015-01-01' };
const row = (n: number): string => `${JSON.stringify({ cursor: `c${n}`, at: 'x'.repeat(50) })}\n`;

async function refused(path: string, asked: AskedRange): Promise<{ code: number; text: string }> {
  const error: unknown = await openRangeFile(path, asked).then(
    () => assert.fail('it was opened'),
    (cause: unknown) => cause,
  );
  assert.ok(error instanceof CliError, String(error));
  return { code: error.exitCode, text: error.message };
}

async function leave(path: string, rows: number, asked: AskedRange = ASKED): Promise<string> {
  const file = await openRangeFile(path, asked);
  for (let n = 0; n < rows; n++) await file.append(row(n));
  await file.close();
  return readFile(path, 'utf8');
}

test('a file that was left goes on behind its last whole row, wherever it was cut', async () => {
  const path = join(folder, 'left.ndjson');
  const whole = await leave(path, 3);
  const head = whole.slice(0, whole.indexOf('\n') + 1);
  assert.deepEqual(JSON.parse(head), { question: ASKED });
  for (let bytes = 0; bytes <= whole.length; bytes += 7) {
    await writeFile(path, whole.slice(0, bytes));
    const file = await openRangeFile(path, ASKED);
    await file.close();
    const rows = whole.slice(0, bytes).split('\n').length - 2;
    assert.equal(file.cursor, rows > 0 ? `c${rows - 1}` : undefined, `after ${bytes} bytes`);
    assert.equal(
      await readFile(path, 'utf8'),
      head + [0, 1, 2].slice(0, Math.max(0, rows)).map(row).join(''),
    );
  }
  const file = await openRangeFile(path, ASKED);
  assert.equal(file.isComplete, false);
  await file.complete();
  const text = await readFile(path, 'utf8');
  const again = await openRangeFile(path, ASKED);
  await again.close();
  assert.equal(again.isComplete, true);
  assert.equal(await readFile(path, 'utf8'), text);
});

test('rows of another question are never put behind those of this one', async () => {
  const path = join(folder, 'other.ndjson');
  const others: readonly AskedRange[] = [
    { ...ASKED, model: 'index-dji' },
    { ...ASKED, from: '2015-01-02' },
    { ...ASKED, to: '2016-01-01' },
    { ...ASKED, instruments: ['^GSPC'] },
    { ...ASKED, version: 2 },
    { ...ASKED, version: 'then' },
  ];
  for (const rows of [0, 2]) {
    await rm(path, { force: true });
    const text = await leave(path, rows);
    for (const other of others) {
      const { code, text: said } = await refused(path, other);
      assert.equal(code, EXIT.refused);
      assert.match(said, /another question: \{"model":"index-gspc","from":"2015-01-01"\}/);
      assert.equal(await readFile(path, 'utf8'), text);
    }
  }
});

test('what this command did not write is left as it is', async () => {
  const path = join(folder, 'foreign.txt');
  const texts = ['some', 'notes of mine\r\nand more', '\n\n', '{"cursor":"1"}\n', '{"question":1'];
  for (const text of texts) {
    await writeFile(path, text);
    assert.deepEqual(
      await refused(path, ASKED),
      { code: EXIT.usage, text: `${path} is there and was not written by this command` },
      text,
    );
    assert.equal(await readFile(path, 'utf8'), text);
  }
});

test('a path that cannot be written is wrong use, said in one sentence', async () => {
  const inFolder = join(folder, 'sub');
  await mkdir(inFolder);
  const file = join(folder, 'a-file');
  await writeFile(file, '');
  const wrong: readonly (readonly [string, RegExp])[] = [
    [inFolder, /EISDIR/],
    [join(file, 'rows.ndjson'), /ENOTDIR/],
    [join(folder, 'nowhere', 'rows.ndjson'), /ENOENT/],
  ];
  for (const [path, words] of wrong) {
    const { code, text } = await refused(path, ASKED);
    assert.deepEqual([code, text.startsWith(`${path} cannot be written: `)], [EXIT.usage, true]);
    assert.match(text, words);
  }
  assert.deepEqual(await readdir(inFolder), []);
});
