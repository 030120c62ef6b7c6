import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { startStack } from '../../infra/stack.ts';
import { layoutOf } from '../../infra/stack/layout.ts';
import { readRecords } from '../../infra/stack/processes.ts';
import { rounds } from '../support/rounds.ts';
import {
  allArgs,
  assertNothingLeft,
  newState,
  PARTS,
  query,
  ratchet,
  skipStack,
  untilReady,
  upArgs,
} from '../support/stack.ts';

describe('the stack', { skip: skipStack }, () => {
  test('after kill -9 of the supervisor nothing lives on, and up works with all its state', async () => {
    const state = newState();
    const n = rounds(2, 10);
    for (let round = 0; round < n; round += 1) {
      const up = ratchet(state, ...allArgs);
      await untilReady(state);
      if (round === 0) await query(state, 'CREATE TABLE kept (round int)');
      await query(state, `INSERT INTO kept VALUES (${round})`);
      const records = readRecords(layoutOf(state).run);
      up.kill('SIGKILL');
      await up.ended;
      // Every second time `up` comes while the old children are still ending.
      if (round % 2 === 0) await assertNothingLeft(state, records);
    }
    const up = ratchet(state, ...allArgs);
    await untilReady(state);
    const kept = await query(state, 'SELECT round FROM kept ORDER BY round');
    assert.deepEqual(
      kept,
      Array.from({ length: n }, (_, i) => i),
    );
    up.kill('SIGINT');
    assert.equal((await up.ended).code, 0);
    await assertNothingLeft(state);
  });

  test('after kill -9 of everything at once up works with all its state', async () => {
    const state = newState();
    const up = ratchet(state, ...upArgs);
    await untilReady(state);
    await query(state, 'CREATE TABLE kept AS SELECT 42 AS answer');
    up.kill('SIGKILL');
    for (const { pid } of readRecords(layoutOf(state).run)) process.kill(-pid, 'SIGKILL');
    await up.ended;
    // As after a power cut: the lock file of PostgreSQL names a process that is not PostgreSQL.
    const pidFile = join(layoutOf(state).postgres, 'data/postmaster.pid');
    const lines = readFileSync(pidFile, 'utf8').split('\n');
    writeFileSync(pidFile, [String(process.pid), ...lines.slice(1)].join('\n'));

    const stack = await startStack({ stateDir: state, parts: PARTS });
    try {
      assert.deepEqual(await query(state, 'SELECT answer FROM kept'), [42]);
    } finally {
      await stack.stop();
    }
    await assertNothingLeft(state);
  });
});
