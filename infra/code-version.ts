import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './project.ts';

/**
 * Which code this is: the package's version and, of a build, the digest of all that it was built from.
 * It stands in every manifest, and results of an older code are not taken from the step cache.
 */
export function codeVersion(): string {
  const { version } = readJson(join(projectRoot, 'package.json')) as { version: string };
  try {
    const { digest } = readJson(join(projectRoot, 'dist/build.json')) as { digest: string };
    return `${version}+${digest.slice(0, 12)}`;
  } catch {
    return `${version}+source`;
  }
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
