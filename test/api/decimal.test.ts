import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readDecimal, type Decimal } from '../../api/decimal.ts';
import { uniformBy } from '../support/lstm-network.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What it reads, or undefined. */
function read(text: string): number | undefined {
  const into: Decimal = { end: -1, value: Number.NaN };
  const found = readDecimal(bytesOf(`[${text},`), 1, into);
  if (!found) return undefined;
  assert.equal(into.end, 1 + text.length, text);
  return into.value;
}

const assertSame = (text: string): void => {
  const value = read(text);
  assert.ok(Object.is(value, JSON.parse(text)), `${text}: ${value}`);
};

describe('decimal numbers', () => {
  it('are those of JSON.parse, bit for bit, in whatever length they are written', () => {
    const uniform = uniformBy('decimal');
    for (let n = 0; n < 300_000; n++) {
      const size = 10 ** (18 * uniform() - 9);
      const value = (uniform() < 0.5 ? -1 : 1) * size * uniform();
      assertSame(JSON.stringify(value));
      if (n % 10 === 0) {
        assertSame(value.toFixed(Math.floor(20 * uniform())));
        assertSame(value.toPrecision(1 + Math.floor(21 * uniform())));
        assertSame(value.toExponential(Math.floor(20 * uniform())));
      }
    }
  });

  it('are right where the decimal lies in the middle of two float64, and just beside', () => {
    const uniform = uniformBy('halfway');
    for (let n = 0; n < 20_000; n++) {
      // Odd multiples of half a unit in the last place, written out exactly.
      const odd = 2 ** 53 + 2 * Math.floor(2 ** 52 * uniform());
      const middle = BigInt(odd) + 1n;
      assertSame(String(middle));
      const fraction = 1 + Math.floor(2 * uniform());
      const scaled = (5n ** BigInt(fraction) * middle).toString();
      assertSame(`${scaled.slice(0, -fraction)}.${scaled.slice(-fraction)}`);
    }
    const known = [
      '9007199254740993',
      '9007199254740992.5',
      '0.5000000000000001665',
      '2.5',
      '1e22',
    ];
    for (const text of [...known, '-0', '0', '0.0', '123456789', '1234567890', '0.1', '4.35']) {
      assertSame(text);
    }
    assertSame('0.00000000000000000000000000012345678901234567');
    assertSame('123456789012345678901234567890.5');
    assertSame('5e-324');
  });

  it('are refused where JSON has no such number, or float64 none', () => {
    const none = [
      '',
      '-',
      '+1',
      '.5',
      '1.',
      '01',
      '-01',
      '1.e5',
      '1e',
      '1e+',
      'NaN',
      'Infinity',
      '1e400',
    ];
    for (const text of [...none, '0x10', '1_000', '١']) {
      const into: Decimal = { end: -1, value: 0 };
      const found = readDecimal(bytesOf(`${text},`), 0, into);
      // What begins as a number ends where that does: whoever reads on finds no comma there.
      assert.ok(!found || into.end < text.length, text);
    }
  });
});
