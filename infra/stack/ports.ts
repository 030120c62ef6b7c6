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
 * Ports for every name: those given where they are free, else ones the system chooses. All are held
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
    const kept = wish === undefined ? undefined : await listenOn(wish);
    const server = kept ?? (await listenOn(0));
    if (!server) throw new Error('the system gives no free loopback port');
    servers.push(server);
    ports[name] = (server.address() as { port: number }).port;
    if (wish !== undefined && !kept) moved.push(name);
  }
  await Promise.all(servers.map(close));
  return { ports: ports as Ports, moved };
}
