import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until `look` says true; fails after a minute with what was waited for. */
export async function untilTrue(
  look: () => boolean | Promise<boolean>,
  what: string = look.toString(),
): Promise<void> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(20)) {
    if (await look()) return;
  }
  assert.fail(`it never came to this: ${what}`);
}
