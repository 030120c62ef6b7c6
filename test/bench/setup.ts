/** `npm run bench:setup`: Python environments of their own for the peers, from peers/requirements*.txt. */
import { spawnSync } from 'node:child_process';
import { PEER_ENVIRONMENTS } from './peer.ts';

for (const { folder, python, requirements } of Object.values(PEER_ENVIRONMENTS)) {
  const steps: readonly (readonly string[])[] = [
    ['python3', '-m', 'venv', folder],
    [python, '-m', 'pip', 'install', '--quiet', '--only-binary=:all:', '-r', requirements],
  ];
  for (const [command, ...args] of steps) {
    const { status } = spawnSync(command!, args, { stdio: 'inherit' });
    if (status !== 0) process.exit(status ?? 1);
  }
}
