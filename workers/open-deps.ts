import { createPrivateKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ActivityDeps } from '../activities/deps.ts';
import { RatchetError } from '../core/errors.ts';
import { trustedKeysFrom, type TrustedKeys } from '../core/packages/signature.ts';
import { artifactStoreOf } from '../infra/artifact-store.ts';
import { codeVersion } from '../infra/code-version.ts';
import type { Config } from '../infra/config.ts';
import { loadDatasets } from '../infra/datasets.ts';
import { loadAdvice } from '../infra/advice.ts';
import { loadWebhooks } from '../infra/webhooks.ts';
import type { Logger } from '../infra/telemetry.ts';
import { openDatabase } from '../registry/db.ts';
import { experimentEvents } from '../registry/experiments.ts';
import { migrateDatabase } from '../registry/migrate.ts';
import { createSourceContext } from './source-context.ts';
import { createTrainer } from './training-slot.ts';
import { openAskedModels } from './asked-models.ts';
import { guardedExchange } from './guarded-exchange.ts';
import { createWebhooks } from './webhooks.ts';

/** Connections one worker process may hold. */
const DATABASE_CONNECTIONS = 10;

/** Opens what activities need, brings the schema up to date, and fails before the first poll if it cannot. */
export async function openDeps(config: Config, log: Logger): Promise<ActivityDeps> {
  if (config.databaseUrl === undefined) {
    throw new RatchetError(
      'config.missing',
      'RATCHET_DATABASE_URL is not set; `ratchet up` sets it',
    );
  }
  await migrateDatabase(config.databaseUrl, log);
  const db = openDatabase(config.databaseUrl, { max: DATABASE_CONNECTIONS, log });
  return {
    db,
    artifacts: artifactStoreOf(config),
    datasets: await loadDatasets(config),
    sourceContext: createSourceContext,
    trainer: createTrainer({ log }),
    webhooks: createWebhooks(loadWebhooks(), { clock: () => Date.now(), version: codeVersion() }),
    askedModels: openAskedModels(
      { settings: loadAdvice(), exchange: (request) => guardedExchange(request) },
      { now: () => performance.now(), log },
    ),
    sign: signer(config),
    trustedKeys: trustedKeys(config),
    events: experimentEvents(db),
    clock: () => Date.now(),
    codeVersion: codeVersion(),
    log,
  };
}

function signer(config: Config): ActivityDeps['sign'] {
  const file = config.keyFiles.signing;
  if (file === undefined) {
    return () => {
      throw new RatchetError('config.missing', 'RATCHET_SIGNING_KEY_FILE is not set', {
        permanent: false,
      });
    };
  }
  const key = createPrivateKey(readFileSync(file));
  // Ed25519 has its own digest: the algorithm argument stays null.
  return (bytes) => sign(null, bytes, key);
}

/** Without the file no package is trusted: every one is then refused, none is let through. */
function trustedKeys(config: Config): TrustedKeys {
  const file = config.keyFiles.verify;
  return file === undefined ? [] : trustedKeysFrom(readFileSync(file, 'utf8'));
}
