import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { WorkerOptions } from '@temporalio/worker';
import { TASK_QUEUES } from '../workflows/messages.ts';

/** Bundle that `npm run build` makes; absent when the sources run under tsx. */
const bundle = fileURLToPath(new URL('../workflow-bundle.js', import.meta.url));
const sources = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));

/** Workflow tasks only: no activity can slow a decision down. */
export function orchestrationOptions(): WorkerOptions {
  return {
    taskQueue: TASK_QUEUES.orchestration,
    ...(existsSync(bundle) ? { workflowBundle: { codePath: bundle } } : { workflowsPath: sources }),
  };
}
