/** What lies where in the state folder, and how it is written. */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

export interface Layout {
  readonly stateDir: string;
  /** Ports and versions: no secrets. */
  readonly stackFile: string;
  readonly secretsFile: string;
  readonly keys: string;
  readonly logs: string;
  /** Process id and start of who supervises this folder. */
  readonly supervisorFile: string;
  /** One record for each running child. */
  readonly run: string;
  readonly postgres: string;
  readonly temporal: string;
  readonly s3: string;
  readonly mlflow: string;
}

export function layoutOf(stateDir: string): Layout {
  return {
    stateDir,
    stackFile: join(stateDir, 'stack.json'),
    secretsFile: join(stateDir, 'secrets.json'),
    supervisorFile: join(stateDir, 'supervisor.json'),
    keys: join(stateDir, 'keys'),
    logs: join(stateDir, 'logs'),
    run: join(stateDir, 'run'),
    postgres: join(stateDir, 'postgres'),
    temporal: join(stateDir, 'temporal'),
    s3: join(stateDir, 's3'),
    mlflow: join(stateDir, 'mlflow'),
  };
}

/** Makes the folders, readable by their owner only. */
export function makeFolders(layout: Layout): void {
  const { stateDir, keys, logs, run, temporal, s3, mlflow } = layout;
  for (const folder of [stateDir, keys, logs, run, temporal, s3, mlflow]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // `mode` is cut by the umask and does nothing to a folder that was there.
    chmodSync(folder, 0o700);
  }
}

/** Writes a file (0600) so that a crash leaves the old content or the new one. */
export function writePrivate(path: string, content: string | Uint8Array): void {
  renameSync(writeFresh(path, content), path);
}

/** Writes a file (0600) where there is none; false, and nothing done, where there is one. */
export function writePrivateOnce(path: string, content: string | Uint8Array): boolean {
  const fresh = writeFresh(path, content);
  try {
    linkSync(fresh, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(fresh, { force: true });
  }
}

let written = 0;

/** The content in a file beside `path`, on the disk; its name. */
function writeFresh(path: string, content: string | Uint8Array): string {
  const fresh = `${path}.${process.pid}.${written++}`;
  const file = openSync(fresh, 'w', 0o600);
  try {
    writeSync(file, typeof content === 'string' ? Buffer.from(content) : content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return fresh;
}
