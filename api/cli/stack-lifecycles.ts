/** The part of `ratchet doctor` that compares rows with what runs in Temporal. */
import { Client, Connection } from '@temporalio/client';
import { watchOf } from '../../activities/schedules.ts';
import { artifactStoreOf } from '../../infra/artifact-store.ts';
import type { Config } from '../../infra/config.ts';
import { loadDatasets } from '../../infra/datasets.ts';
import type { Finding } from '../../infra/stack/checks.ts';
import { findLifecycleTroubles, repairLifecycles } from '../../infra/stack/lifecycle-checks.ts';
import { LIFECYCLE_CHECK } from '../../infra/stack/lifecycle-trouble.ts';
import { checkParity } from '../../infra/stack/parity-checks.ts';
import { openDatabase } from '../../registry/db.ts';
import { createSourceContext } from '../../workers/source-context.ts';

const CONNECT_TIMEOUT = '3s';

export interface LifecycleReport {
  readonly findings: readonly Finding[];
  /** What was mended, one clause each. */
  readonly repaired: readonly string[];
}

/** Looks, and mends where asked to. A server that does not answer is a finding of its own. */
export async function checkLifecycles(config: Config, repair: boolean): Promise<LifecycleReport> {
  try {
    return await look(config, repair);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    const fix = 'read logs/temporal.log and logs/postgres.log, then look again';
    const finding: Finding = { check: LIFECYCLE_CHECK, verdict: 'failed', detail, fix };
    return { findings: [finding], repaired: [] };
  }
}

async function look(config: Config, repair: boolean): Promise<LifecycleReport> {
  const { address, namespace } = config.temporal;
  const connection = await Connection.connect({ address, connectTimeout: CONNECT_TIMEOUT });
  const db = openDatabase(config.databaseUrl ?? '', { max: 2 });
  try {
    const deps = {
      db,
      artifacts: artifactStoreOf(config),
      datasets: await loadDatasets(config),
      sourceContext: createSourceContext,
      clock: () => Date.now(),
    };
    const client = new Client({ connection, namespace });
    const parts = { db, client, watchOf: (model: string) => watchOf(deps, model) };
    const { done, left } = repair
      ? await repairLifecycles(parts)
      : { done: [], left: await findLifecycleTroubles(parts) };
    const findings = left.map(({ repair: _mend, ...finding }) => finding);
    const lifecycles = findings.length > 0 ? findings : [IN_ORDER];
    const served = await checkParity({ db, watchOf: parts.watchOf, now: Date.now() });
    return { findings: [...lifecycles, ...served], repaired: done };
  } finally {
    await db.destroy();
    await connection.close();
  }
}

const IN_ORDER: Finding = {
  check: LIFECYCLE_CHECK,
  verdict: 'ok',
  detail: 'every served model has its lifecycle and its schedules, nothing else runs',
};
