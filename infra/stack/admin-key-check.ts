/** Does the operator's key of a stack still let `ratchet` in? */
import { existsSync, readFileSync } from 'node:fs';
import type { Db } from '../../registry/in-transaction.ts';
import { parseKeyToken, readKey, secretMatches } from '../../registry/keys.ts';
import type { Finding } from './checks.ts';

export const ADMIN_KEY_CHECK = 'admin key';

/** `file` holds the key that `ratchet` uses by itself; the way out of a lost one stands in docs/running.md. */
export async function checkAdminKey(db: Db, file: string, now = Date.now()): Promise<Finding> {
  const wrong = await whatIsWrong(db, file, now);
  if (wrong === undefined) {
    return { check: ADMIN_KEY_CHECK, verdict: 'ok', detail: 'valid' };
  }
  const fix = existsSync(file)
    ? `move ${file} away, then ratchet down, ratchet up: a new one is made`
    : 'ratchet down, ratchet up: a new one is made';
  return { check: ADMIN_KEY_CHECK, verdict: 'failed', detail: wrong, fix };
}

async function whatIsWrong(db: Db, file: string, now: number): Promise<string | undefined> {
  if (!existsSync(file)) return `there is no ${file}`;
  const token = parseKeyToken(readFileSync(file, 'utf8').trim());
  if (!token) return `${file} does not hold a key: rk_<id>_<secret>`;
  const key = await readKey(db, token.id);
  const named = `the key ${token.id} of this stack`;
  if (!key) return `${named} is not known to the registry`;
  if (key.revokedAt) return `${named} was revoked at ${key.revokedAt.toISOString()}`;
  if (key.expiresAt && key.expiresAt.getTime() <= now) {
    return `${named} expired at ${key.expiresAt.toISOString()}`;
  }
  if (!secretMatches(token.secret, key.hash)) return `${named} has another secret than its file`;
  return key.scopes.includes('admin') ? undefined : `${named} is no admin key`;
}
