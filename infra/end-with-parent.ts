import { fstatSync } from 'node:fs';

/** Time an orderly end may take before the process goes anyway. */
const GRACE_MS = 900;

/**
 * Ends this process within 1 s once its stdin closes. The supervisor holds the other end of that
 * pipe, so the kernel closes it however the supervisor ends, `kill -9` included.
 *
 * @param onEnd what to stop first (a worker to drain, a server to close); it has `GRACE_MS`.
 */
export function endWithParent(onEnd?: () => void | Promise<void>): void {
  let ending = false;
  const end = (): void => {
    if (ending) return;
    ending = true;
    setTimeout(() => process.exit(0), GRACE_MS).unref();
    Promise.resolve()
      .then(() => onEnd?.())
      .then(
        () => process.exit(0),
        () => process.exit(1),
      );
  };
  // Only a pipe tells that the parent is gone; a terminal or /dev/null at stdin means nothing.
  const stdin = fstatSync(0);
  if (!stdin.isFIFO() && !stdin.isSocket()) return;
  process.stdin.on('end', end).on('close', end).on('error', end);
  process.stdin.resume();
}
