import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { RatchetError } from '../errors.ts';

export const SIGNATURE_BYTES = 64;

/** Signs a manifest. */
export type Signer = (bytes: Uint8Array) => Uint8Array;

/** Public keys that a replica trusts: usually one, two while a key is being replaced. */
export type TrustedKeys = readonly KeyObject[];

/** A new Ed25519 pair as PEM: the private half for packaging workers, the public half for replicas. */
export function generateSigningKeys(): { readonly privatePem: string; readonly publicPem: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  return { privatePem: privateKey, publicPem: publicKey };
}

function ed25519OrThrow(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw new RatchetError(
    'package.key',
    `packages need an Ed25519 key, not ${key.asymmetricKeyType}`,
  );
}

/** A signer by an Ed25519 private key in PEM. Ed25519 is deterministic: same bytes, same signature. */
export function signerFrom(privatePem: string): Signer {
  const key = ed25519OrThrow(createPrivateKey(privatePem));
  return (bytes) => new Uint8Array(sign(null, bytes, key));
}

/** Public keys from one or several PEM blocks, one after the other in one text. */
export function trustedKeysFrom(pem: string): TrustedKeys {
  const blocks = pem.match(/-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g) ?? [];
  if (blocks.length === 0) throw new RatchetError('package.key', 'no public key in the PEM text');
  return blocks.map((block) => ed25519OrThrow(createPublicKey(block)));
}

/** The public half of a private key in PEM: a process that signs can also check what it signed. */
export function publicPemOf(privatePem: string): string {
  const key = createPublicKey(ed25519OrThrow(createPrivateKey(privatePem)));
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

export function isSignedBy(keys: TrustedKeys, bytes: Uint8Array, signature: Uint8Array): boolean {
  return keys.some((key) => verify(null, bytes, key, signature));
}
