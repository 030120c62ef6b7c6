/**
 * Points at which a process can be held, without a hook in the product: a trigger of the test's own waits for an
 * advisory lock inside the statement that a step writes (the transaction is open: nothing of it may stay), or inside
 * its COMMIT (all of it will stay, and nobody hears that it does).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

export interface CrashPoint {
  readonly name: string;
  readonly table: string;
  readonly on: 'INSERT' | 'UPDATE';
  /** SQL on NEW (and OLD of an update); default: any row. */
  readonly when?: string;
  /** Whose transaction it is. */
  readonly writer: 'api' | 'workers';
  /** A table that it writes and that the next step reads: the point is that read. */
  readonly nextReads?: string;
}

/**
 * `before` the commit: it is lost with its writer. `after` it: it stands, and its writer never knew. `next`: it is
 * known, and the step that follows is under way.
 */
export type Moment = 'before' | 'after' | 'next';

export const momentsOf = ({ nextReads }: CrashPoint): readonly Moment[] =>
  nextReads === undefined ? ['before', 'after'] : ['next'];

export interface Hold {
  /** Resolves when a process stands at the point; fails when `life` ends before any came to it. */
  reached(life: Promise<void>): Promise<void>;
  /** Lets go. `isLost`: the process is dead, so that what it had not committed is rolled back. */
  release(isLost: boolean): Promise<void>;
}

export interface CrashPoints {
  /** From here on the first process that comes to the point stays there until it is let go. */
  hold(point: CrashPoint, moment: Moment): Promise<Hold>;
  close(): Promise<void>;
}

const KEY = 7_000_001;
const LOOK_EVERY_MS = 20;
/** A retrain on busy cores comes to its end well within it. */
const PATIENCE_MS = 120_000;

const WAIT = `CREATE OR REPLACE FUNCTION crash_point() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared(${KEY}); RETURN NULL; END $$`;
const AT_TRIGGER = `SELECT pid FROM pg_locks
WHERE locktype = 'advisory' AND objid = ${KEY} AND NOT granted`;
const AT_TABLE = `SELECT pid FROM pg_locks
WHERE locktype = 'relation' AND relation = $1::text::regclass AND NOT granted`;

function triggerOf({ table, on, when }: CrashPoint, moment: Moment): string {
  const kind = moment === 'before' ? 'TRIGGER' : 'CONSTRAINT TRIGGER';
  const timing = moment === 'before' ? '' : 'DEFERRABLE INITIALLY DEFERRED';
  const only = when === undefined ? '' : `WHEN (${when})`;
  return `CREATE ${kind} crash_point AFTER ${on} ON ${table} ${timing} FOR EACH ROW ${only}
EXECUTE FUNCTION crash_point()`;
}

export async function openCrashPoints(databaseUrl: string): Promise<CrashPoints> {
  const [client, locker] = [0, 1].map(() => new pg.Client({ connectionString: databaseUrl }));
  await Promise.all([client!.connect(), locker!.connect()]);
  await client!.query(WAIT);
  return {
    hold: (point, moment) => hold({ client: client!, locker: locker! }, point, moment),
    async close() {
      await Promise.all([client!.end(), locker!.end()]);
    },
  };
}

interface Clients {
  /** Holds what triggers wait for, and looks. */
  readonly client: pg.Client;
  /** Holds the table that a next step reads. */
  readonly locker: pg.Client;
}

async function hold(clients: Clients, point: CrashPoint, moment: Moment): Promise<Hold> {
  const { client, locker } = clients;
  const pids = async (text: string, ...values: string[]): Promise<number[]> =>
    (await client.query<{ pid: number }>(text, values)).rows.map(({ pid }) => pid);
  const atTrigger = (): Promise<number[]> => pids(AT_TRIGGER);
  const atTable = (): Promise<number[]> => pids(AT_TABLE, point.nextReads!);
  await client.query(`SELECT pg_advisory_lock(${KEY})`);
  await client.query(triggerOf(point, moment));
  return {
    async reached(life) {
      let over = false;
      const end = (): boolean => (over = true);
      void life.then(end, end);
      const some = async (who: () => Promise<number[]>): Promise<void> => {
        for (const limit = performance.now() + PATIENCE_MS; ; await sleep(LOOK_EVERY_MS)) {
          if ((await who()).length > 0) return;
          if (over || performance.now() > limit) throw new Error(`nothing came to ${point.name}`);
        }
      };
      await some(atTrigger);
      if (moment !== 'next') return;
      // Asked for while the writer still has the table: granted with its commit, before any reader.
      await locker.query('BEGIN');
      const locked = locker.query(`LOCK TABLE ${point.nextReads!} IN ACCESS EXCLUSIVE MODE`);
      await some(atTable);
      await client.query('SELECT pg_advisory_unlock_all()');
      await locked;
      await some(atTable);
    },
    async release(isLost) {
      if (isLost && moment === 'before') {
        for (const pid of await atTrigger()) {
          await client.query('SELECT pg_terminate_backend($1)', [pid]);
        }
      }
      await client.query('SELECT pg_advisory_unlock_all()');
      await locker.query('ROLLBACK');
      await client.query(`DROP TRIGGER crash_point ON ${point.table}`);
    },
  };
}
