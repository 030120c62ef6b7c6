import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import { Histogram } from 'prom-client';
import { withLogFields, type Telemetry } from '../infra/telemetry.ts';

/** From a cached step to a training of a day. */
const SECONDS = [0.01, 0.05, 0.25, 1, 5, 30, 120, 600, 3_600, 86_400];

type Outcome = 'completed' | 'failed' | 'cancelled';

const outcomeOf = (error: unknown): Outcome =>
  error instanceof CancelledFailure ? 'cancelled' : 'failed';

/**
 * One log line and one measurement for every attempt of an activity; all lines written inside it carry
 * the ids of its workflow, so that a log can be read along one run.
 */
export function activityTelemetry({ log, registry }: Telemetry): ActivityInterceptorsFactory {
  const durations = new Histogram({
    name: 'ratchet_activity_seconds',
    help: 'Duration of activity attempts by activity and outcome',
    labelNames: ['activity', 'outcome'],
    buckets: SECONDS,
    registers: [registry],
  });
  return ({ info }) => ({
    inbound: {
      execute(input, next) {
        const fields = {
          ...(info.workflowExecution && {
            workflowId: info.workflowExecution.workflowId,
            runId: info.workflowExecution.runId,
          }),
          activity: info.activityType,
        };
        return withLogFields(fields, async () => {
          const begin = performance.now();
          const end = (outcome: Outcome): { ms: number; attempt: number } => {
            const ms = Math.round(performance.now() - begin);
            durations.observe({ activity: info.activityType, outcome }, ms / 1000);
            return { ms, attempt: info.attempt };
          };
          try {
            const result = await next(input);
            log.info(end('completed'), 'activity completed');
            return result;
          } catch (error) {
            const outcome = outcomeOf(error);
            const code = error instanceof ApplicationFailure ? error.type : undefined;
            log.warn({ ...end(outcome), code, err: error }, `activity ${outcome}`);
            throw error;
          }
        });
      },
    },
  });
}
