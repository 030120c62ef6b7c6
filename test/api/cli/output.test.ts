import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { createOutput, type Output } from '../../../api/cli/output.ts';
import { wrapped } from '../../../api/cli/wrapped.ts';

const WORDS = 'The retrain ended: version 2: not proved better than champion v1';

/** What is written to a terminal of this width; without one, to a pipe. */
function written(columns: number | undefined, write: (out: Output) => void): string {
  const stdout = new PassThrough();
  const terminal = columns === undefined ? stdout : Object.assign(stdout, { isTTY: true, columns });
  write(createOutput(terminal, () => false));
  return String(stdout.read() ?? '');
}

const table = (out: Output): void =>
  out.table(
    [{ what: 'retrain.finished', words: WORDS, rows: 7 }],
    [
      { title: 'what', value: (row) => row.what },
      { title: 'in words', value: (row) => row.words },
      { title: 'rows', value: (row) => row.rows, align: 'right' },
    ],
  );

test('lines break at spaces, under their first word, and lose nothing', () => {
  const lines = wrapped(`  ${WORDS}`, 30);
  assert.ok(lines.every((line) => line.length <= 30 && /^ {2}\S/.test(line)));
  assert.equal(lines.map((line) => line.trim()).join(' '), WORDS);
  assert.deepEqual(wrapped(WORDS, WORDS.length), [WORDS]);
  assert.deepEqual(wrapped('', 30), ['']);
});

test('a word that is longer than the line stays whole', () => {
  const token = 'x'.repeat(40);
  assert.deepEqual(wrapped(token, 10), [token]);
  assert.deepEqual(wrapped(`  ${token} is the key`, 10), [`  ${token}`, '  is the', '  key']);
});

test('a table wider than the terminal wraps its widest column of text', () => {
  const lines = written(64, table).trimEnd().split('\n');
  assert.ok(lines.every((line) => line.length <= 64));
  assert.match(lines[1]!, /^-{16} {2}-{40} {2}-{4}$/);
  assert.match(lines[2]!, /^retrain\.finished {2}The retrain ended.* {2,}7$/);
  assert.match(lines[3]!, /^ {18}\S/);
  assert.equal(`${lines[2]!.slice(18, 58).trim()} ${lines[3]!.trim()}`, WORDS);
});

test('a table stays whole in a pipe, and in a terminal too narrow to wrap in', () => {
  const whole = written(undefined, table);
  assert.match(whole, new RegExp(`^retrain\\.finished {2}${WORDS} {5}7$`, 'm'));
  assert.equal(written(36, table), whole);
});

test('a column of long words, such as ids, is left alone', () => {
  const id = 'drift-0123456789abcdef0123456789abcdef0123456789abcdef0123456789';
  const text = written(80, (out) =>
    out.table(
      [{ id, words: WORDS.slice(0, 40) }],
      [
        { title: 'id', value: (row) => row.id },
        { title: 'words', value: (row) => row.words },
      ],
    ),
  );
  assert.equal(text.split('\n')[2], `${id}  ${WORDS.slice(0, 40)}`);
});

test('only a terminal gets lines of its width', () => {
  assert.equal(
    written(undefined, (out) => out.line(WORDS)),
    `${WORDS}\n`,
  );
  assert.equal(
    written(40, (out) => out.line(WORDS))
      .trimEnd()
      .split('\n').length,
    2,
  );
});
