/** Where the project lies: the same answer for infra/*.ts and for dist/infra/*.js. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

function findRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) {
    const up = dirname(folder);
    if (up === folder) throw new Error('no package.json above the code');
    folder = up;
  }
  return folder;
}

export const projectRoot = findRoot();
