import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { RatchetError } from '../core/errors.ts';
import { ArtifactError, digestOf, isPlainOf } from './artifact-content.ts';

/** AES-256 in Galois/Counter Mode: what is read back is what was written, or an error. */
const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
/** 96 bits, the size GCM is made for; random, so one key is good for some 4 billion writes. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** First bytes of everything sealed, the format's number last. */
const MAGIC = Buffer.from('RTSEAL\0\x01', 'latin1');
const KEY_LINE = /^([a-z0-9][a-z0-9-]{0,31}):([A-Za-z0-9+/]{43}=)$/;

/** Keys by id. The first seals; all of them open, so that a key can be replaced. */
export interface PackageKeys {
  readonly current: string;
  readonly byId: ReadonlyMap<string, KeyObject>;
}

/** How bytes lie at rest. An address is what they are stored under: bytes moved to another do not open. */
export interface Sealing {
  seal(bytes: Uint8Array, address: string): Uint8Array;
  /**
   * The bytes that were sealed; bytes that never were as they are, or where `isPlain` says so. Throws
   * `artifact.key` (its key is not here) and `artifact.corrupt` (not what was sealed).
   */
  open(stored: Uint8Array, address: string, isPlain?: (stored: Uint8Array) => boolean): Uint8Array;
  /** Are they encrypted with the current key, where there is one? Without keys whatever lies there may stay. */
  isCurrent(stored: Uint8Array): boolean;
}

const keysError = (message: string): RatchetError =>
  new RatchetError('config.package-keys', message);

/**
 * Keys from lines `id:base64 of 32 bytes`, the current one first; empty lines and `#` are skipped. Throws
 * `config.package-keys`, which never repeats a key.
 */
export function packageKeysFrom(text: string): PackageKeys {
  const lines = text.split(/[\n,]/).map((line) => line.trim());
  const byId = new Map<string, KeyObject>();
  for (const [i, line] of lines.entries()) {
    if (line === '' || line.startsWith('#')) continue;
    const [, id, base64] = KEY_LINE.exec(line) ?? [];
    const bytes = Buffer.from(base64 ?? '', 'base64');
    if (id === undefined || bytes.length !== KEY_BYTES) {
      throw keysError(
        `package key ${i + 1} is not "id:key" with an id of a-z, 0-9, "-" and 32 bytes in base64`,
      );
    }
    if (byId.has(id)) throw keysError(`there are two package keys with the id ${id}`);
    byId.set(id, createSecretKey(bytes));
  }
  const [current] = byId.keys();
  if (current === undefined) throw keysError('the package keys are empty');
  return { current, byId };
}

/** A line for a key file with a new random key. */
export const newPackageKey = (id: string): string =>
  `${id}:${randomBytes(KEY_BYTES).toString('base64')}\n`;

const isSealed = (stored: Uint8Array): boolean =>
  stored.length >= MAGIC.length && MAGIC.equals(stored.subarray(0, MAGIC.length));

/** MAGIC, length of the key's id, the id: what a reader needs before it can decrypt. */
const headerOf = (id: string): Buffer =>
  Buffer.concat([MAGIC, Buffer.of(id.length), Buffer.from(id, 'latin1')]);

/** Header and address are authenticated with the bytes. */
const boundTo = (header: Uint8Array, address: string): Buffer =>
  Buffer.concat([header, Buffer.from(address, 'utf8')]);

const corrupt = (address: string, cause?: unknown): ArtifactError =>
  new ArtifactError(
    'artifact.corrupt',
    `${address} is corrupt: it is not what was encrypted under this name`,
    { details: { address }, cause },
  );

/** Not permanent: the work goes on once the process is given the key. */
function keyMissing(address: string, id: string, known: readonly string[]): ArtifactError {
  const here = known.length === 0 ? 'no package keys' : `the package keys ${known.join(', ')} only`;
  return new ArtifactError(
    'artifact.key',
    `${address} is encrypted with the package key ${JSON.stringify(id)} and this process has ${here}: ` +
      'set RATCHET_PACKAGE_KEY_FILE to a file that holds it, and start again',
    { permanent: false, details: { address, key: id } },
  );
}

function unseal(stored: Uint8Array, address: string, keys: PackageKeys | undefined): Uint8Array {
  const idLength = stored[MAGIC.length] ?? 0;
  const header = stored.subarray(0, MAGIC.length + 1 + idLength);
  const body = stored.subarray(header.length);
  if (body.length < NONCE_BYTES + TAG_BYTES) throw corrupt(address);
  const id = Buffer.from(header.subarray(MAGIC.length + 1)).toString('latin1');
  const key = keys?.byId.get(id);
  if (!key) throw keyMissing(address, id, [...(keys?.byId.keys() ?? [])]);
  const nonce = body.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(boundTo(header, address));
  decipher.setAuthTag(body.subarray(-TAG_BYTES));
  const plain = decipher.update(body.subarray(NONCE_BYTES, -TAG_BYTES));
  try {
    decipher.final();
  } catch (cause) {
    throw corrupt(address, cause);
  }
  return plain;
}

/**
 * Sealing with keys, or without: then nothing is encrypted, and what is says that its key is wanted.
 * Layout: header (8 bytes, id length, id), nonce (12), ciphertext, tag (16).
 */
export function sealingWith(keys: PackageKeys | undefined): Sealing {
  return {
    seal(bytes, address) {
      if (!keys) return bytes;
      const header = headerOf(keys.current);
      const nonce = randomBytes(NONCE_BYTES);
      const key = keys.byId.get(keys.current)!;
      const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(boundTo(header, address));
      const sealed = cipher.update(bytes);
      return Buffer.concat([header, nonce, sealed, cipher.final(), cipher.getAuthTag()]);
    },
    open(stored, address, isPlain = () => false) {
      // What was never encrypted may begin like something that was.
      if (!isSealed(stored) || isPlain(stored)) return stored;
      return unseal(stored, address, keys);
    },
    isCurrent(stored) {
      if (!keys) return true;
      const header = headerOf(keys.current);
      return header.equals(stored.subarray(0, header.length));
    },
  };
}

/**
 * Do these stored bytes hold the artifact of a digest, and as they would be stored now? Throws `artifact.key`
 * where they are encrypted with a key that is not here: nobody can say.
 */
export function isWhole(stored: Uint8Array, sha256: string, sealing: Sealing): boolean {
  try {
    const bytes = sealing.open(stored, `cas/${sha256}`, isPlainOf(sha256));
    return digestOf(bytes) === sha256 && sealing.isCurrent(stored);
  } catch (error) {
    if (error instanceof ArtifactError && error.code === 'artifact.corrupt') return false;
    throw error;
  }
}
