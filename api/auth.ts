import { hash } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { parseKeyToken, secretMatches, type ApiKey, type Scope } from '../registry/keys.ts';
import { ApiError, notFound } from './errors.ts';
import type { KeyCache } from './key-cache.ts';
import type { Env } from './secure.ts';
import { credentialOf, upgradeOf } from './socket-protocol.ts';
import type { WrongKeyLimit } from './wrong-key-limit.ts';

/** Who calls. */
export interface Caller {
  readonly keyId: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Empty: all models. */
  readonly models: readonly string[];
}

export interface AuthVariables {
  caller: Caller;
  requestId: string;
}

/** `public`: no key. Otherwise the scope that a key must have; `admin` has all. */
export type Policy = 'public' | Scope;

export interface AuthParts {
  readonly keys: KeyCache;
  readonly wrongKeys: WrongKeyLimit;
  /** Address of the peer; forwarded headers are not read. */
  readonly addressOf: (c: Context) => string;
  readonly now: () => number;
}

/** Digest of a whole token -> the key it opened. Saves the comparison on the hot path. */
const MAX_REMEMBERED = 10_000;

interface KnownKey {
  readonly key: ApiKey;
  readonly caller: Caller;
}

/** Checks keys; what it found lasts as long as the key cache's generation. */
export class Authenticator {
  readonly #parts: AuthParts;
  #remembered = new Map<string, KnownKey>();
  #generation = -1;

  constructor(parts: AuthParts) {
    this.#parts = parts;
  }

  /** The caller behind a request; throws 401 or 429. */
  identifyRequest(c: Context<Env>): Promise<Caller> {
    const header = c.req.header('authorization');
    const offered = upgradeOf(c) && credentialOf(c.req.header('sec-websocket-protocol'));
    return this.identify(header ?? offered, this.#parts.addressOf(c));
  }

  /** The caller behind an Authorization header; throws 401 or 429. */
  async identify(header: string | undefined, address: string): Promise<Caller> {
    const { keys, wrongKeys, now } = this.#parts;
    if (header === undefined)
      throw unauthenticated('Send an API key: Authorization: Bearer rk_...');
    const known = this.recall(header);
    if (known) return known;
    const token = tokenOf(header);
    const parsed = parseKeyToken(token);
    const key = parsed && (await keys.find(parsed.id));
    if (!parsed || !key || !secretMatches(parsed.secret, key.hash) || !isUsable(key, now())) {
      // A right key is served even from an address that guesses: others may sit behind it.
      const wait = wrongKeys.waitSeconds(address);
      if (wait > 0) throw tooManyWrongKeys(wait);
      wrongKeys.count(address);
      throw unauthenticated('The API key is not valid, expired or revoked.');
    }
    const caller = callerOf(key);
    this.#remember(token, { key, caller });
    return caller;
  }

  /** The caller behind a header that was identified before; undefined: `identify` has to look. */
  recall(header: string): Caller | undefined {
    const known = this.#recall(tokenOf(header));
    return known && isUsable(known.key, this.#parts.now()) ? known.caller : undefined;
  }

  #recall(token: string): KnownKey | undefined {
    if (this.#generation !== this.#parts.keys.generation) {
      this.#remembered = new Map();
      this.#generation = this.#parts.keys.generation;
      return undefined;
    }
    return this.#remembered.get(digest(token));
  }

  #remember(token: string, known: KnownKey): void {
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered = new Map();
    this.#remembered.set(digest(token), known);
  }

  get parts(): AuthParts {
    return this.#parts;
  }
}

const tokenOf = (header: string): string => (header.startsWith('Bearer ') ? header.slice(7) : '');

const digest = (token: string): string => hash('sha256', token, 'base64');

const isUsable = (key: ApiKey, now: number): boolean =>
  key.revokedAt === null && (key.expiresAt === null || key.expiresAt.getTime() > now);

const callerOf = (key: ApiKey): Caller => ({
  keyId: key.id,
  name: key.name,
  scopes: key.scopes,
  models: key.models,
});

const unauthenticated = (message: string): ApiError =>
  new ApiError('unauthenticated', 'key.invalid', message, {
    headers: { 'www-authenticate': 'Bearer realm="ratchet"' },
  });

const tooManyWrongKeys = (wait: number): ApiError =>
  new ApiError(
    'too-many-requests',
    'key.too-many-wrong',
    `Too many wrong keys from this address; try again in ${wait} s.`,
    { retryAfterS: wait },
  );

/** Middleware of one route: who calls, and may they? */
export function authorize(auth: Authenticator, policy: Policy): MiddlewareHandler {
  return async (c, next) => {
    if (policy !== 'public') {
      const caller = await auth.identifyRequest(c);
      if (!hasScope(caller, policy)) {
        throw new ApiError(
          'forbidden',
          'key.scope',
          `This needs a key with the scope \`${policy}\`; yours has: ${caller.scopes.join(', ') || 'none'}.`,
        );
      }
      c.set('caller', caller);
      const model = c.req.param('name');
      if (model !== undefined) requireModel(caller, model);
    }
    await next();
  };
}

export const hasScope = (caller: Caller, scope: Scope): boolean =>
  caller.scopes.includes(scope) || caller.scopes.includes('admin');

export const mayUseModel = (caller: Caller, model: string): boolean =>
  caller.models.length === 0 || caller.models.includes(model);

/** A key for other models learns nothing, not even that this one exists: 404. */
export function requireModel(caller: Caller, model: string): void {
  if (!mayUseModel(caller, model)) throw unknownModel(model);
}

/** What speaks of all models (keys, the audit) is not for a key that is for some: it could widen itself. */
export function requireAllModels(caller: Caller): void {
  if (caller.models.length === 0) return;
  throw new ApiError(
    'forbidden',
    'key.models',
    `This needs a key for all models; yours is for ${caller.models.length}.`,
  );
}

export const unknownModel = (model: string, nearest?: string): ApiError =>
  notFound(
    'model.not-found',
    `There is no model "${model.slice(0, 64)}". ` +
      (nearest === undefined ? '' : `Did you mean "${nearest}"? `) +
      '`ratchet models` lists those there are.',
  );
