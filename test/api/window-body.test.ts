import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { windowOf } from '../../api/window-body.ts';
import { uniformBy } from '../support/lstm-network.ts';

const LIMITS = { rows: 4, columns: 5 };
const read = (text: string) => windowOf(Buffer.from(text), LIMITS);

describe('windows in bodies', () => {
  it('are read in row order, and leave the rest of the body as it is', () => {
    const body = '{"instrument":"^GSPC","window":[[1,-2.5e3],[null,0.1],[3,4]],"lastClose":7}';
    const found = read(body)!;
    assert.deepEqual([...found.values], [1, -2500, NaN, 0.1, 3, 4]);
    assert.equal(found.rest.toString(), '{"instrument":"^GSPC","window":[[0]],"lastClose":7}');
    assert.deepEqual([...read('{"window":[[0]]}')!.values], [0]);
    assert.equal(
      read('{"window":[[1,2,3,4,5],[1,2,3,4,5],[1,2,3,4,5],[1,2,3,4,5]]}')!.values.length,
      20,
    );
  });

  it('are left to a reader of the whole body where they are anything else', () => {
    const others = [
      '{"window": [[1]]}',
      '{"window":[[1], [2]]}',
      '{"window":[[ 1]]}',
      '{"window":[[1],[2,3]]}',
      '{"window":[[1,2,3,4,5,6]]}',
      '{"window":[[1],[1],[1],[1],[1]]}',
      '{"window":[[]]}',
      '{"window":[]}',
      '{"window":[[1,]]}',
      '{"window":[[1],]}',
      '{"window":[[1]',
      '{"window":[[1',
      '{"window":[[n',
      '{"window":[[1,nul',
      '{"window":[[1,2],[3,4],[5,6,7]]}',
      '{"window":[["1"]]}',
      '{"window":[[true]]}',
      '{"window":[[nul]]}',
      '{"window":[[1e400]]}',
      '{"window":[[01]]}',
      '{"window":[[[1]]]}',
      '{"window":[[{"a":1}]]}',
      '{"instrument":"a"}',
      '',
    ];
    for (const text of others) assert.equal(read(text), undefined, text);
  });

  it('never say another thing than JSON.parse, whatever is done to the text', () => {
    const uniform = uniformBy('window-body');
    const base = '{"a":"x","window":[[1.5,-2e1,null],[0.25,3,4]],"openTime":"2020-01-02"}';
    const letters = '[]{},:"\\0123456789.eE+-nul window';
    let found = 0;
    for (let n = 0; n < 50_000; n++) {
      const chars = base.split('');
      for (let k = Math.floor(3 * uniform()); k >= 0; k--) {
        const at = Math.floor(chars.length * uniform());
        const letter = letters[Math.floor(letters.length * uniform())]!;
        chars.splice(at, uniform() < 0.5 ? 1 : 0, ...(uniform() < 0.7 ? [letter] : []));
      }
      const text = chars.join('');
      const window = read(text);
      if (!window) continue;
      let rest: unknown;
      try {
        rest = JSON.parse(window.rest.toString());
      } catch {
        // Then the whole is none either.
        assert.throws(() => JSON.parse(text) as unknown, SyntaxError, text);
        continue;
      }
      found++;
      const whole = JSON.parse(text) as { window?: (number | null)[][] };
      // Of two fields of one name the later one counts; the guard of bodies refuses both before.
      if (text.split('"window"').length > 2) continue;
      const expected = whole.window!.flat().map((value) => value ?? NaN);
      assert.deepEqual([...window.values], expected, text);
      assert.deepEqual(rest, { ...whole, window: [[0]] }, text);
    }
    assert.ok(found > 5_000, `${found}`);
  });
});
