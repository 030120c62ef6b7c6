import type { ActivityDeps } from '../activities/deps.ts';
import type { Config } from '../infra/config.ts';
import { openMlflowClient } from '../registry/mlflow-client.ts';
import { runMirror } from '../registry/mlflow-mirror.ts';

/** Feeds MLflow from the outbox for as long as the process lives; nothing waits for it. */
export function startMirror(
  deps: ActivityDeps,
  config: Config,
  signal: AbortSignal,
): Promise<void> {
  if (config.mlflowUrl === undefined) {
    deps.log.info({}, 'no MLflow is configured: nothing is mirrored, everything else works');
    return Promise.resolve();
  }
  const client = openMlflowClient(config.mlflowUrl);
  const { db, artifacts, log } = deps;
  return runMirror({ db, artifacts, client, signal, log });
}
