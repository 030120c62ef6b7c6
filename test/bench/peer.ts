/** Peers: Python processes that answer each line they are sent with the figure of one round. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { Side } from './measure.ts';

const here = import.meta.dirname;

const environment = (folder: string, requirements: string) => ({
  folder: join(here, '../../.tools', folder),
  python: join(here, '../../.tools', folder, 'bin/python'),
  requirements: join(here, 'peers', requirements),
});

/** Evidently wants an older pandas than the others, so it lives apart. */
export const PEER_ENVIRONMENTS = {
  most: environment('bench', 'requirements.txt'),
  drift: environment('bench-drift', 'requirements-drift.txt'),
} as const;

export type PeerEnvironment = keyof typeof PEER_ENVIRONMENTS;

/** Reason why peers cannot run here, or false. */
export const peersMissing = (): string | false =>
  Object.values(PEER_ENVIRONMENTS).every(({ python }) => existsSync(python))
    ? false
    : 'the peers are not installed: npm run bench:setup';

const ready = z.strictObject({ name: z.string() });

/** Starts peers/`script`; it is ready when this resolves. Throws what it said where it ends early. */
export async function startPeer(
  script: string,
  args: readonly string[],
  environment: PeerEnvironment = 'most',
): Promise<Side> {
  const { python } = PEER_ENVIRONMENTS[environment];
  const child = spawn(python, [join(here, 'peers', script), ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // Each peer takes the threads that its own arguments say, no others.
    env: { ...process.env, PYTHONUNBUFFERED: '1' },
  });
  let said = '';
  child.stderr.on('data', (bytes: Buffer) => (said = (said + bytes.toString()).slice(-4_000)));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`peers/${script} ended early:\n${said}`);
    return JSON.parse(value);
  };
  const { name } = ready.parse(await next());
  return {
    name,
    async round() {
      child.stdin.write('round\n');
      return z.number().parse(await next());
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.stdin.end();
      await ended;
    },
  };
}
