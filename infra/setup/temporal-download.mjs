/** Child of set-up: lets the Temporal SDK download its dev server into the folder argv[2]. */
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { PINS } from './pins.mjs';

const LIMIT_MS = 45_000;
/** Nothing arrived by then: the host is out of reach, and the Go build should not wait for it. */
const FIRST_BYTE_MS = 12_000;
const folder = process.argv[2];
setTimeout(() => process.exit(3), LIMIT_MS).unref();

const { readdirSync } = await import('node:fs');
setTimeout(() => {
  if (readdirSync(folder).length === 0) process.exit(2);
}, FIRST_BYTE_MS).unref();

const env = await TestWorkflowEnvironment.createLocal({
  server: {
    executable: {
      type: 'cached-download',
      version: PINS.temporal.version,
      downloadDir: folder,
    },
  },
});
await env.teardown();
process.exit(0);
