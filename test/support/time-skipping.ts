import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, bundleWorkflowCode } from '@temporalio/worker';
import { quietTemporal } from './temporal.ts';
import { findTool } from './tools.ts';

const server = findTool('temporal-test-server');

/** Reason to skip tests in which weeks pass, or false. */
export const timeSkippingMissing: string | false =
  server === undefined
    ? 'no time-skipping Temporal test server here: node infra/setup.mjs --tests provides it (it needs a JDK and Maven)'
    : false;

/**
 * A Temporal server of this test's own whose clock jumps to the next timer while somebody awaits a
 * workflow's `result()` and no activity runs. `env.sleep(ms)` moves it by hand (an awaited Update does
 * not), `env.currentTimeMs()` reads it. Workers and scripted activities run on it as on the real server;
 * schedules and the list of workflows do not exist there (for those: temporal.ts). All workflows share
 * the clock, so tests of one environment run one after the other.
 */
export async function startTimeSkipping(): Promise<TestWorkflowEnvironment> {
  quietTemporal();
  if (server === undefined) throw new Error(String(timeSkippingMissing));
  return TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path: server } },
  });
}

/** A bundle of a test's own workflows. */
export function bundleOf(workflowsPath: string) {
  return bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
}
