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
export const startPeer = (
  script: string,
  args: readonly string[],
  environment: PeerEnvironment = 'most',
): Promise<Side> =>
  startSide(PEER_ENVIRONMENTS[environment].python, [join(here, 'peers', script), ...args], {
    // Each peer takes the threads that its own arguments say, no others.
    ...process.env,
    PYTHONUNBUFFERED: '1',
  });

/** Our work in a process of its own, which talks as peers do; `script` is a file of test/bench/. */
export const startOurs = (
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Side> =>
  startSide(process.execPath, ['--import', 'tsx', join(here, script), ...args], {
    ...process.env,
    ...env,
  });

async function startSide(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Side> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
  let said = '';
  child.stderr.on('data', (bytes: Buffer) => (said = (said + bytes.toString()).slice(-4_000)));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${args.join(' ')} ended early:\n${said}`);
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
