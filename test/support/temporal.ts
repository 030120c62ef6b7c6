import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, bundleWorkflowCode } from '@temporalio/worker';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';

const workflowsPath = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url));

/** The temporal binary that set-up provides, or the one on PATH; undefined where there is none. */
export function temporalBinary(): string | undefined {
  const provided = fileURLToPath(new URL('../../.tools/bin/', import.meta.url));
  const folders = [provided, ...(process.env['PATH'] ?? '').split(delimiter)];
  return folders.map((folder) => join(folder, 'temporal')).find((path) => existsSync(path));
}

/** Reason to skip tests that need a Temporal server, or false. */
export const temporalMissing: string | false =
  temporalBinary() === undefined
    ? 'no Temporal server here: node infra/setup.mjs provides it'
    : false;

/** Temporal's own log lines would drown the test report. */
export function quietTemporal(): void {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: 'ERROR', forward: {} } },
  });
}

/** A real, empty Temporal dev server of this test's own; `settings`: its dynamic configuration, `key=JSON`. */
export async function startTemporal(
  settings: readonly string[] = [],
): Promise<TestWorkflowEnvironment> {
  quietTemporal();
  const path = temporalBinary();
  if (path === undefined) throw new Error(String(temporalMissing));
  return TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path },
      extraArgs: settings.flatMap((setting) => ['--dynamic-config-value', setting]),
    },
  });
}

let bundle: Promise<WorkflowBundleWithSourceMap> | undefined;

/** The workflow bundle, built once a process. */
export function workflowBundle(): Promise<WorkflowBundleWithSourceMap> {
  bundle ??= bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
  return bundle;
}
