/** Every server in a stack of its own, so that one can be stopped and started again while the others go on. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startStack, type Stack } from '../../infra/stack.ts';
import { externalFrom, type External } from '../../infra/stack/environment.ts';
import { programPath, readProvidedParts } from '../../infra/stack/provided.ts';
import { until } from './product.ts';

const SERVERS = ['postgres', 'temporal', 's3', 'mlflow'] as const;
export type ServerName = (typeof SERVERS)[number];

export interface ServerStacks {
  /** What set-up provided. */
  readonly names: readonly ServerName[];
  /** For processes that use them. */
  readonly external: External;
  stop(name: ServerName): Promise<void>;
  /** At the address, and with the data, that it had. */
  start(name: ServerName): Promise<void>;
  end(): Promise<void>;
}

export async function startServers(): Promise<ServerStacks> {
  const folder = mkdtempSync(join(tmpdir(), 'ratchet-servers-'));
  const provided = readProvidedParts();
  const names = SERVERS.filter((name) => programPath(provided, name) !== undefined);
  const running = new Map<ServerName, Stack>();
  const start = async (name: ServerName): Promise<void> => {
    const stack = await startStack({ stateDir: join(folder, name), parts: [name] });
    running.set(name, stack);
    await until(`${name} to answer`, async () =>
      stack.status().parts.every(({ state }) => state === 'ready') ? true : undefined,
    );
  };
  const stop = async (name: ServerName): Promise<void> => {
    await running.get(name)?.stop();
    running.delete(name);
  };
  await Promise.all(names.map(start));
  const environment = Object.assign({}, ...names.map((name) => running.get(name)!.env));
  return {
    names,
    external: externalFrom(environment),
    stop,
    start,
    end: async () => {
      await Promise.all([...running.keys()].map(stop));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
