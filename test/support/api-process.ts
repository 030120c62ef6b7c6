import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { projectRoot } from '../../infra/project.ts';
import type { Stack } from '../../infra/stack.ts';
import { API_FLAGS } from '../../infra/stack/own.ts';
import { freePort } from './server-process.ts';

export interface ApiProcess {
  readonly url: string;
  readonly port: number;
  /** Undefined once it has ended. */
  pid(): number | undefined;
  /** Closes its stdin, as a supervisor that is gone would, and waits for its end. */
  end(): Promise<void>;
}

/** An API process beside a stack, one that outlives the stack's servers. */
export async function startApi(
  stack: Stack,
  port?: number,
  env: Readonly<Record<string, string>> = {},
): Promise<ApiProcess> {
  const chosen = port ?? (await freePort());
  const child = spawn(process.execPath, [...API_FLAGS, join(projectRoot, 'dist/api/server.js')], {
    env: {
      ...process.env,
      ...stack.env,
      RATCHET_API_PORT: String(chosen),
      RATCHET_VERIFY_KEY_FILE: stack.keys.verify,
      RATCHET_ADMIN_KEY_FILE: stack.keys.admin,
      RATCHET_LOG_LEVEL: 'error',
      ...env,
    },
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  const url = `http://127.0.0.1:${chosen}`;
  const ended = once(child, 'exit');
  for (;;) {
    const live = await fetch(`${url}/livez`).then(
      (response) => response.ok,
      () => false,
    );
    if (live) break;
    if (child.exitCode !== null) throw new Error(`the API ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    port: chosen,
    pid: () => (child.exitCode === null && child.signalCode === null ? child.pid : undefined),
    end: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
