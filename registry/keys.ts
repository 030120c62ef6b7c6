import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { sql, type Kysely } from 'kysely';
import { recordAudit } from './audit.ts';
import type { Trx } from './in-transaction.ts';
import type { Database } from './tables.ts';

export const SCOPES = ['read', 'experiment', 'predict', 'promote', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** `rk_<id>_<secret>`: the id is public and names the row, the secret has 256 bits. */
const TOKEN = /^rk_([a-z0-9]{10})_([A-Za-z0-9_-]{43})$/;

export interface KeyToken {
  readonly id: string;
  readonly secret: string;
}

/** A stored key without its secret. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  /** sha256 of the secret, hex. */
  readonly hash: string;
  readonly scopes: readonly Scope[];
  /** Empty: all models. */
  readonly models: readonly string[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}

/** Splits a token; undefined where it does not have the form of one. */
export function parseKeyToken(token: string): KeyToken | undefined {
  const match = TOKEN.exec(token);
  return match ? { id: match[1]!, secret: match[2]! } : undefined;
}

/** A new random token: 50 bits of id, 256 bits of secret. */
export function newKeyToken(): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
  const id = Array.from(randomBytes(10), (byte) => alphabet[byte & 31]).join('');
  return `rk_${id}_${randomBytes(32).toString('base64url')}`;
}

export const hashSecret = (secret: string): string =>
  createHash('sha256').update(secret).digest('hex');

/** Compares in constant time. */
export function secretMatches(secret: string, hash: string): boolean {
  const given = createHash('sha256').update(secret).digest();
  const stored = Buffer.from(hash, 'hex');
  return stored.length === given.length && timingSafeEqual(given, stored);
}

export interface NewKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly models: readonly string[];
  readonly expiresAt: Date | null;
}

/** Stores a key's hash; the token is returned once and is nowhere kept. */
export async function createKey(
  db: Kysely<Database>,
  key: NewKey,
): Promise<{ readonly id: string; readonly token: string }> {
  const token = newKeyToken();
  const { id, secret } = parseKeyToken(token)!;
  await db
    .insertInto('api_key')
    .values({
      id,
      name: key.name,
      hash: hashSecret(secret),
      scopes: [...key.scopes],
      models: [...key.models],
      expires_at: key.expiresAt,
    })
    .execute();
  return { id, token };
}

/** Makes the operator's key (from its file) known; repeating is free. A revoked one stays revoked. */
export async function ensureAdminKey(db: Kysely<Database>, token: string): Promise<ApiKey> {
  const parsed = parseKeyToken(token);
  if (!parsed) throw new TypeError('the admin key file does not hold a key: rk_<id>_<secret>');
  await db
    .insertInto('api_key')
    .values({
      id: parsed.id,
      name: 'admin',
      hash: hashSecret(parsed.secret),
      scopes: ['admin'],
      models: [],
    })
    .onConflict((oc) => oc.column('id').doNothing())
    .execute();
  return (await readKey(db, parsed.id))!;
}

const row = (r: {
  id: string;
  name: string;
  hash: string;
  scopes: string[];
  models: string[];
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
}): ApiKey => ({
  id: r.id,
  name: r.name,
  hash: r.hash,
  scopes: r.scopes.filter((s): s is Scope => (SCOPES as readonly string[]).includes(s)),
  models: r.models,
  createdAt: r.created_at,
  expiresAt: r.expires_at,
  revokedAt: r.revoked_at,
});

export async function readKey(db: Kysely<Database>, id: string): Promise<ApiKey | undefined> {
  const found = await db.selectFrom('api_key').selectAll().where('id', '=', id).executeTakeFirst();
  return found && row(found);
}

/** All keys, newest first; at most `limit`. */
export async function listKeys(db: Kysely<Database>, limit = 1000): Promise<ApiKey[]> {
  const rows = await db
    .selectFrom('api_key')
    .selectAll()
    .orderBy('created_at', 'desc')
    .limit(limit)
    .execute();
  return rows.map(row);
}

/** Keys that may still open something: what a replica caches. */
export async function usableKeys(db: Kysely<Database>, limit = 10_000): Promise<ApiKey[]> {
  const rows = await db
    .selectFrom('api_key')
    .selectAll()
    .where('revoked_at', 'is', null)
    .where((eb) =>
      eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', sql<Date>`clock_timestamp()`)]),
    )
    .limit(limit)
    .execute();
  return rows.map(row);
}

export type RotateResult =
  | {
      readonly status: 'rotated';
      readonly token: string;
      readonly made: ApiKey;
      readonly former: ApiKey;
    }
  /** Missing; or revoked or expired, and no key came of it. */
  | { readonly status: 'unusable' }
  | { readonly status: 'replaced'; readonly by: string };

/**
 * Makes a key with the name, scopes, models and expiry of `id`, which ends at `graceEnds` (or at its own
 * expiry, where that comes first). A key is replaced once: the second of two callers, or a repeat of one
 * whose answer was lost, learns which key came of it and can rotate that one.
 */
export async function rotateKey(
  trx: Trx,
  rotation: {
    readonly id: string;
    readonly graceEnds: Date;
    readonly now: Date;
    readonly actor: string;
    readonly requestId: string;
  },
): Promise<RotateResult> {
  const { id, graceEnds, now, actor, requestId } = rotation;
  const found = await trx
    .selectFrom('api_key')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
  const old = found && row(found);
  const by = await replacementOf(trx, id);
  if (by !== undefined) return { status: 'replaced', by };
  const ended = old?.revokedAt !== null || (old.expiresAt !== null && old.expiresAt <= now);
  if (!old || ended) return { status: 'unusable' };
  const created = await createKey(trx, old);
  const expiresAt = old.expiresAt !== null && old.expiresAt < graceEnds ? old.expiresAt : graceEnds;
  await trx.updateTable('api_key').set({ expires_at: expiresAt }).where('id', '=', id).execute();
  await recordAudit(trx, {
    actor,
    action: ROTATE,
    object: `key/${id}`,
    before: { expiresAt: old.expiresAt },
    after: { replacedBy: created.id, expiresAt },
    requestId,
  });
  const made = (await readKey(trx, created.id))!;
  return { status: 'rotated', token: created.token, made, former: { ...old, expiresAt } };
}

const ROTATE = 'key.rotate';

/** The key that was made of this one: the audit is where a rotation stands. */
async function replacementOf(trx: Trx, id: string): Promise<string | undefined> {
  const found = await trx
    .selectFrom('audit')
    .select(sql<string>`after ->> 'replacedBy'`.as('by'))
    .where('object', '=', `key/${id}`)
    .where('action', '=', ROTATE)
    .executeTakeFirst();
  return found?.by;
}

/**
 * Is this the only admin key for all models that is valid at `now`? Holds the rows until the transaction ends: of two
 * callers that revoke each other's key, the second sees what the first did.
 */
export async function isLastAdminKey(trx: Trx, id: string, now: Date): Promise<boolean> {
  const rows = await trx
    .selectFrom('api_key')
    .select('id')
    .where(sql<boolean>`'admin' = ANY (scopes) AND cardinality(models) = 0`)
    .where('revoked_at', 'is', null)
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', now)]))
    .orderBy('id')
    .forUpdate()
    .execute();
  return rows.length === 1 && rows[0]!.id === id;
}

/** Revokes a key; returns the key as it was, or undefined where there is none that is not revoked. */
export async function revokeKey(db: Kysely<Database>, id: string): Promise<boolean> {
  const result = await db
    .updateTable('api_key')
    .set({ revoked_at: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}
