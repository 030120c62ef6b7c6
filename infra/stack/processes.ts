/** Processes of the operating system: who lives, what they use, who is left from before. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Left-over processes get this long to end by themselves before they are ended. */
const LEFTOVER_GRACE_MS = 8_000;
const POLL_MS = 50;

export const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

interface ProcStat {
  readonly pid: number;
  readonly state: string;
  readonly group: number;
  readonly started: string;
  readonly rssBytes: number;
}

const PAGE_BYTES = 4096;

function stat(pid: number): ProcStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command may hold spaces and parentheses: fields are counted from its last ')'.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return {
      pid,
      state: fields[0]!,
      group: Number(fields[2]),
      started: fields[19]!,
      rssBytes: Number(fields[21]) * PAGE_BYTES,
    };
  } catch {
    return undefined;
  }
}

/** When a process began, in the kernel's own ticks; '' where /proc does not exist. */
export const startedAt = (pid: number): string => stat(pid)?.started ?? '';

/** State of a process as the kernel writes it (`T` stopped, `Z` ended); undefined when it is gone. */
export const stateOf = (pid: number): string | undefined => stat(pid)?.state;

/** Name of the program a process runs; undefined when it is gone or the system does not tell. */
export function programOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function everyProcess(): readonly ProcStat[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map((name) => stat(Number(name)))
      .filter((s): s is ProcStat => s !== undefined && s.state !== 'Z');
  } catch {
    return [];
  }
}

/** Bytes in memory of each process group (shared pages counted once a process). */
export function memoryOfGroups(): ReadonlyMap<number, number> {
  const sums = new Map<number, number>();
  for (const { group, rssBytes } of everyProcess()) {
    sums.set(group, (sums.get(group) ?? 0) + rssBytes);
  }
  return sums;
}

/** What the supervisor notes of each child it starts. */
export interface RunRecord {
  readonly name: string;
  /** Leader of the child's process group. */
  readonly pid: number;
  readonly started: string;
}

export function readRecords(folder: string): readonly RunRecord[] {
  let names: readonly string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    try {
      return [JSON.parse(readFileSync(join(folder, name), 'utf8')) as RunRecord];
    } catch {
      // A record cut by a crash names nobody.
      return [];
    }
  });
}

/** Is somebody of the recorded group still there? A reused pid is told by its start. */
export function groupLives(record: RunRecord): boolean {
  try {
    process.kill(-record.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const leader = stat(record.pid);
  if (leader && record.started !== '' && leader.started !== record.started) return false;
  const members = everyProcess().filter((p) => p.group === record.pid);
  return members.length > 0 || process.platform !== 'linux';
}

export async function waitUntil(check: () => boolean, limitMs: number): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (!check()) {
    if (performance.now() > end) return false;
    await pause(POLL_MS);
  }
  return true;
}

/**
 * Ends what an earlier supervisor left: children that see its pipe close end by themselves and are
 * waited for; what is still there after that is killed.
 * @returns names of those that had to be killed.
 */
export async function endLeftovers(folder: string): Promise<readonly string[]> {
  const living = readRecords(folder).filter(groupLives);
  await waitUntil(() => !living.some(groupLives), LEFTOVER_GRACE_MS);
  const stubborn = living.filter(groupLives);
  for (const { pid } of stubborn) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  await waitUntil(() => !stubborn.some(groupLives), LEFTOVER_GRACE_MS);
  for (const { name } of readRecords(folder)) rmSync(join(folder, `${name}.json`), { force: true });
  return stubborn.map((record) => record.name);
}
