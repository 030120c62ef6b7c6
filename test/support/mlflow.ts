/** A real MLflow server for tests (about 10 s to start: share it within a file). */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startServer, untilReady } from './server-process.ts';
import { findPythonTool } from './tools.ts';

/** Why tests of MLflow are skipped here; false where they run. */
export const skipMlflow: string | false =
  findPythonTool('mlflow') === undefined
    ? 'there is no mlflow in .tools/venv or on PATH (node infra/setup.mjs provides it)'
    : false;

export interface TestMlflow {
  readonly url: string;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startMlflow(): Promise<TestMlflow> {
  const command = findPythonTool('mlflow');
  if (command === undefined) throw new Error(String(skipMlflow));
  const folder = await mkdtemp(join(tmpdir(), 'ratchet-mlflow-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const args = ['server', '--host', '127.0.0.1', '--port', String(port), '--workers', '1'];
  const store = ['--backend-store-uri', `sqlite:///${join(folder, 'mlflow.db')}`];
  const files = ['--artifacts-destination', join(folder, 'artifacts')];
  const start = async () => {
    const server = startServer(command, [...args, ...store, ...files], {
      cwd: folder,
      folder,
      env: {
        ...process.env,
        MLFLOW_ALLOW_PICKLE_DESERIALIZATION: 'false',
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
        MLFLOW_DISABLE_TELEMETRY: 'true',
      },
    });
    const ready = async (): Promise<boolean> =>
      (await fetch(`${url}/health`, { signal: AbortSignal.timeout(1_000) })).ok;
    await untilReady(server, 'MLflow', ready, 120_000);
    return server;
  };
  let server = await start();
  return {
    url,
    kill: () => server.kill(),
    async restart() {
      await server.kill();
      server = await start();
    },
    async stop() {
      await server.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
