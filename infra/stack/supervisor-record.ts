/** Who supervises a state folder, noted so that one that answers nobody can still be found and ended. */
import { readFileSync, rmSync } from 'node:fs';
import { z } from 'zod';
import { StackError } from './identity.ts';
import { writePrivate, type Layout } from './layout.ts';
import { startedAt, stateOf, waitUntil } from './processes.ts';

/** A supervisor that is asked to end gets this long before it is killed. */
const END_GRACE_MS = 15_000;
const KILL_WAIT_MS = 5_000;

const recordSchema = z.object({ pid: z.number().int().positive(), started: z.string() });

/** A process by its id and its start (kernel ticks): a reused id has another start. */
export type SupervisorRecord = z.infer<typeof recordSchema>;

/** Notes this process. Only who holds the control port may call it. */
export function recordSupervisor(layout: Layout): void {
  const record: SupervisorRecord = { pid: process.pid, started: startedAt(process.pid) };
  writePrivate(layout.supervisorFile, `${JSON.stringify(record)}\n`);
}

export function forgetSupervisor(layout: Layout): void {
  rmSync(layout.supervisorFile, { force: true });
}

function isRunning({ pid, started }: SupervisorRecord): boolean {
  // Where the system tells no start, the id alone may name anybody: nobody is blamed then.
  return started !== '' && startedAt(pid) === started && stateOf(pid) !== 'Z';
}

/** The recorded supervisor, if that very process still runs, whether it answers or not. */
export function livingSupervisor(layout: Layout): SupervisorRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(layout.supervisorFile, 'utf8'));
  } catch {
    // None ran, or the record was cut by a crash: it names nobody.
    return undefined;
  }
  const parsed = recordSchema.safeParse(value);
  return parsed.success && isRunning(parsed.data) ? parsed.data : undefined;
}

/** What to tell about a supervisor that lives and does not answer. */
export function noAnswer(layout: Layout, { pid }: SupervisorRecord, cause?: unknown): StackError {
  return new StackError(
    'stack.no-answer',
    `the supervisor of ${layout.stateDir} (pid ${pid}) is alive but does not answer; end it: ratchet down`,
    { details: { pid }, ...(cause === undefined ? {} : { cause }) },
  );
}

/**
 * Ends the recorded process: asked first, killed when it has not ended after `graceMs`.
 * Throws `StackError` `stack.not-ended` when it lives on, e.g. for want of the right to end it.
 */
export async function endSupervisor(
  layout: Layout,
  record: SupervisorRecord,
  graceMs = END_GRACE_MS,
): Promise<void> {
  const gone = (): boolean => !isRunning(record);
  send(record, 'SIGTERM');
  // A stopped process sees no signal but SIGKILL until it goes on.
  if (stateOf(record.pid) === 'T') send(record, 'SIGCONT');
  if (!(await waitUntil(gone, graceMs))) {
    send(record, 'SIGKILL');
    await waitUntil(gone, KILL_WAIT_MS);
  }
  if (!gone()) {
    throw new StackError(
      'stack.not-ended',
      `the supervisor (pid ${record.pid}) could not be ended`,
    );
  }
  if (!livingSupervisor(layout)) forgetSupervisor(layout);
}

function send(record: SupervisorRecord, signal: NodeJS.Signals): void {
  if (!isRunning(record)) return;
  try {
    process.kill(record.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
      throw new StackError(
        'stack.not-ended',
        `the supervisor (pid ${record.pid}) could not be ended: ${(error as Error).message}`,
        { cause: error },
      );
    }
  }
}
