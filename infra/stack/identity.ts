/** What a state folder remembers of itself: ports, versions, secrets, keys. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { RatchetError } from '../../core/errors.ts';
import { newPackageKey } from '../../registry/artifacts-encrypted.ts';
import { newKeyToken } from '../../registry/keys.ts';
import { writePrivate, writePrivateOnce, type Layout } from './layout.ts';
import { PORT_NAMES, type Ports } from './ports.ts';

export class StackError extends RatchetError {}

const stackSchema = z.object({
  /** Format of this file. */
  format: z.literal(1),
  id: z.string(),
  createdAt: z.string(),
  ports: z.record(z.enum(PORT_NAMES), z.number().int()),
  /** Version of the Temporal server that made the SQLite file: it never migrates one. */
  temporal: z.string().optional(),
});

export type StackFile = Omit<z.infer<typeof stackSchema>, 'ports'> & { readonly ports: Ports };

/** What this state folder recorded; undefined where no stack ever ran. */
export function readStackFile(layout: Layout): StackFile | undefined {
  if (!existsSync(layout.stackFile)) return undefined;
  const parsed = stackSchema.safeParse(JSON.parse(readFileSync(layout.stackFile, 'utf8')));
  if (!parsed.success) {
    throw new StackError(
      'stack.unreadable',
      `${layout.stackFile} was not written by this version of Ratchet`,
    );
  }
  return parsed.data as StackFile;
}

const textOf = (stack: StackFile): string => `${JSON.stringify(stack, undefined, 2)}\n`;

export function writeStackFile(layout: Layout, stack: StackFile): void {
  writePrivate(layout.stackFile, textOf(stack));
}

/** Records a new stack, unless another start was faster: the stack that is recorded then. */
export function claimStackFile(layout: Layout, stack: StackFile): StackFile {
  writePrivateOnce(layout.stackFile, textOf(stack));
  return readStackFile(layout) ?? stack;
}

const secretsSchema = z.object({
  control: z.string(),
  postgres: z.string(),
  s3Access: z.string(),
  s3Secret: z.string(),
});

export type Secrets = Readonly<z.infer<typeof secretsSchema>>;

export function readSecrets(layout: Layout): Secrets | undefined {
  if (!existsSync(layout.secretsFile)) return undefined;
  return secretsSchema.parse(JSON.parse(readFileSync(layout.secretsFile, 'utf8')));
}

/** The secrets of this state folder, made on the first call. */
export function ensureSecrets(layout: Layout): Secrets {
  const known = readSecrets(layout);
  if (known) return known;
  const random = (): string => randomBytes(24).toString('base64url');
  const secrets = { control: random(), postgres: random(), s3Access: random(), s3Secret: random() };
  // Of two first starts at once both must end with the same secrets: those of the faster one.
  writePrivateOnce(layout.secretsFile, `${JSON.stringify(secrets)}\n`);
  return readSecrets(layout) ?? secrets;
}

export interface KeyFiles {
  /** Ed25519, PKCS8 PEM: for workers only. */
  readonly signing: string;
  /** Ed25519, SPKI PEM. */
  readonly verify: string;
  /** Secret of the admin API key. */
  readonly admin: string;
  /** Keys that encrypt artifacts at rest; the file is there only where that was asked for. */
  readonly packages: string;
}

export function keyFilesOf(layout: Layout): KeyFiles {
  return {
    signing: join(layout.keys, 'signing.pem'),
    verify: join(layout.keys, 'verify.pem'),
    admin: join(layout.keys, 'admin.key'),
    packages: join(layout.keys, 'packages.key'),
  };
}

/**
 * The key files of this state folder, made on the first call; `packages`: also one that encrypts artifacts,
 * which stays in use from then on.
 */
export function ensureKeys(layout: Layout, { packages = false } = {}): KeyFiles {
  const files = keyFilesOf(layout);
  if (!existsSync(files.signing) || !existsSync(files.verify)) {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    // The public key first: a crash between the two makes a new pair, never half of one.
    writePrivate(files.verify, publicKey.export({ type: 'spki', format: 'pem' }) as string);
    writePrivate(files.signing, privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
  }
  if (!existsSync(files.admin)) {
    writePrivate(files.admin, `${newKeyToken()}\n`);
  }
  // Never replaced: what was encrypted with a key is lost with it.
  if (packages && !existsSync(files.packages)) writePrivate(files.packages, newPackageKey('first'));
  return files;
}
