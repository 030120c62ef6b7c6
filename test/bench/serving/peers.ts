/** Servers that peers run, on the graphs and the window of a serving scene. */
import { join } from 'node:path';
import { PEER_ENVIRONMENTS } from '../peer.ts';
import { freePort } from '../../support/server-process.ts';
import { startHttp, type Server } from './scene.ts';

const PEERS = join(import.meta.dirname, '../peers');
/** What they call the instrument. */
export const SYMBOL = 'GSPC';

export const PEER_SERVERS = {
  FastAPI: {
    args: (port: number) => [
      ...['-m', 'uvicorn', 'fastapi_app:app', '--app-dir', PEERS, '--port', String(port)],
      // Its fastest loop and parser, and nothing written on the way.
      ...['--loop', 'uvloop', '--http', 'httptools', '--no-access-log', '--log-level', 'warning'],
    ],
    ready: '/ready',
  },
  BentoML: {
    args: (port: number) => [
      ...['-m', 'bentoml', 'serve', 'bento_app:Forecasts', '--working-dir', PEERS],
      ...['--host', '127.0.0.1', '--port', String(port), '-q'],
    ],
    ready: '/readyz',
  },
  MLflow: {
    args: (port: number) => [join(PEERS, 'mlflow_server.py'), String(port)],
    ready: '/ping',
  },
} as const;

export type PeerServer = keyof typeof PEER_SERVERS;

/** One worker of a peer; it answers when this resolves. */
export async function startPeerServer(name: PeerServer, folder: string): Promise<Server> {
  const port = await freePort();
  const { args, ready } = PEER_SERVERS[name];
  const env = {
    ...{ SERVED: folder, SYMBOL, BENTOML_DO_NOT_TRACK: 'True' },
    ...{ MLFLOW_DISABLE_TELEMETRY: 'true', BENTOML_HOME: join(folder, 'bentoml') },
  };
  return startHttp(name, PEER_ENVIRONMENTS.most.python, args(port), env, port, ready);
}
