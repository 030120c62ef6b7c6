import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, TOOLS, run, which } from './run.mjs';

export const VENV = join(TOOLS, 'venv');
const BIN = join(VENV, process.platform === 'win32' ? 'Scripts' : 'bin');
const file = (name) => join(ROOT, 'infra/setup', name);
const hash = (name) =>
  createHash('sha256')
    .update(readFileSync(file(name)))
    .digest('hex');

/** Python of the project's own virtual environment. */
export const venvPython = join(BIN, 'python');
export const venvUv = join(BIN, 'uv');

const findPython = () => which('python3') ?? which('python');
const OLDEST = [3, 10];

/** @type {import('./steps.mjs').Step} */
export const pythonStep = {
  name: 'python',
  title: 'Python virtual environment',
  // A virtual environment holds its own full path: a project that was moved needs a new one.
  key: () => [ROOT, findPython(), hash('uv.txt')],
  outputs: ['.tools/venv/pyvenv.cfg'],
  async run() {
    const python = findPython();
    const missing = {
      state: 'missing',
      fix: 'install Python 3.10 or newer with venv (Debian: apt-get install python3-venv), then node infra/setup.mjs',
      without: 'serve-only: no training (TensorFlow comes as a Python wheel), no MLflow mirror',
    };
    if (!python) return { ...missing, detail: 'no python3 on PATH' };
    const said = await run(python, ['-c', 'import sys; print(*sys.version_info[:3], sep=".")'], {
      log: 'python',
    });
    const version = said.trim();
    const [major, minor] = version.split('.').map(Number);
    if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
      return { ...missing, detail: `Python ${version} is too old` };
    }
    rmSync(VENV, { recursive: true, force: true });
    await run(python, ['-m', 'venv', VENV], { log: 'python' });
    const args = ['-m', 'pip', 'install', '--require-hashes', '--only-binary=:all:', '-r'];
    await run(venvPython, [...args, file('uv.txt')], { log: 'python' });
    return { state: 'ready', detail: `Python ${version}`, path: '.tools/venv', version };
  },
};

/** @type {import('./steps.mjs').Step} */
export const mlflowStep = {
  name: 'mlflow',
  title: 'MLflow (every wheel pinned by hash)',
  after: ['python'],
  // A new virtual environment is empty, whatever was installed into the old one.
  key: () => [ROOT, hash('requirements.txt'), existsSync(venvUv), hash('uv.txt'), findPython()],
  outputs: ['.tools/venv/bin/mlflow'],
  async run() {
    const args = ['pip', 'install', '--python', venvPython, '--require-hashes'];
    await run(venvUv, [...args, '--only-binary=:all:', '-r', file('requirements.txt')], {
      log: 'mlflow',
    });
    const version = /^mlflow==(\S+)/m.exec(readFileSync(file('requirements.txt'), 'utf8'))[1];
    return { state: 'ready', detail: `MLflow ${version}`, path: '.tools/venv/bin/mlflow', version };
  },
};
