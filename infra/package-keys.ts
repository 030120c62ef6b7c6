/** Keys that encrypt artifacts at rest, from the environment's settings. */
import { readFileSync } from 'node:fs';
import { RatchetError } from '../core/errors.ts';
import { packageKeysFrom, type PackageKeys } from '../registry/artifacts-encrypted.ts';
import type { Config } from './config.ts';

/** The keys of a configuration; undefined: nothing is encrypted. Throws `config.package-keys`. */
export function readPackageKeys({ packageKeySource }: Config): PackageKeys | undefined {
  const { file, text } = packageKeySource;
  if (file !== undefined && text !== undefined) {
    throw new RatchetError(
      'config.package-keys',
      'RATCHET_PACKAGE_KEY_FILE and RATCHET_PACKAGE_KEYS are both set; leave one out',
    );
  }
  if (text !== undefined) return packageKeysFrom(text);
  if (file === undefined) return undefined;
  let read: string;
  try {
    read = readFileSync(file, 'utf8');
  } catch (cause) {
    const message = 'the file that RATCHET_PACKAGE_KEY_FILE names cannot be read';
    throw new RatchetError('config.package-keys', message, { cause });
  }
  return packageKeysFrom(read);
}
