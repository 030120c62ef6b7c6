/** Checks of the services a stack uses, asked as its own processes would ask. */
import { Connection } from '@temporalio/client';
import { sql } from 'kysely';
import type { ArtifactStore } from '../../registry/artifact-store.ts';
import { openDatabase } from '../../registry/db.ts';
import type { Db } from '../../registry/in-transaction.ts';
import { outboxState } from '../../registry/outbox.ts';
import { artifactStoreOf } from '../artifact-store.ts';
import type { Config } from '../config.ts';
import type { Finding } from './checks.ts';
import { ADMIN_KEY_CHECK, checkAdminKey } from './admin-key-check.ts';
import { checkRegistry } from './registry-checks.ts';
import { probeHttp } from './servers.ts';

/** A mirror that is further behind than this is worth a word. */
const OUTBOX_WARN_S = 300;
const CONNECT_TIMEOUT = '3s';

async function attempt(
  check: string,
  fix: string,
  work: () => Promise<Finding | string>,
): Promise<Finding> {
  try {
    const found = await work();
    return typeof found === 'string' ? { check, verdict: 'ok', detail: found } : found;
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { check, verdict: 'failed', detail, fix };
  }
}

async function checkDatabase(
  url: string,
  store: Promise<ArtifactStore | undefined>,
  adminKeyFile: string | undefined,
): Promise<readonly Finding[]> {
  const db = openDatabase(url, { max: 1 });
  try {
    const database = await attempt(
      'database',
      'read logs/postgres.log; ratchet down, up',
      async () => {
        const { rows } = await sql<{ data_checksums: string }>`SHOW data_checksums`.execute(db);
        const checksums = rows[0]?.data_checksums;
        if (checksums === 'on') return 'answers, checksums on';
        const fix = 'stop it and run pg_checksums --enable on its data folder';
        return { check: 'database', verdict: 'failed', detail: 'page checksums are off', fix };
      },
    );
    if (database.verdict !== 'ok') return [database];
    const key =
      adminKeyFile === undefined
        ? []
        : [
            await attempt(ADMIN_KEY_CHECK, 'read logs/postgres.log; ratchet down, up', () =>
              checkAdminKey(db, adminKeyFile),
            ),
          ];
    const outbox = await attempt('outbox', 'ratchet down, up; read logs/worker.log', async () => {
      const { open, oldestOpen, lastError } = await outboxState(db);
      const ageS = oldestOpen === null ? 0 : (Date.now() - oldestOpen.getTime()) / 1000;
      const error = lastError === null ? '' : `, last error: ${lastError}`;
      const detail = `${open} waiting, the oldest for ${Math.round(ageS)} s${error}`;
      if (ageS < OUTBOX_WARN_S) return detail;
      const fix = 'MLflow is down or refuses: read logs/mlflow.log; nothing is lost meanwhile';
      return { check: 'outbox', verdict: 'warning', detail, fix };
    });
    const artifacts = await store;
    // Either is told already; what they say together can be asked only of both.
    const together =
      outbox.verdict === 'failed' || !artifacts ? [] : await checkBoth(db, artifacts);
    return [database, ...key, outbox, ...together];
  } finally {
    await db.destroy();
  }
}

async function checkBoth(db: Db, artifacts: ArtifactStore): Promise<readonly Finding[]> {
  try {
    return await checkRegistry(db, artifacts);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    const fix = 'read logs/postgres.log and logs/s3.log, then look again';
    return [{ check: 'registry', verdict: 'failed', detail, fix }];
  }
}

function checkTemporal(address: string, namespace: string): Promise<Finding> {
  return attempt('temporal', 'read logs/temporal.log; ratchet down, up', async () => {
    const connection = await Connection.connect({ address, connectTimeout: CONNECT_TIMEOUT });
    try {
      await connection.workflowService.describeNamespace({ namespace });
      return `namespace ${namespace} answers`;
    } finally {
      await connection.close();
    }
  });
}

/**
 * Asks every service of a configuration; services that are not configured are not asked.
 *
 * @param storeIsDown the artifact store is a part that does not run: without its address the
 *   configuration would name a folder that nobody uses
 * @param adminKeyFile of a stack with its own API: the key that `ratchet` uses by itself
 */
export async function checkServices(
  config: Config,
  {
    storeIsDown = false,
    adminKeyFile,
  }: { readonly storeIsDown?: boolean; readonly adminKeyFile?: string | undefined } = {},
): Promise<readonly Finding[]> {
  const { databaseUrl, temporal, mlflowUrl } = config;
  const store = artifactStoreOf(config);
  const asked = storeIsDown
    ? []
    : [
        attempt('artifacts', 'read logs/s3.log; ratchet down, up', async () => {
          await store.ping();
          return `${store.kind} answers`;
        }),
      ];
  const usable = Promise.all(asked).then(([found]) =>
    found?.verdict === 'ok' ? store : undefined,
  );
  const mlflow =
    mlflowUrl === undefined
      ? []
      : [
          attempt('mlflow', 'wait some seconds after up, then read logs/mlflow.log', async () => {
            await probeHttp(`${mlflowUrl}/health`);
            return 'answers';
          }),
        ];
  const findings = await Promise.all([
    checkTemporal(temporal.address, temporal.namespace),
    ...asked,
    ...mlflow,
  ]);
  return [
    ...(databaseUrl === undefined ? [] : await checkDatabase(databaseUrl, usable, adminKeyFile)),
    ...findings,
  ];
}
