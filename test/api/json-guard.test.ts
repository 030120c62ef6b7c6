import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { jsonFault, MAX_JSON_DEPTH } from '../../api/json-guard.ts';
import { minimumTrainingDays } from '../../api/training-spec.ts';
import { WRONG_KEYS_PER_MINUTE, WrongKeyLimit } from '../../api/wrong-key-limit.ts';
import { BoundedMap } from '../../api/serving/bounded-map.ts';
import { newKeyToken, parseKeyToken, hashSecret, secretMatches } from '../../registry/keys.ts';
import { seeded } from '../support/made-bars.ts';

describe('jsonFault', () => {
  it('lets ordinary JSON pass', () => {
    for (const text of [
      '{}',
      '[1,-2.5e10,"a\\"b",true,null,{"a":{"a":[{"a":1},{"a":2}]}}]',
      '{"a":"{\\"a\\":1}","b":"\\ud83d\\ude00","c":"x:y,z"}',
      `${'['.repeat(MAX_JSON_DEPTH)}${']'.repeat(MAX_JSON_DEPTH)}`,
      '{"a":1e308,"b":1e-400,"c":0.1234567890123456789012345}',
    ]) {
      assert.equal(jsonFault(text), undefined, text);
    }
  });

  it('names what JSON.parse would let pass', () => {
    const faults: [string, RegExp][] = [
      ['{"a":1,"a":2}', /"a" stands twice/],
      ['{"a":1,"\\u0061":2}', /stands twice/],
      ['[{"b":{"a":1,"x":[],"a":2}}]', /stands twice/],
      ['{"__proto__":1}', /not allowed/],
      ['{"\\u005f_proto__":1}', /not allowed/],
      ['{"x":{"constructor":1}}', /not allowed/],
      ['{"a":1e400}', /too large/],
      ['[-1e999]', /too large/],
      [`[${'9'.repeat(400)}]`, /too large/],
      ['["\\ud800"]', /surrogate/],
      ['["a\\uDC00b"]', /surrogate/],
      ['['.repeat(MAX_JSON_DEPTH + 1), /nested/],
      ['{"a":'.repeat(100_000), /nested/],
    ];
    for (const [text, fault] of faults) assert.match(jsonFault(text) ?? '', fault);
  });

  it('never throws, and takes linear time on long input', () => {
    const random = seeded(7);
    const alphabet = '{}[]":,\\u0123abe+-. ';
    for (let n = 0; n < 2_000; n++) {
      const text = Array.from({ length: 60 }, () => alphabet[Math.floor(random() * 20)]).join('');
      jsonFault(text);
    }
    jsonFault(`"${'\\'.repeat(200_000)}`);
    jsonFault(`{"${'a'.repeat(1_000_000)}":1}`);
  });
});

describe('keys', () => {
  it('are parsed, hashed and compared', () => {
    const token = newKeyToken();
    const { id, secret } = parseKeyToken(token)!;
    assert.match(id, /^[a-z2-7]{10}$/);
    assert.ok(secretMatches(secret, hashSecret(secret)));
    assert.ok(!secretMatches(`${secret.slice(0, -1)}_`, hashSecret(secret)));
    for (const bad of ['', 'rk_', `${token}x`, token.slice(1), `rk_${id}`, `RK${token.slice(2)}`]) {
      assert.equal(parseKeyToken(bad), undefined, bad);
    }
  });

  it('wrong ones are counted per address and minute', () => {
    let now = 0;
    const limit = new WrongKeyLimit(() => now);
    for (let n = 0; n < WRONG_KEYS_PER_MINUTE; n++) {
      assert.equal(limit.waitSeconds('a'), 0);
      limit.count('a');
    }
    assert.equal(limit.waitSeconds('a'), 60);
    assert.equal(limit.waitSeconds('b'), 0);
    now = 59_000;
    assert.equal(limit.waitSeconds('a'), 1);
    now = 60_000;
    assert.equal(limit.waitSeconds('a'), 0);
  });
});

it('a bounded map forgets the oldest that was not used since it came or was spared', () => {
  const map = new BoundedMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 2);
  map.get('a');
  map.set('c', 3);
  assert.deepEqual([map.get('a'), map.get('b'), map.get('c')], [1, undefined, 3]);
  // Both are used: both are spared, and the oldest goes.
  map.set('d', 4);
  assert.deepEqual([map.get('a'), map.get('c'), map.get('d'), map.size], [undefined, 3, 4, 2]);
  map.set('d', 5);
  map.set('e', 6);
  map.delete('nobody');
  assert.deepEqual([map.get('c'), map.get('d'), map.get('e'), map.size], [undefined, 5, 6, 2]);
});

it('the least number of training days follows from horizon and test size', () => {
  // test >= 60, valid - 30 >= 60, train - 30 >= 100: 0.15 D >= 90 -> D = 597 (rounded up by halves).
  assert.equal(minimumTrainingDays(30, 0.15), 597);
  assert.equal(minimumTrainingDays(250, 0.05), undefined);
});
