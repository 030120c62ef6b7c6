/** `npm run bench:setup`: a Python environment of their own for the peers, from peers/requirements.txt. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../../.tools/bench');
const python = join(folder, 'bin', 'python');
const steps: readonly (readonly string[])[] = [
  ['python3', '-m', 'venv', folder],
  [
    ...[python, '-m', 'pip', 'install', '--quiet', '--only-binary=:all:'],
    ...['-r', join(import.meta.dirname, 'peers/requirements.txt')],
  ],
];
for (const [command, ...args] of steps) {
  const { status } = spawnSync(command!, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
