import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';

/** Every port of the stack; all of them listen on loopback only. */
export const PORT_NAMES = [
  'control',
  'postgres',
  'temporal',
  'temporalUi',
  's3',
  'mlflow',
  'api',
  'generalMetrics',
  'trainingMetrics',
] as const;

export type PortName = (typeof PORT_NAMES)[number];
export type Ports = Readonly<Record<PortName, number>>;

function listenOn(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

/**
 * Below the ports that Linux gives to outgoing connections (32768 and up): one of those may be taken
 * between the choice of a port and its use, and again before the next `up`.
 */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const TRIES = 50;

/** Listens on a free port of that range, or, where all tries failed, on one the system chooses. */
async function listenAnywhere(): Promise<Server | undefined> {
  for (let left = TRIES; left > 0; left--) {
    const server = await listenOn(randomInt(FIRST_PORT, LAST_PORT));
    if (server) return server;
  }
  return listenOn(0);
}

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
  });

export async function isFree(port: number): Promise<boolean> {
  const server = await listenOn(port);
  if (server) await close(server);
  return server !== undefined;
}

/**
 * Ports for every name: those given where they are free (0: none), else random ones. All are held
 * until the last is chosen, so no two names get the same.
 */
export async function choosePorts(
  known: Partial<Record<PortName, number>>,
  held: ReadonlySet<PortName> = new Set(),
): Promise<{ readonly ports: Ports; readonly moved: readonly PortName[] }> {
  const servers: Server[] = [];
  const ports: Partial<Record<PortName, number>> = {};
  const moved: PortName[] = [];
  for (const name of PORT_NAMES) {
    const wish = known[name];
    if (wish !== undefined && held.has(name)) {
      ports[name] = wish;
      continue;
    }
    const kept = wish ? await listenOn(wish) : undefined;
    const server = kept ?? (await listenAnywhere());
    if (!server) throw new Error('the system gives no free loopback port');
    servers.push(server);
    ports[name] = (server.address() as { port: number }).port;
    if (wish && !kept) moved.push(name);
  }
  await Promise.all(servers.map(close));
  return { ports: ports as Ports, moved };
}
