/** What a process that uses a local stack is configured with. */
import { existsSync } from 'node:fs';
import { environmentOf } from '../config.ts';
import { keyFilesOf, readSecrets, readStackFile, StackError, type Secrets } from './identity.ts';
import type { Layout } from './layout.ts';
import type { Ports } from './ports.ts';
import { databaseUrl } from './postgres.ts';
import { BUCKET } from './servers.ts';

/** Environment variables for the servers named in `parts` (`postgres`, `s3`, `mlflow`, ...). */
export function environmentFor(
  layout: Layout,
  ports: Ports,
  secrets: Secrets,
  parts: ReadonlySet<string>,
): Record<string, string> {
  const env: Record<string, string> = { RATCHET_STATE: layout.stateDir };
  if (parts.has('temporal')) env['RATCHET_TEMPORAL_ADDRESS'] = `127.0.0.1:${ports.temporal}`;
  if (parts.has('postgres')) env['RATCHET_DATABASE_URL'] = databaseUrl(ports.postgres, secrets);
  if (parts.has('s3')) {
    env['RATCHET_S3_ENDPOINT'] = `http://127.0.0.1:${ports.s3}`;
    env['RATCHET_S3_ACCESS_KEY'] = secrets.s3Access;
    env['RATCHET_S3_SECRET_KEY'] = secrets.s3Secret;
    env['RATCHET_S3_BUCKET'] = BUCKET;
  }
  if (parts.has('mlflow')) env['RATCHET_MLFLOW_URL'] = `http://127.0.0.1:${ports.mlflow}`;
  return { ...env, ...packageKeyEnvironment(layout) };
}

/** Where the keys come from that encrypt artifacts: the operator's, else those this state folder has. */
function packageKeyEnvironment(layout: Layout): Record<string, string> {
  const given = environmentOf(['RATCHET_PACKAGE_KEY_FILE', 'RATCHET_PACKAGE_KEYS']);
  if (Object.keys(given).length > 0) return given;
  const { packages } = keyFilesOf(layout);
  return existsSync(packages) ? { RATCHET_PACKAGE_KEY_FILE: packages } : {};
}

/** The same for a stack that runs already, from what its state folder recorded. */
export function stackEnvironment(
  layout: Layout,
  parts: ReadonlySet<string>,
): Record<string, string> {
  const ports = readStackFile(layout)?.ports;
  const secrets = readSecrets(layout);
  if (!ports || !secrets) throw new StackError('stack.none', `no stack in ${layout.stateDir}`);
  return environmentFor(layout, ports, secrets, parts);
}

/** A server of the operator's own takes the place of the embedded part. */
const EXTERNAL: Readonly<Record<string, readonly string[]>> = {
  postgres: ['RATCHET_DATABASE_URL'],
  temporal: ['RATCHET_TEMPORAL_ADDRESS', 'RATCHET_TEMPORAL_NAMESPACE'],
  s3: [
    'RATCHET_S3_ENDPOINT',
    'RATCHET_S3_ACCESS_KEY',
    'RATCHET_S3_SECRET_KEY',
    'RATCHET_S3_BUCKET',
  ],
  mlflow: ['RATCHET_MLFLOW_URL'],
};

export interface External {
  readonly parts: ReadonlySet<string>;
  readonly env: Readonly<Record<string, string>>;
}

export const NOTHING_EXTERNAL: External = { parts: new Set(), env: {} };

/** What the operator's environment says is elsewhere: a part counts by its first variable. */
export function externalFrom(environment: NodeJS.ProcessEnv = process.env): External {
  const parts = Object.keys(EXTERNAL).filter((part) => environment[EXTERNAL[part]![0]!]);
  const names = parts.flatMap((part) => EXTERNAL[part]!);
  const given = names.flatMap((name) => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { parts: new Set(parts), env: Object.fromEntries(given) };
}
