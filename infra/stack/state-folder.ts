/** A state folder belongs to one supervisor at a time: the one that listens on its control port. */
import { randomUUID } from 'node:crypto';
import type { Server } from 'node:http';
import { askStatus, type StackStatus } from './control.ts';
import { claimStackFile, StackError, writeStackFile, type StackFile } from './identity.ts';
import type { Layout } from './layout.ts';
import { choosePorts } from './ports.ts';
import { livingSupervisor, noAnswer, recordSupervisor } from './supervisor-record.ts';

/** The record of a folder that has none yet; of two at once the first one's. */
export async function newStackFile(layout: Layout, createdAt: string): Promise<StackFile> {
  const { ports } = await choosePorts({});
  return claimStackFile(layout, { format: 1, id: randomUUID(), createdAt, ports });
}

/**
 * Takes the folder by its control port and gives its record, whose port may be another one. `listen` gives nothing
 * where a port is taken. Throws `stack.already-running`, `stack.no-answer`, `stack.no-port`.
 */
export async function takeStateFolder(
  layout: Layout,
  file: StackFile,
  listen: (port: number) => Promise<Server | undefined>,
): Promise<StackFile> {
  if (await listen(file.ports.control)) {
    recordSupervisor(layout);
    return file;
  }
  const other = await askStatus(layout);
  if (other) throw alreadyRunning(other, layout.stateDir);
  // Hung, or of a build that speaks another language: its children are under way.
  const silent = livingSupervisor(layout);
  if (silent) throw noAnswer(layout, silent);
  // A stranger took the port since: the stack moves to another one.
  const { ports } = await choosePorts({ ...file.ports, control: 0 });
  const moved = { ...file, ports: { ...file.ports, control: ports.control } };
  if (!(await listen(ports.control))) {
    throw new StackError('stack.no-port', 'no control port could be had');
  }
  writeStackFile(layout, moved);
  recordSupervisor(layout);
  return moved;
}

/** The record with other ports for those that other programs took; `onMoved` is told their names. */
export async function renewTakenPorts(
  layout: Layout,
  file: StackFile,
  onMoved: (names: readonly string[]) => void,
): Promise<StackFile> {
  const { ports, moved } = await choosePorts(file.ports, new Set(['control']));
  if (moved.length === 0) return file;
  onMoved(moved);
  const renewed = { ...file, ports };
  writeStackFile(layout, renewed);
  return renewed;
}

/** The running supervisor of a state folder, as an error for a second `up`. */
function alreadyRunning(status: StackStatus, stateDir: string): StackError {
  const url = status.parts.find((part) => part.name === 'api')?.url;
  const where = url ? `, its API at ${url}` : '';
  return new StackError(
    'stack.already-running',
    `a stack on ${stateDir} is running already (supervisor pid ${status.pid}${where})`,
    { details: { pid: status.pid, url } },
  );
}
