import assert from 'node:assert/strict';
import { test } from 'node:test';
import { terminalSvg } from '../../infra/terminal-svg.ts';

const texts = (svg: string): string[] =>
  [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, text]) => text!);

test('every character of a terminal is in the picture, wrapped where it ends', () => {
  const output = `a <b> & "c"\n${'x'.repeat(250)}\n${'word '.repeat(24)}word\n\n  7  indented\n`;
  const svg = terminalSvg('t & t', [
    { command: 'one', output },
    { command: 'two', output: 'm: epoch 1/2' },
  ]);
  assert.deepEqual(texts(svg), [
    '$ one',
    'a &lt;b&gt; &amp; "c"',
    'x'.repeat(112),
    'x'.repeat(112),
    'x'.repeat(26),
    `${'word '.repeat(22)}`,
    'word word word',
    '',
    '\u00a0\u00a07\u00a0\u00a0indented',
    '',
    '$ two',
    'm: epoch 1/2',
  ]);
  assert.match(svg, /<title>t &amp; t<\/title>/);
  assert.equal(terminalSvg('t', []), terminalSvg('t', []));
});

test('a text too long for a picture is refused', () => {
  assert.throws(() => terminalSvg('t', [{ command: 'c', output: 'x\n'.repeat(130) }]), RangeError);
});
