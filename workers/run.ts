/**
 * A worker process: `node dist/workers/run.js orchestration general` or `... training`.
 * It polls the named queues until it gets SIGTERM, then lets running activities end; where they need
 * longer than the grace time they are cancelled and the next worker goes on from their checkpoints.
 */
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { WorkerOptions } from '@temporalio/worker';
import type { ActivityDeps } from '../activities/deps.ts';
import { readConfig } from '../infra/config.ts';
import type { Config } from '../infra/config.ts';
import { endWithParent } from '../infra/end-with-parent.ts';
import { startTelemetry } from '../infra/telemetry.ts';
import type { Logger, Telemetry } from '../infra/telemetry.ts';
import { TASK_QUEUES } from '../workflows/messages.ts';
import { activityTelemetry } from './activity-telemetry.ts';
import { generalOptions } from './general.ts';
import { startMirror } from './mirror.ts';
import { openDeps } from './open-deps.ts';
import { orchestrationOptions } from './orchestration.ts';
import { trainingOptions } from './training.ts';

type Queue = keyof typeof TASK_QUEUES;

/** Longer than writing a checkpoint takes. */
const SHUTDOWN_GRACE = '10s';

const isQueue = (name: string): name is Queue => name in TASK_QUEUES;

function queuesOf(argv: readonly string[]): readonly Queue[] {
  const unknown = argv.find((name) => !isQueue(name));
  if (unknown !== undefined || argv.length === 0) {
    throw new Error(`name the queues to poll: ${Object.keys(TASK_QUEUES).join(', ')}`);
  }
  return argv.filter(isQueue);
}

function optionsOf(queue: Queue, deps: ActivityDeps, config: Config): WorkerOptions {
  switch (queue) {
    case 'orchestration':
      return orchestrationOptions();
    case 'general':
      return generalOptions(deps);
    case 'training':
      return trainingOptions(deps, config.trainingSlots);
  }
}

/** Temporal's log lines in the process' own structured log. */
function installRuntime(log: Logger): void {
  const logger = new DefaultLogger('INFO', ({ level, message, meta }) => {
    const write = level === 'ERROR' ? log.error : level === 'WARN' ? log.warn : log.debug;
    write.call(log, { temporal: meta }, message);
  });
  Runtime.install({ logger });
}

async function poll(
  queues: readonly Queue[],
  config: Config,
  telemetry: Telemetry,
  signal: AbortSignal,
): Promise<readonly Worker[]> {
  const deps = await openDeps(config, telemetry.log);
  const { address, namespace } = config.temporal;
  const connection = await NativeConnection.connect({ address });
  if (queues.includes('general')) void startMirror(deps, config, signal);
  const activity = [activityTelemetry(telemetry), ...telemetry.activityInterceptors];
  return Promise.all(
    queues.map((queue) =>
      Worker.create({
        connection,
        namespace,
        shutdownGraceTime: SHUTDOWN_GRACE,
        interceptors: { activity },
        ...optionsOf(queue, deps, config),
      }),
    ),
  );
}

endWithParent();
const queues = queuesOf(process.argv.slice(2));
const config = readConfig();
const telemetry = await startTelemetry(`worker-${queues.join('-')}`, config);
installRuntime(telemetry.log);
const ended = new AbortController();
const workers = await poll(queues, config, telemetry, ended.signal);
telemetry.log.info({ queues, metricsPort: telemetry.metricsPort }, 'polling');
await Promise.all(workers.map((worker) => worker.run()));
ended.abort();
await telemetry.shutdown();
process.exit(0);
