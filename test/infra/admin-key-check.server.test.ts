import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkAdminKey } from '../../infra/stack/admin-key-check.ts';
import { createKey, ensureAdminKey, newKeyToken, revokeKey } from '../../registry/keys.ts';
import { openTestDatabase } from '../support/postgres.ts';

test('doctor says when the key of the stack lets nobody in any more, why, and the way out', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ratchet-admin-key-'));
  const { db, close } = await openTestDatabase();
  t.after(async () => {
    await close();
    await rm(folder, { recursive: true, force: true });
  });
  const file = join(folder, 'admin.key');
  const look = () => checkAdminKey(db, file);
  const bad = async (detail: RegExp): Promise<void> => {
    const found = await look();
    assert.equal(found.verdict, 'failed', String(detail));
    assert.match(found.detail, detail);
    assert.match(found.fix ?? '', /ratchet down, ratchet up: a new one is made/);
  };
  const put = (token: string): Promise<void> => writeFile(file, `${token}\n`);

  await bad(/there is no /);
  await put('rk_nothing');
  await bad(/does not hold a key/);
  const token = newKeyToken();
  await put(token);
  await bad(/not known to the registry/);
  const { id } = await ensureAdminKey(db, token);
  assert.deepEqual(await look(), { check: 'admin key', verdict: 'ok', detail: 'valid' });
  await put(`rk_${id}_${newKeyToken().split('_').slice(2).join('_')}`);
  await bad(/another secret/);
  await put(token);
  await revokeKey(db, id);
  await bad(new RegExp(`the key ${id} of this stack was revoked at `));
  assert.match((await look()).fix ?? '', new RegExp(`move ${file} away`));

  const make = { name: 'x', models: [] };
  const past = { ...make, scopes: ['admin' as const], expiresAt: new Date(Date.now() - 1_000) };
  await put((await createKey(db, past)).token);
  await bad(/ expired at /);
  const reader = { ...make, scopes: ['read' as const], expiresAt: null };
  await put((await createKey(db, reader)).token);
  await bad(/is no admin key/);
});
