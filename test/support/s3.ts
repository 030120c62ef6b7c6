/** A real S3 server (versitygw) for tests. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { S3Settings } from '../../registry/artifacts-s3.ts';
import { freePort, startServer, untilReady } from './server-process.ts';
import { findTool } from './tools.ts';

/** Why tests of the S3 server are skipped here; false where they run. */
export const skipS3: string | false =
  findTool('versitygw') === undefined
    ? 'there is no versitygw in .tools/bin or on PATH (node infra/setup.mjs builds it)'
    : false;

export interface TestS3 extends S3Settings {
  /** The folder in which the server keeps the bucket's objects as files. */
  readonly objectsDir: string;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startS3(): Promise<TestS3> {
  const command = findTool('versitygw');
  if (command === undefined) throw new Error(String(skipS3));
  const folder = await mkdtemp(join(tmpdir(), 'ratchet-s3-'));
  const data = join(folder, 'data');
  await mkdir(data);
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const keys = { accessKey: 'test-access', secretKey: 'test-secret' };
  const start = async () => {
    const server = startServer(command, ['--port', `127.0.0.1:${port}`, 'posix', data], {
      env: {
        ...process.env,
        ROOT_ACCESS_KEY: keys.accessKey,
        ROOT_SECRET_KEY: keys.secretKey,
      },
      cwd: folder,
      folder,
    });
    await untilReady(server, 'the S3 server', async () => {
      await fetch(endpoint, { signal: AbortSignal.timeout(1_000) });
      return true;
    });
    return server;
  };
  let server = await start();
  const bucket = 'ratchet-test';
  return {
    endpoint,
    ...keys,
    bucket,
    objectsDir: join(data, bucket),
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
