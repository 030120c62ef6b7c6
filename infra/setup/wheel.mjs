import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { venvPython } from './python.mjs';
import { run } from './run.mjs';

/**
 * A wheel of which only libraries are taken, so one Python tag serves every Python.
 * @typedef {object} Wheel
 * @property {string} name
 * @property {string} version
 * @property {string} pythonVersion
 * @property {string} platform
 * @property {string} sha256
 */

/**
 * Downloads a pinned wheel into a folder and gives its path; pip refuses bytes with another digest.
 * @param {Wheel} wheel
 * @param {string} folder
 * @param {string} log
 */
export async function downloadWheel(wheel, folder, log) {
  mkdirSync(folder, { recursive: true });
  const list = join(folder, 'wheel.txt');
  writeFileSync(list, `${wheel.name}==${wheel.version} --hash=sha256:${wheel.sha256}\n`);
  const tag = ['--python-version', wheel.pythonVersion, '--platform', wheel.platform];
  const args = ['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', '--require-hashes'];
  await run(venvPython, [...args, ...tag, '-d', folder, '-r', list], { log });
  return join(
    folder,
    readdirSync(folder).find((name) => name.endsWith('.whl')),
  );
}
