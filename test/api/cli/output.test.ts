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

/** What a terminal shows after what was written: erasing, and going up a line, is all it has to know. */
function screen(text: string): string[] {
  const lines = [''];
  let row = 0;
  const words = text.replaceAll('\u001b[2K', '\0erase\0').replaceAll('\u001b[1A', '\0up\0');
  for (const part of words.replaceAll('\n', '\0down\0').replaceAll('\r', '').split('\0')) {
    if (part === 'erase') lines[row] = '';
    else if (part === 'up') row--;
    else if (part === 'down') lines[++row] ??= '';
    else lines[row] += part;
  }
  return lines;
}

test('what goes on side by side has a line each, in order, drawn over again', () => {
  const drawn = written(30, (out) => {
    out.line('before');
    out.progress('fold 10: round 1', 'fold 10');
    out.progress('fold 2: round 1', 'fold 2');
    out.progress('fold 10: round 2', 'fold 10');
    out.progress('x'.repeat(50), 'fold 3');
  });
  const wide = 'x'.repeat(29);
  assert.deepEqual(screen(drawn), ['before', 'fold 2: round 1', wide, 'fold 10: round 2']);
});

test('a terminal that does not know its size gets whole lines', () => {
  const drawn = written(0, (out) => {
    out.progress('stretches answered: 1 of 4');
    out.endProgress();
    out.line('done');
  });
  assert.deepEqual(screen(drawn), ['stretches answered: 1 of 4', 'done', '']);
});

test('a plain line takes the place of what goes on; at its end it stays', () => {
  const show = (out: Output): void => {
    out.progress('a 1', 'a');
    out.progress('b 1', 'b');
  };
  const replaced = written(30, (out) => {
    show(out);
    out.line('done');
    out.progress('c 1', 'c');
  });
  assert.deepEqual(screen(replaced), ['done', 'c 1']);
  const ended = written(30, (out) => {
    show(out);
    out.endProgress();
    out.line('after');
  });
  assert.deepEqual(screen(ended), ['a 1', 'b 1', 'after', '']);
});

test('of many things that go on, those told last are shown', () => {
  const drawn = written(30, (out) => {
    for (let i = 1; i <= 20; i++) out.progress(`fit ${i}`, `${i}`);
    out.progress('fit 13 again', '13');
    out.progress('fit 7 again', '7');
  });
  const last = [14, 15, 16, 17, 18, 19, 20].map((i) => `fit ${i}`);
  assert.deepEqual(screen(drawn), ['fit 7 again', 'fit 13 again', ...last.slice(1)]);
});
