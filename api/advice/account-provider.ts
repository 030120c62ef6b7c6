import { accountSchema, type Account } from '../../core/advice/index.ts';
import { RatchetError } from '../../core/errors.ts';
import type { Exchange } from './exchange.ts';

/** Where the account comes from: the operator's file, or an address of the operator's. */
export type AccountSettings =
  | { readonly kind: 'static'; readonly account: Account }
  | {
      readonly kind: 'http';
      readonly url: URL;
      readonly timeoutMs: number;
      readonly allowPrivate: boolean;
      readonly ca: string | undefined;
      /** Read when it is used; undefined: none is sent. May throw. */
      readonly secret: () => string | undefined;
    };

/** With a thousand positions. */
const ACCOUNT_BYTES_MAX = 256 * 1024;

/** Why there is no account: an outcome of an exchange or a part of our own, never text of the other side. */
export class AccountError extends RatchetError {
  constructor(what: string) {
    super('advice.account', `the account provider failed: ${what}`, { permanent: false });
  }
}

/** The account as it is now. Throws `AccountError`. */
export async function readAccount(settings: AccountSettings, exchange: Exchange): Promise<Account> {
  if (settings.kind === 'static') return settings.account;
  const { url, timeoutMs, allowPrivate, ca } = settings;
  const secret = secretOf(settings.secret);
  const answer = await exchange({
    ...{ url, method: 'GET', timeoutMs, allowPrivate, ca, maxBytes: ACCOUNT_BYTES_MAX },
    headers: {
      accept: 'application/json',
      ...(secret !== undefined && { authorization: `Bearer ${secret}` }),
    },
  }).catch((error: unknown) => {
    if (error instanceof RatchetError) throw new AccountError(error.code);
    throw error;
  });
  if (answer.status !== 200) throw new AccountError(`status ${answer.status}`);
  if (!/^application\/([\w.-]+\+)?json\b/i.test(answer.contentType)) {
    throw new AccountError('content type');
  }
  const parsed = accountSchema.safeParse(jsonOf(answer.text));
  if (parsed.success) return parsed.data;
  throw new AccountError('not an account');
}

function secretOf(read: () => string | undefined): string | undefined {
  let secret: string | undefined;
  try {
    secret = read();
  } catch {
    throw new AccountError('its secret cannot be read');
  }
  if (secret === undefined || /^[\x21-\x7e]{1,4096}$/.test(secret)) return secret;
  throw new AccountError('its secret is no header');
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
