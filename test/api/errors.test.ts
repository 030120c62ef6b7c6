import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDatabaseAway } from '../../api/errors.ts';

const withCode = (code: string, more: object = {}): Error =>
  Object.assign(new Error(code), { code, ...more });

test('tells a database that cannot now from a query that is wrong', () => {
  for (const code of ['08006', '53100', '53300', '57P01', '57014', '25006', 'EHOSTUNREACH']) {
    assert.ok(isDatabaseAway(new Error('outer', { cause: withCode(code) })), code);
  }
  assert.ok(isDatabaseAway(withCode('ENOENT', { syscall: 'connect' })));
  for (const code of ['23505', '22P02', '42P01', 'ENOENT', 'ENOSPC']) {
    assert.ok(!isDatabaseAway(withCode(code)), code);
  }
});
